package systemd_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestUnit has systemd look at the unit, with a program that every machine has
// in the place of ours.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing")
	}
	unit := filepath.Join(t.TempDir(), "confd.service")
	text := strings.ReplaceAll(read(t, "confd.service"), "/usr/local/sbin/confd", "/bin/true")
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestUnitSaysWhatTheProgramNeeds looks for what the program relies on, and for
// the order that would never start.
func TestUnitSaysWhatTheProgramNeeds(t *testing.T) {
	settings := map[string]string{}
	for line := range strings.Lines(read(t, "confd.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			settings[key] = value
		}
	}
	for key, want := range map[string]string{
		"Type": "notify", "NotifyAccess": "main", "Restart": "always", "TimeoutStartSec": "infinity", "StartLimitIntervalSec": "0",
		"ExecStart": "/usr/local/sbin/confd", "EnvironmentFile": "-/etc/confd/confd.env", "WatchdogSec": "3min",
	} {
		if settings[key] != want {
			t.Errorf("%s is %q, not %q", key, settings[key], want)
		}
	}
	if before, ok := settings["Before"]; ok {
		t.Errorf("Before=%s: who waits for this unit waits for BIRD", before)
	}
}

var variable = regexp.MustCompile(`^#?([A-Z][A-Z0-9_]+)=`)

func TestEnvironmentFileHasOnlyWhatThereIs(t *testing.T) {
	reference := read(t, "../../docs/reference.md") + read(t, "../../docs/monitoring.md")
	lines := bufio.NewScanner(strings.NewReader(read(t, "confd.env")))
	found := 0
	for lines.Scan() {
		m := variable.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		found++
		if !strings.Contains(reference, "`"+m[1]+"`") {
			t.Errorf("docs/reference.md has no %s", m[1])
		}
	}
	if found < 5 {
		t.Errorf("there are %d variables only", found)
	}
}
