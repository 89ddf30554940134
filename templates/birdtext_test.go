package templates

import (
	"strings"
	"testing"
	"unicode"
)

// TestComment: what somebody wrote into a resource is one line, in which nothing hides
// and nothing is shown elsewhere than it stands.
func TestComment(t *testing.T) {
	for in, want := range map[string]string{
		"BGPPeer rack-1":      "BGPPeer rack-1",
		"one\ntwo\r\x00three": "one two  three",
		"a\u2028b\u2029c":     "a b c",
		"\u202eevil\u202c \u2066x\u2069 \u200fy\u061c": " evil   x   y ",
		"zero\u200bwidth\ufeff\u00ad":                  "zero width  ",
		"naïve 世界":                                     "naïve 世界",
		strings.Repeat("é", 301):                       strings.Repeat("é", 300) + "...",
	} {
		got := comment(in)
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is not all to be seen", got)
		}
	}
}
