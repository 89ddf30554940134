package terminal

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// hostile is text that does things to terminals: colors, a title, an 8-bit
// command, a line that is written over, text from right to left, a deletion.
const hostile = "a\x1b[31mred\x1b]0;title\a\u009b2J\rover\u202eback\x7f\x00 é世 \U000e0041\n\tb\xff"

func TestLine(t *testing.T) {
	const want = "a?[31mred?]0;title??2J?over?back?? é世 ?  b\ufffd"
	if got := Line(hostile); got != want {
		t.Errorf("%q", got)
	}
	if got := Lines(hostile); got != strings.Replace(want, "?  b", "?\n b", 1) {
		t.Errorf("%q", got)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.MarshalIndent(map[string]string{"k": hostile}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(text)
	if i := strings.IndexFunc(string(safe), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }); i >= 0 {
		t.Errorf("%q", safe)
	}
	var got map[string]string
	if err := json.Unmarshal(safe, &got); err != nil || got["k"] != strings.ToValidUTF8(hostile, "\ufffd") {
		t.Errorf("%q, %v", got, err)
	}
}
