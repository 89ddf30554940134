package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"confd/backends/internal/jsonvalue"
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
