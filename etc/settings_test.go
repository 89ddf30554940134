package etc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"confd/internal/settings"
)

// commented are settings that are there to be switched on together, and one of them.
var (
	commented = regexp.MustCompile(`(?m)(?:^#[a-z0-9-]+ = .*\n)+`)
	setting   = regexp.MustCompile(`(?m)^#([a-z0-9-]+ = )`)
)

// TestSettingsFile reads the file that packages install: as it is, and with the settings
// switched on that it offers, one paragraph at a time.
func TestSettingsFile(t *testing.T) {
	data, err := os.ReadFile("confd.toml")
	if err != nil {
		t.Fatal(err)
	}
	load := func(text string) (settings.Settings, error) {
		file := filepath.Join(t.TempDir(), "confd.toml")
		write(t, file, text)
		env := map[string]string{"CONFD_CONFIG_FILE": file, "NODENAME": "n", "ETCD_ENDPOINTS": "https://192.0.2.1:2379"}
		return settings.Load(nil, settings.Surroundings{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Hostname: os.Hostname})
	}
	if _, err := load(string(data)); err != nil {
		t.Errorf("as it is: %v", err)
	}
	offered := commented.FindAllString(string(data), -1)
	if len(offered) < 6 {
		t.Errorf("it offers only %d paragraphs of settings", len(offered))
	}
	for _, text := range offered {
		if _, err := load(strings.Replace(string(data), text, setting.ReplaceAllString(text, "$1"), 1)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
