package settings

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"sigs.k8s.io/yaml"
)

// What a CalicoAPIConfig file must call itself.
const (
	CalicoAPIVersion = "projectcalico.org/v3"
	CalicoKind       = "CalicoAPIConfig"
)

var yamlLine = regexp.MustCompile(`line [0-9]+`)

// calicoLayer reads a CalicoAPIConfig file; no path, no settings. An empty
// field counts as left out, so that the environment fills it.
func calicoLayer(table []Setting, path string) (Layer, error) {
	if path == "" {
		return Layer{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("CalicoAPIConfig file: %w", err)
	}
	var file map[string]any
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return nil, yamlError(path, data, err)
	}
	spec, err := calicoSpec(path, file)
	if err != nil {
		return nil, err
	}
	l := Layer{}
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		from := fmt.Sprintf("%s: spec.%s", path, field)
		i := slices.IndexFunc(table, func(s Setting) bool { return s.Field == field })
		if i < 0 {
			return nil, fmt.Errorf("%s: this program has no such setting: remove it", from)
		}
		text, ok := textOf(spec[field], table[i].Kind())
		if !ok && spec[field] != nil {
			return nil, fmt.Errorf("%s: expected %s", from, table[i].bind(&Settings{}).expects)
		}
		if text != "" {
			l[table[i].Name] = Given{text, from}
		}
	}
	return l, nil
}

// calicoSpec returns the file's spec, if the file is of the right kind.
func calicoSpec(path string, file map[string]any) (map[string]any, error) {
	for _, want := range []struct{ field, value string }{{"apiVersion", CalicoAPIVersion}, {"kind", CalicoKind}} {
		if got := file[want.field]; got != want.value {
			return nil, fmt.Errorf("%s: %s: expected %s", path, want.field, want.value)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(file)) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec"}, field) {
			return nil, fmt.Errorf("%s: %s: unknown field; settings stand under spec", path, field)
		}
	}
	spec, ok := file["spec"].(map[string]any)
	if !ok && file["spec"] != nil {
		return nil, fmt.Errorf("%s: spec: expected fields and their values", path)
	}
	return spec, nil
}

// yamlError says where the file is wrong. The parser's own words may quote the
// file, so they are left out where it holds a password.
func yamlError(path string, data []byte, err error) error {
	if !bytes.Contains(data, []byte("assword")) {
		return fmt.Errorf("%s: not valid YAML: %s", path, oneLine(err.Error()))
	}
	if line := yamlLine.FindString(err.Error()); line != "" {
		return fmt.Errorf("%s: not valid YAML, near %s", path, line)
	}
	return fmt.Errorf("%s: not valid YAML", path)
}
