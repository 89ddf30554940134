// Package asyaml writes as YAML what is there as JSON.
package asyaml

import (
	"bytes"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// FromJSON gives the YAML of a JSON text: the same value, fields sorted.
func FromJSON(text []byte) ([]byte, error) { return yaml.JSONToYAML(escaped(text)) }

// escaped is a JSON text of the same value without those characters that JSON takes as they
// are and YAML does not: it refuses control characters, and takes some for the end of a line.
func escaped(text []byte) []byte {
	if !bytes.ContainsFunc(text, isOdd) {
		return text
	}
	var out strings.Builder
	for _, r := range string(text) {
		if isOdd(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return []byte(out.String())
}

// isOdd is for characters that can stand in JSON's strings only.
func isOdd(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfeff || r == 0xfffe || r == 0xffff
}
