package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestPurge has the script take what is ours beside BIRD's files, and nothing else.
func TestPurge(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/bird")
	stays := []string{".confd-bird", "bird.conf", "bird.conf.orig", "peers.conf"}
	goes := []string{
		".confd-approved-bird", ".confd-before-bird", ".confd-lock", ".confd-memory-changes.json", ".confd-memory.json", ".confd-new-ABC",
		".confd-record-bird", ".confd-report-sessions.json", ".confd-report.json", ".confd-stage-bird",
	}
	for _, name := range slices.Concat(stays, goes) {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, occasion := range []string{"remove", "upgrade", "purge"} {
		want := slices.Sorted(slices.Values(slices.Concat(stays, goes)))
		if occasion == "purge" {
			want = stays
		}
		cmd := exec.Command("sh", "deb/postrm", occasion)
		cmd.Env = append(os.Environ(), "DPKG_ROOT="+root)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", occasion, err, out)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if !slices.Equal(left, want) {
			t.Errorf("after %s there are %q, want %q", occasion, left, want)
		}
	}
}
