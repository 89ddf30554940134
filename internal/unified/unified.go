// Package unified says how one text becomes another one: as a unified diff, with
// passwords hidden and with colours where that is wanted.
package unified

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// passwordText is the value of BIRD's options for passwords, on the same line or,
// in a diff, on the next one. A changed password is still seen as a change: the
// lines are compared before they are hidden.
var passwordText = regexp.MustCompile(`(\b(?:password|secret)\b(?:\n[-+ ]|\s)*)("[^"\n]*"|[^\s;"#]+)`)

// Diff says how the text old becomes new, which go by these names; empty where
// they are the same. Its time grows with the texts' length, not with the number of
// differences.
func Diff(oldName, old, newName, new string) string {
	text := diff.Diff(oldName, []byte(old), newName, []byte(new))
	_, text, _ = bytes.Cut(text, []byte("\n")) // the command that nobody gave
	return string(text)
}

// Hidden is a diff of BIRD's files without the passwords.
func Hidden(diff string) string { return passwordText.ReplaceAllString(diff, `$1"(hidden)"`) }

// Colours of a diff's lines, as terminals know them (ECMA-48).
const (
	colourRemoved = "\x1b[31m"
	colourAdded   = "\x1b[32m"
	colourPlace   = "\x1b[36m"
	colourFile    = "\x1b[1m"
	colourOff     = "\x1b[m"
)

// Coloured gives a unified diff the colours that people know from git.
func Coloured(diff string) string {
	var b strings.Builder
	header := true // the lines before the first @@ name the files
	for line := range strings.Lines(diff) {
		text := strings.TrimSuffix(line, "\n")
		header = header && !strings.HasPrefix(text, "@@")
		colour := ""
		switch {
		case header:
			colour = colourFile
		case strings.HasPrefix(text, "@@"):
			colour = colourPlace
		case strings.HasPrefix(text, "-"):
			colour = colourRemoved
		case strings.HasPrefix(text, "+"):
			colour = colourAdded
		}
		if colour == "" {
			b.WriteString(line)
			continue
		}
		b.WriteString(colour + text + colourOff + "\n")
	}
	return b.String()
}
