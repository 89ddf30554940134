package file

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"confd/backends"
	"confd/backends/internal/document"
)

// said is a warning about a piece, and where in the piece it belongs.
type said struct {
	backends.Warning
	at    document.Position // the zero value: where the piece begins
	cause error             // what it says, of an error that somebody may look for; nil: the text is all
}

// Error makes a said an error until its place in the file is known.
func (s *said) Error() string { return s.Text }

// piecePlace is where a piece begins.
type piecePlace struct {
	path         string
	line, column int
}

// placed is the warning with its place in a file, for a piece that begins there.
func (s said) placed(p piecePlace) backends.Warning {
	w := s.Warning
	at := s.at
	if at.Line == 0 {
		at = document.Position{Line: 1, Column: 1}
	}
	if at.Line == 1 {
		at.Column += max(0, p.column-1)
	}
	w.Place = fmt.Sprintf("%s:%d:%d", p.path, at.Line+p.line-1, at.Column)
	return w
}

// say makes a warning about a place in text.
func say(w backends.Warning, text []byte, at document.Position) said {
	w.Excerpt = excerpt(text, at)
	return said{Warning: w, at: at}
}

// secretKind is how a text with a Secret in it looks.
var secretKind = regexp.MustCompile(`kind["']?\s*:\s*["']?Secret\b|stringData`)

// excerpt shows the line of a position with a caret below it. Of texts with a
// Secret in them nothing is shown.
func excerpt(text []byte, at document.Position) string {
	if at.Line == 0 || secretKind.Match(text) {
		return ""
	}
	for range at.Line - 1 {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return ""
		}
		text = text[i+1:]
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return caret(strings.TrimRight(string(line), "\r"), at.Column)
}

// excerptWidth is how much of a long line an excerpt shows.
const excerptWidth = 100

// secretName is what stands before a value that may be a password.
var secretName = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|credential)[\w-]*["']?\s*[:=]\s*`)

// caret is a line with a caret under a column, which counts characters from 1.
// What looks like a password in it is hidden.
func caret(line string, column int) string {
	for _, m := range secretName.FindAllStringIndex(line, -1) {
		if m[1] < len(line) && line[m[1]] != '{' {
			line = line[:m[1]] + "..."
			break
		}
	}
	runes := []rune(line)
	column = max(1, min(column, len(runes)+1))
	first := 0
	if column > excerptWidth*3/4 {
		first = column - 1 - excerptWidth/2
	}
	shown := runes[first:min(len(runes), first+excerptWidth)]
	for i, r := range shown {
		if !unicode.IsPrint(r) {
			shown[i] = ' '
		}
	}
	return string(shown) + "\n" + strings.Repeat(" ", column-1-first) + "^"
}

// fieldPath is how messages of the decoder name a field.
var fieldPath = regexp.MustCompile(`\b(spec|metadata|status|data|stringData|addressType|endpoints)((\.[\w-]+|\[\d+\])*)`)

// pathIn is the path of the field that a message is about; nil: it names none.
func pathIn(message string) []any {
	m := fieldPath.FindStringSubmatch(message)
	if m == nil {
		return nil
	}
	path := []any{m[1]}
	for step := range strings.FieldsFuncSeq(m[2], func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if i, err := strconv.Atoi(step); err == nil {
			path = append(path, i)
		} else {
			path = append(path, step)
		}
	}
	return path
}

// nearest is where the value at a path stands or, where there is none, the last
// thing on the way to it.
func nearest(d *document.Document, path []any) document.Position {
	for n := len(path); n > 0; n-- {
		if p := d.Position(path[:n], n < len(path)); p != (document.Position{}) {
			return p
		}
	}
	return d.Position(nil, false)
}

// templateMark begins what Helm, Jinja or Terraform replace.
var templateMark = regexp.MustCompile(`\{\{|\{%|\$\{|%\{`)

// unreadable is what there is to say of a text that is no document. Where it
// looks like a template, that is why.
func unreadable(text []byte, err error) said {
	if m := templateMark.FindIndex(text); m != nil {
		at := document.Position{Line: 1 + bytes.Count(text[:m[0]], []byte("\n"))}
		at.Column = len([]rune(string(text[bytes.LastIndexByte(text[:m[0]], '\n')+1:m[0]]))) + 1
		return say(backends.Warning{Code: backends.Template, Text: "a template that was not rendered?"}, text, at)
	}
	var at document.Position
	var e *document.Error
	if errors.As(err, &e) {
		at = inText(text, e.Position)
	}
	return say(backends.Warning{Code: backends.Unreadable, Text: err.Error() + quoteHint(text, at)}, text, at)
}

// inText moves a position that is past all that is written to its end.
func inText(text []byte, at document.Position) document.Position {
	lines := bytes.Split(bytes.TrimRight(text, " \t\r\n"), []byte("\n"))
	if at.Line <= len(lines) {
		return at
	}
	last := bytes.TrimRight(lines[len(lines)-1], "\r")
	return document.Position{Line: len(lines), Column: utf8.RuneCount(last) + 1}
}

// indicator is a value that begins with a character that YAML has another use for.
var indicator = regexp.MustCompile("(^|[:-])\\s+([!&*%@`|>])\\S*[^\\s]")

// quoteHint is the end of a message about a line on which a value wants quotes.
func quoteHint(text []byte, at document.Position) string {
	if at.Line == 0 {
		return ""
	}
	lines := bytes.SplitN(text, []byte("\n"), at.Line+1)
	if at.Line > len(lines) {
		return ""
	}
	if m := indicator.FindSubmatch(lines[at.Line-1]); m != nil {
		return fmt.Sprintf("; a text that begins with %s needs quotes", m[2])
	}
	return ""
}
