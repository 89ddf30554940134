package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/packaging/release"
)

func TestCompare(t *testing.T) {
	folder := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	one := map[string]string{"a": "1", "images/b": "2"}
	for name, c := range map[string]struct {
		other map[string]string
		want  string // in the error; empty: none
	}{
		"the same":     {map[string]string{"a": "1", "images/b": "2"}, ""},
		"another byte": {map[string]string{"a": "1", "images/b": "3"}, "images/b"},
		"one less":     {map[string]string{"images/b": "2"}, ": a"},
		"one more":     {map[string]string{"a": "1", "images/b": "2", "c": ""}, ": c"},
	} {
		err := release.Compare(folder(one), folder(c.other))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := release.Compare(t.TempDir(), t.TempDir()); err == nil {
		t.Error("no files are the same as no files")
	}
}
