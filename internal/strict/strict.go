// Package strict decodes TOML, and refuses what the TOML library decides by
// chance: which of two keys counts that differ in case only.
package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Decode is toml.Decode. A value of a wrong type is a toml.ParseError, in TOML's words. Two
// keys of one table that differ in case only are one at the line of the second, except in
// the tables named by free, whose keys are anybody's.
func Decode(text string, into any, free ...string) (toml.MetaData, error) {
	meta, err := toml.Decode(text, into)
	if err != nil {
		return meta, inWords(err)
	}
	for _, name := range free {
		if meta.IsDefined(name) && meta.Type(name) != "Hash" { // the library passes over it
			return meta, wrongType(name, lineOf(text, name), "map")
		}
	}
	seen := map[string]toml.Key{}
	for _, key := range meta.Keys() {
		if len(key) > 1 && slices.Contains(free, key[0]) {
			continue
		}
		folded := strings.ToLower(key.String())
		if first, twice := seen[folded]; twice && first.String() != key.String() {
			name := key[len(key)-1]
			return meta, toml.ParseError{
				Message:  fmt.Sprintf("%s is there twice: %s and %s are one key to the program; remove one", strings.ToLower(name), first, key),
				Position: toml.Position{Line: lineOf(text, name)},
			}
		}
		seen[folded] = key
	}
	return meta, nil
}

// Keys are the keys of a table that is decoded into a struct like that.
func Keys(like any) []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(like)) {
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		keys = append(keys, key)
	}
	return keys
}

// badType reads the line, the key and the type of an error that otherwise speaks of Go's
// types.
var badType = regexp.MustCompile(`^toml: line (\d+) \(last key "([^"]+)"\): (?:type mismatch for|incompatible types: .* destination has type) (struct|map|slice|string|integer|boolean)`)

// inWords is an error of the library; a value of a wrong type is said to be that.
func inWords(err error) error {
	m := badType.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	line, _ := strconv.Atoi(m[1]) // it is a number
	return wrongType(m[2], line, m[3])
}

func wrongType(key string, line int, want string) error {
	what := map[string]string{
		"struct": "a table, such as [" + key + "]", "map": "a table, such as [" + key + "]", "slice": "a list",
		"string": "a text, in quotes", "integer": "a number", "boolean": "true or false",
	}[want]
	return toml.ParseError{Message: fmt.Sprintf("%s: is of a wrong type; it must be %s", key, what), Position: toml.Position{Line: line}}
}

// lineOf is the line in which a key of that very name stands; 1 where it stands
// there in an unusual way.
func lineOf(text, name string) int {
	pattern := regexp.MustCompile(`(?:^|[\s.\["'{,])` + regexp.QuoteMeta(name) + `["']?\s*[].=]`)
	n := 0
	for line := range strings.Lines(text) {
		n++
		if pattern.MatchString(line) {
			return n
		}
	}
	return 1
}
