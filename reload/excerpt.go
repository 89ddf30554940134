package reload

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"confd/reload/control"
)

// CheckError says that a staged set did not pass its check. Nothing was changed.
type CheckError struct {
	Set string
	// File is where the file was to be installed; empty where the message names
	// no place. Line and Col count from 1 and are 0 where unknown.
	File      string
	Line, Col int
	Message   string // BIRD's own words, or the end of a command's output
	// Excerpt is the offending line with a caret below the column, without what
	// stands after a "password" in it; may be empty.
	Excerpt string
}

// Error is one line, without the excerpt.
func (e *CheckError) Error() string {
	at := control.Position{File: e.File, Line: e.Line, Col: e.Col, Message: e.Message}
	return fmt.Sprintf("set %s did not pass its check: %v", e.Set, at)
}

// RefusedError says that BIRD did not take a configuration that had passed its
// check. BIRD goes on with the one it had.
type RefusedError struct {
	control.Position
	Undone bool // the files that were there before are back on disk
}

// Error is one line.
func (e *RefusedError) Error() string {
	text := (&control.RefusedError{Position: e.Position}).Error()
	if e.Undone {
		text += " (the files from before are back in place)"
	}
	return text
}

const excerptWidth = 160

// excerpt shows a line of data (lines and columns count from 1) with a caret
// below col, and nothing of what follows a password keyword.
func excerpt(data []byte, line, col int) string {
	lines := bytes.Split(data, []byte("\n"))
	if line < 1 || line > len(lines) {
		return ""
	}
	before := bytes.Join(lines[:line-1], []byte("\n"))
	text, shown := maskLine(printable(lines[line-1]), endsInSecret(before))
	if col < 1 {
		return clip(text, 0)
	}
	// A caret in the hidden part would tell how long it is.
	at := min(col-1, shown)
	caret := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, text[:at])
	from := clipFrom(text, at)
	return clip(text, from) + "\n" + caret[utf8.RuneCountInString(text[:from]):] + "^"
}

// clipFrom is where a long line is cut so that the byte at stays in sight.
func clipFrom(text string, at int) int {
	if len(text) <= excerptWidth {
		return 0
	}
	from := max(0, at-excerptWidth/2)
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	return from
}

func clip(text string, from int) string {
	end := min(len(text), from+excerptWidth)
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[from:end]
}

// printable replaces what a terminal could take for a command, byte by byte so
// that columns stay.
func printable(line []byte) string {
	out := bytes.Clone(line)
	for i, c := range out {
		if c != '\t' && (c < 0x20 || c == 0x7f) || c >= 0x80 && !utf8.Valid(line) {
			out[i] = '?'
		}
	}
	return string(out)
}

var (
	secretWord = regexp.MustCompile(`\b(password|secret)\b[\s"]*`)
	secretEnd  = regexp.MustCompile(`\b(password|secret)\s*$`)
)

const hidden = "***"

// maskLine hides the rest of a line from a password on: a password with a
// quote in it, which is what makes a line bad, has no end that one could find.
// shown is how many bytes of the original line are left at its start.
func maskLine(line string, startsInSecret bool) (masked string, shown int) {
	if startsInSecret {
		return hidden, 0
	}
	m := secretWord.FindStringIndex(line)
	if m == nil {
		return line, len(line)
	}
	return line[:m[1]] + hidden, m[1]
}

// maskSecrets hides what follows a password keyword in each line of text.
func maskSecrets(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i], _ = maskLine(line, i > 0 && secretEnd.MatchString(lines[i-1]))
	}
	return strings.Join(lines, "\n")
}

// endsInSecret says that the string after before is a password.
func endsInSecret(before []byte) bool {
	tail := before[max(0, len(before)-1024):]
	return secretEnd.Match(tail)
}
