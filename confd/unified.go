package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"golang.org/x/term"
)

// passwordText is the value of BIRD's options for passwords, on the same line or,
// in a diff, on the next one. A changed password is still seen as a change: the
// lines are compared before they are hidden.
var passwordText = regexp.MustCompile(`(\b(?:password|secret)\b(?:\n[-+ ]|\s)*)("[^"\n]*"|[^\s;"#]+)`)

// unifiedDiff says how the text old becomes new, which both go by the name
// path; empty where they are the same. Passwords are hidden.
func unifiedDiff(path, old, new string) string {
	return diffTexts(path, old, path+" (new)", new)
}

// diffTexts is unifiedDiff for texts that have names of their own. Its time
// grows with the texts' length, not with the number of differences.
func diffTexts(oldName, old, newName, new string) string {
	text := diff.Diff(oldName, []byte(old), newName, []byte(new))
	_, text, _ = bytes.Cut(text, []byte("\n")) // the command that nobody gave
	return string(passwordText.ReplaceAll(text, []byte(`$1"(hidden)"`)))
}

// Colours of a diff's lines, as terminals know them (ECMA-48).
const (
	colourRemoved = "\x1b[31m"
	colourAdded   = "\x1b[32m"
	colourPlace   = "\x1b[36m"
	colourFile    = "\x1b[1m"
	colourOff     = "\x1b[m"
)

// coloured gives a unified diff the colours that people know from git.
func coloured(diff string) string {
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

// isTerminal says whether w is a terminal, for which a diff is coloured. Where
// NO_COLOR is set (https://no-color.org), nothing counts as one.
func isTerminal(w io.Writer, lookup func(string) (string, bool)) bool {
	text, _ := lookup("NO_COLOR")
	return text == "" && onTerminal(w, lookup)
}

// onTerminal says whether w is a terminal that can do more than go on. Where TERM
// is dumb, nothing counts as one.
func onTerminal(w io.Writer, lookup func(string) (string, bool)) bool {
	f, ok := w.(*os.File)
	kind, _ := lookup("TERM")
	return ok && kind != "dumb" && term.IsTerminal(int(f.Fd()))
}
