// Package jsonvalue reads values of JSON, without reflection.
package jsonvalue

import (
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// ErrDepth is the error of a value that is nested too deep.
var ErrDepth = errors.New("too deep")

// Read reads the next value of dec as encoding/json would into an any, numbers as
// json.Number; nested no deeper than depth. What dec allows, such as names that are
// there twice, of which the last one counts, is allowed.
func Read(dec *jsontext.Decoder, depth int) (any, error) {
	if depth < 0 {
		return nil, ErrDepth
	}
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '{':
		object := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			if object[key], err = Read(dec, depth-1); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return object, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			e, err := Read(dec, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		_, err = dec.ReadToken()
		return list, err
	case '"':
		return token.String(), nil
	case '0':
		return json.Number(token.String()), nil
	case 't', 'f':
		return token.Bool(), nil
	}
	return nil, nil
}
