package plan_test

import (
	"bytes"
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
