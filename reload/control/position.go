package control

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Position is a place in a configuration, and what BIRD says about it.
type Position struct {
	File      string // as BIRD names it; empty where it names none
	Line, Col int    // from 1; 0 where unknown
	Message   string // BIRD's own words
}

// String is one line: FILE:LINE:COL: message.
func (p Position) String() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Col == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// RefusedError says that BIRD did not take a configuration. BIRD goes on with
// the one it had.
type RefusedError struct{ Position }

// Error is one line.
func (e *RefusedError) Error() string {
	return "BIRD refused the configuration: " + e.Position.String()
}

// BIRD 1.6.4 and later says FILE:LINE:COL, older ones say "FILE, line N:".
// A relative path stands at the start of a reply only.
var (
	positioned = regexp.MustCompile(`(/[^\n]*?)(?::(\d+):(\d+)|, line (\d+)):? ([^\n]*)`)
	atStart    = regexp.MustCompile(`^([^\s:]+)(?::(\d+):(\d+)|, line (\d+)):? ([^\n]*)$`)
)

// ParsePosition finds the last place that text, of BIRD or its checker, names.
// Without one it returns false, and the last line of text as the message.
func ParsePosition(text string) (Position, bool) {
	all := atStart.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		all = positioned.FindAllStringSubmatch(text, -1)
	}
	if len(all) == 0 {
		return Position{Message: lastLine(text)}, false
	}
	m := all[len(all)-1]
	line, _ := strconv.Atoi(m[2] + m[4]) // one of the two is empty
	col, _ := strconv.Atoi(m[3])
	return Position{File: m[1], Line: line, Col: col, Message: strings.TrimSpace(m[5])}, true
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	text = text[strings.LastIndexByte(text, '\n')+1:]
	return strings.TrimPrefix(text, "bird: ")
}
