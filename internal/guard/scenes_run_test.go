package guard_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write what the documentation says")

func TestScenes(t *testing.T) {
	for _, s := range scenes() {
		t.Run(s.what, func(t *testing.T) {
			v := s.happens(newWorld(t, s.before()))
			if got := heldText(v); v.Held != (s.want != goesLive) || v.Held && got != s.want {
				t.Errorf("held %t: %s\nwant %s", v.Held, got, s.want)
			}
			if diff := cmp.Diff(s.because, v.Objects, cmpopts.EquateEmpty()); diff != "" && v.Held {
				t.Error(diff)
			}
		})
	}
}

const (
	safety     = "../../docs/safety.md"
	tableBegin = "<!-- scenes: begin (written by go test ./internal/guard -run TestScenesInDocs -update) -->\n"
	tableEnd   = "<!-- scenes: end -->"
)

// TestScenesInDocs keeps the table of what is held, and what is not, as the tests
// have it.
func TestScenesInDocs(t *testing.T) {
	data, err := os.ReadFile(safety)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), tableBegin)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", safety)
	}
	want := before + tableBegin + scenesTable() + tableEnd + after
	if *update {
		if err := os.WriteFile(safety, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("%s is old, run this test with -update: %s", safety, diff)
	}
}

func scenesTable() string {
	var b strings.Builder
	b.WriteString("\n| held | why, as it is said |\n| --- | --- |\n")
	for _, s := range allHeld() {
		b.WriteString("| " + s.what + " | " + s.want + " |\n")
	}
	b.WriteString("\n| not held |\n| --- |\n")
	for _, s := range allFree() {
		b.WriteString("| " + s.what + " |\n")
	}
	b.WriteString("\n")
	return b.String()
}
