package plan_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/plan"
)

// Which templates are used is said, and loudly where somebody asked for a folder
// that has none.
func TestLoadSaysWhichTemplates(t *testing.T) {
	own := t.TempDir()
	for _, dir := range []string{"conf.d", "templates"} {
		if err := os.Mkdir(filepath.Join(own, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"conf.d/x.toml": "[template]\nsrc = \"x\"\ndest = \"/x\"\n", "templates/x": "x"} {
		if err := os.WriteFile(filepath.Join(own, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(own) // no folder is not the one where somebody stands
	for _, tt := range []struct {
		dir, want string
		builtIn   bool
	}{
		{own, "level=INFO msg=\"using the templates of a folder\" confdir=" + own, false},
		{t.TempDir(), "level=WARN msg=\"the configuration folder has no conf.d: the built-in templates are used", true},
		{"", "level=INFO msg=\"using the built-in templates\" confdir=\"\"", true},
		{"/nonexistent", "level=WARN msg=\"the configuration folder has no conf.d: the built-in templates are used", true},
	} {
		var log bytes.Buffer
		got, err := plan.Load(plan.Settings{ConfDir: tt.dir}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || got.BuiltIn != tt.builtIn || !strings.Contains(log.String(), tt.want) {
			t.Errorf("%s: built in %t, %v, log %s", tt.dir, got.BuiltIn, err, &log)
		}
	}
}

// TestOneFileByTwoNames: two resources that write one file, by a link to its folder, would
// put right what the other one has written for ever.
func TestOneFileByTwoNames(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("templates/t", "text")
	put("out/other", "")
	if err := os.Symlink("out", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for second, want := range map[string]string{"link/b": "", "elsewhere/a": "", "link/a": "conf.d/a.toml: dest: " + filepath.Join(dir, "out/a") + " is the same file as " + filepath.Join(dir, "link/a") + ", which conf.d/b.toml writes already"} {
		put("conf.d/a.toml", fmt.Sprintf("[template]\nsrc = \"t\"\ndest = %q\n", filepath.Join(dir, "out/a")))
		put("conf.d/b.toml", fmt.Sprintf("[template]\nsrc = \"t\"\ndest = %q\n", filepath.Join(dir, second)))
		_, err := plan.Load(plan.Settings{ConfDir: dir}, slog.New(slog.DiscardHandler))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", second, err, want)
		}
	}
}
