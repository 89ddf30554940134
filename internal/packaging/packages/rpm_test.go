package packages_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRPM has rpm install, check and remove the package in an empty root. Its scripts
// find no systemd there; that they are shell is looked at.
func TestRPM(t *testing.T) {
	needDebian(t, "rpm")
	p, root := build(t, "v0.1.0"), t.TempDir()
	rpm := func(args ...string) string {
		return must(t, "rpm", append([]string{"--root=" + root, "--dbpath=/var/lib/rpm"}, args...)...)
	}
	names := strings.Fields(must(t, "rpm", "--query", "--list", "--package", p.rpm))
	for _, want := range []string{
		"/usr/sbin/confd", "/usr/lib/systemd/system/confd.service", "/etc/confd/confd.toml", "/usr/share/man/man8/confd-status.8.gz",
		"/usr/share/bash-completion/completions/confd", "/usr/share/zsh/site-functions/_confd", "/usr/share/fish/vendor_completions.d/confd.fish",
		"/usr/share/doc/confd/LICENSE", "/usr/share/doc/confd/notices.gz", "/usr/share/doc/confd/docs/README.md",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("it has no %s", want)
		}
	}
	if out := must(t, "rpm", "--query", "--configfiles", "--package", p.rpm); strings.TrimSpace(out) != "/etc/confd/confd.toml" {
		t.Errorf("its settings are: %s", out)
	}
	if out := must(t, "rpm", "--query", "--recommends", "--package", p.rpm); strings.TrimSpace(out) != "bird" {
		t.Errorf("it recommends: %s", out)
	}
	for _, script := range []string{"post", "preun", "postun"} {
		must(t, "sh", "-n", filepath.Join("rpm", script))
	}

	rpm("--install", "--nodeps", "--noscripts", p.rpm)
	if out := rpm("--verify", "--nodeps", "confd"); strings.TrimSpace(out) != "" {
		t.Errorf("rpm --verify: %s", out)
	}
	if out := must(t, "chroot", root, "/usr/sbin/confd", "version"); !strings.Contains(out, "v0.1.0") {
		t.Errorf("it is %s", out)
	}
	settings := filepath.Join(root, "etc/confd/confd.toml")
	if err := os.WriteFile(settings, []byte("node = \"mine\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	rpm("--upgrade", "--force", "--nodeps", "--noscripts", p.rpm)
	if data, err := os.ReadFile(settings); err != nil || string(data) != "node = \"mine\"\n" {
		t.Errorf("an upgrade leaves settings as %q, %v", data, err)
	}
	rpm("--erase", "--noscripts", "confd")
	if _, err := os.Stat(filepath.Join(root, "usr/sbin/confd")); err == nil {
		t.Error("it is there after it was removed")
	}
}
