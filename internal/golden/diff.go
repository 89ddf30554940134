package golden

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
)

// Unified is a unified diff between two texts with the names from and to; empty
// where they are equal. Its time grows with the texts' length, not with the
// number of differences.
func Unified(from, to, old, new string) string {
	text := diff.Diff(from, []byte(old), to, []byte(new))
	_, text, _ = bytes.Cut(text, []byte("\n")) // the command that nobody gave
	return string(text)
}
