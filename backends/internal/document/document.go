// Package document reads one document of YAML or JSON, and knows where in its
// text each thing stands.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"confd/backends/internal/jsonvalue"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"
)

// Document is one document.
type Document struct {
	// Value is what the document says, as encoding/json would read it: objects
	// are map[string]any and numbers json.Number. Of two fields of one name in an
	// object the later one counts.
	Value any
	// Traps are what was read otherwise than it may look.
	Traps []Trap

	parser *Parser
	data   []byte
	root   *yaml.Node // nil: JSON that nobody has asked about yet
}

// Parser parses documents. It may be used by many at once.
type Parser struct {
	depth   int         // how deep objects may be nested
	options yaml.Option // applied for each document, but made once
}

// around is how deep an object may be in Lists and arrays: these levels are none
// of its own.
const around = 4

// NewParser makes a Parser for objects that are nested no deeper than depth levels.
func NewParser(depth int) *Parser { return &Parser{depth, yaml.WithV3Defaults()} }

// Trap is something that YAML reads otherwise than it looks.
type Trap struct {
	Kind TrapKind
	// Path leads to it: names, and numbers of list items from 0.
	Path []any
	// Position is where it stands; First is where the field stood first that is
	// there twice.
	Position, First Position
	// Text is the tag, or the field's name.
	Text string
}

// TrapKind is a kind of trap.
type TrapKind int

// The kinds of traps.
const (
	Tag   TrapKind = iota // a tag, such as "!has(rack)": what follows "!" was no value
	Twice                 // two fields of one name
)

// Position is where something stands in a document, from 1; the zero value: it
// is not known.
type Position struct{ Line, Column int }

// Limits of a document.
const (
	// maxAliased bounds how many values come from aliases (&a, *a), of which a
	// short text can make very many.
	maxAliased = 100_000
	// maxTraps bounds how much is said about one document.
	maxTraps = 20
)

// Parse reads a document.
func (p *Parser) Parse(data []byte) (*Document, error) {
	d := &Document{parser: p, data: data}
	c := converter{document: d, depth: p.depth}
	if looksLikeJSON(data) {
		v, err := readJSON(data, p.depth)
		if deep := (*Error)(nil); err == nil || errors.As(err, &deep) {
			d.Value = v
			return d, err
		}
		if v, ok := readLaxJSON(data); ok {
			d.Value = v
			err := checkDepth(v, p.depth+around, p.depth)
			if err == nil {
				_, _ = c.value(d.tree(), p.depth+around) // for the traps
			}
			return d, err
		}
	}
	root, err := p.parseYAML(data)
	if err != nil {
		return nil, err
	}
	d.root = root
	d.Value, err = c.value(root, p.depth+around)
	return d, err
}

// looksLikeJSON is for speed: JSON is YAML too.
func looksLikeJSON(data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
}

// readLaxJSON reads JSON in which names may be there twice.
func readLaxJSON(data []byte) (v any, ok bool) {
	if !json.Valid(data) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err == nil
}

// readJSON reads the one value in data, in which no name is there twice. Its error
// is an Error where the value is nested too deep.
func readJSON(data []byte, depth int) (any, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	v, err := jsonvalue.Read(dec, depth+around)
	switch {
	case errors.Is(err, jsonvalue.ErrDepth):
		return nil, tooDeep(depth)
	case err != nil:
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows")
	}
	return v, nil
}

// parseYAML returns the value of the one document in data; nil: there is nothing.
func (p *Parser) parseYAML(data []byte) (*yaml.Node, error) {
	in, err := yaml.NewLoader(bytes.NewReader(data), p.options)
	if err != nil {
		return nil, err
	}
	var first, more yaml.Node
	switch err := in.Load(&first); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, yamlError(err)
	}
	switch err := in.Load(&more); {
	case err == nil:
		return nil, &Error{"something follows what the document consists of", positionOf(&more)}
	case !errors.Is(err, io.EOF):
		return nil, yamlError(err)
	}
	if first.Kind == yaml.DocumentNode && len(first.Content) == 1 {
		return first.Content[0], nil
	}
	return nil, nil
}

// Error says why a text is no document.
type Error struct {
	Text string
	// Position is where the parser gave up, or where that began which has no end.
	Position Position
}

func (e *Error) Error() string { return e.Text }

var anchorName = regexp.MustCompile(`anchor '[^']*'`)

// yamlError puts the parser's message on one line. An anchor's name may well
// be a password that starts with an asterisk.
func yamlError(err error) error {
	e := &Error{Text: err.Error()}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		e.Text, e.Position = load.Message, Position{load.Mark.Line, load.Mark.Column}
		if strings.Contains(load.Message, "end of stream") && load.ContextMark.Line > 0 {
			e.Position = Position{load.ContextMark.Line, load.ContextMark.Column}
		}
	}
	text := strings.TrimPrefix(strings.Join(strings.Fields(e.Text), " "), "yaml: ")
	e.Text = anchorName.ReplaceAllString(text, "anchor '...'")
	return e
}

func tooDeep(most int) error {
	return &Error{Text: fmt.Sprintf("is nested deeper than %d levels", most)}
}

func checkDepth(v any, depth, most int) error {
	if depth < 0 {
		return tooDeep(most)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if err := checkDepth(e, depth-1, most); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := checkDepth(e, depth-1, most); err != nil {
				return err
			}
		}
	}
	return nil
}
