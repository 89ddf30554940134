// Package terminal makes text that others wrote fit to be shown: a resource, a
// report or BIRD's answer may hold control characters, which move the cursor, hide
// what is there or give the terminal commands.
package terminal

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Line is text as a part of one line: line ends and tabs become spaces, and what
// is not printable becomes a question mark. Among that are the marks that change
// the direction of text.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r):
			return r
		}
		return '?'
	}, text)
}

// Lines is text of several lines, each as Line makes it.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	return strings.Join(lines, "\n")
}

// Text is text of several lines in which each character stays that is printable, and
// tabs do: of what is compared, nothing may look the same that is not.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// JSON is a JSON text in which what is not printable is escaped, and which says
// the same.
func JSON(text []byte) []byte {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return []byte(b.String())
}
