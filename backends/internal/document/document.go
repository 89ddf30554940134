// Package document reads one document of YAML or JSON, and knows where in its
// text each thing stands.
package document

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

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

// Limits of a document.
const (
	// maxAliased bounds how many values come from aliases (&a, *a), of which a
	// short text can make very many.
	maxAliased = 100_000
	// maxTraps bounds how much is said about one document.
	maxTraps = 20
)

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
