// Package strict decodes TOML, and refuses what the TOML library decides by
// chance: which of two keys counts that differ in case only.
package strict

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Decode is toml.Decode. Two keys of one table that differ in case only are a
// toml.ParseError at the line of the second one, except in the tables named by
// free, whose keys are anybody's.
func Decode(text string, into any, free ...string) (toml.MetaData, error) {
	meta, err := toml.Decode(text, into)
	if err != nil {
		return meta, err
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
