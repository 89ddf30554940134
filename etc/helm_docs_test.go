package etc_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"confd/internal/testenv"
)

// The part of docs/helm.md that is made from the chart's values.
const (
	valuesBegin = "<!-- Made from values.yaml by \"go test ./etc -run ValuesInTheDocs -update\". Change the comments there, not this table. -->\n"
	valuesEnd   = "<!-- end of the table -->\n"
)

// TestValuesInTheDocs: the page lists each value with its default, and each has a comment.
func TestValuesInTheDocs(t *testing.T) {
	page := filepath.Join(testenv.Root(t), "docs", "helm.md")
	is := text(t, page)
	before, rest, found := strings.Cut(is, valuesBegin)
	_, after, ended := strings.Cut(rest, valuesEnd)
	if !found || !ended {
		t.Fatalf("%s has no part between %q and %q", page, valuesBegin, valuesEnd)
	}
	want := before + valuesBegin + valuesTable(t) + valuesEnd + after
	if *update {
		write(t, page, want)
		return
	}
	if want != is {
		t.Errorf("%s is not what values.yaml says: go test ./etc -run ValuesInTheDocs -update writes it", page)
	}
}

func valuesTable(t *testing.T) string {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text(t, filepath.Join(chart, "values.yaml"))), &document); err != nil {
		t.Fatal(err)
	}
	return "\n| value | default | meaning |\n| --- | --- | --- |\n" + valuesRows(t, "", document.Content[0]) + "\n"
}

// valuesRows has a row for each value of a map that is described as a whole, and for
// each of what is in it for one whose parts are.
func valuesRows(t *testing.T, path string, values *yaml.Node) string {
	t.Helper()
	rows := ""
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		name := path + key.Value
		switch {
		case value.Kind == yaml.MappingNode && len(value.Content) > 0 && described(value):
			rows += valuesRows(t, name+".", value)
		case key.HeadComment == "":
			t.Errorf("values.yaml does not say what %s means", name)
		default:
			rows += "| `" + name + "` | " + inWords(t, value) + " | " + comment(key.HeadComment) + " |\n"
		}
	}
	return rows
}

// described says whether something in a map has a comment of its own.
func described(values *yaml.Node) bool {
	for i := 0; i < len(values.Content); i += 2 {
		if values.Content[i].HeadComment != "" || described(values.Content[i+1]) {
			return true
		}
	}
	return false
}

// comment is the last paragraph of a comment, on one line.
func comment(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	lines := strings.Split(paragraphs[len(paragraphs)-1], "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(lines[i], "#"))
	}
	return strings.Join(lines, " ")
}

// inWords is a default as the table has it.
func inWords(t *testing.T, value *yaml.Node) string {
	t.Helper()
	var v any
	err := value.Decode(&v)
	text, jsonErr := json.Marshal(v)
	switch {
	case err != nil || jsonErr != nil:
		t.Fatal(err, jsonErr)
	case v == nil || v == "":
		return ""
	case value.Kind == yaml.ScalarNode:
		return "`" + value.Value + "`"
	}
	return "`" + string(text) + "`"
}
