package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"

	"confd/backends"
)

var errTooLarge = fmt.Errorf("is larger than %d MB: make several documents of it", backends.MaxObjectBytes>>20)

var errTooDeep = fmt.Errorf("is nested deeper than %d levels", backends.MaxObjectDepth)

// Lists and arrays around an object do not count as its own levels.
const maxDepth = backends.MaxObjectDepth + 4

// parse reads one document of YAML or JSON. Objects come out as
// map[string]any and numbers as json.Number.
func parse(data []byte) (any, error) {
	if v, ok := parseJSON(data); ok {
		return v, checkDepth(v, maxDepth)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		return nil, yamlError(err)
	}
	return convert(v, maxDepth)
}

var anchorName = regexp.MustCompile(`anchor '[^']*'`)

// yamlError puts the parser's message on one line. An anchor's name may well
// be a password that starts with an asterisk.
func yamlError(err error) error {
	text := strings.TrimPrefix(strings.Join(strings.Fields(err.Error()), " "), "yaml: ")
	return errors.New(anchorName.ReplaceAllString(text, "anchor '...'"))
}

// parseJSON is for speed: JSON is YAML too.
func parseJSON(data []byte) (any, bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' && data[0] != '[' || !json.Valid(data) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	return v, dec.Decode(&v) == nil
}

// convert turns what the YAML parser returns into what encoding/json would.
func convert(v any, depth int) (any, error) {
	if depth < 0 {
		return nil, errTooDeep
	}
	switch v := v.(type) {
	case map[any]any:
		object := make(map[string]any, len(v))
		for k, e := range v {
			c, err := convert(e, depth-1)
			if err != nil {
				return nil, err
			}
			object[fmt.Sprint(k)] = c
		}
		return object, nil
	case []any:
		for i, e := range v {
			c, err := convert(e, depth-1)
			if err != nil {
				return nil, err
			}
			v[i] = c
		}
		return v, nil
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v)), nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Sprint(v), nil
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64)), nil
	}
	return v, nil
}

func checkDepth(v any, depth int) error {
	if depth < 0 {
		return errTooDeep
	}
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if err := checkDepth(e, depth-1); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := checkDepth(e, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

var lineNumber = regexp.MustCompile(`\bline (\d+)`)

// inFile turns the line of a piece that a message names into that of the file.
func inFile(err error, line int) error {
	if !lineNumber.MatchString(err.Error()) {
		return fmt.Errorf("line %d: %w", line, err)
	}
	text := lineNumber.ReplaceAllStringFunc(err.Error(), func(s string) string {
		n, convErr := strconv.Atoi(strings.TrimPrefix(s, "line "))
		if convErr != nil {
			return s
		}
		return fmt.Sprintf("line %d", n+line-1)
	})
	return errors.New(text)
}
