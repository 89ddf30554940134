package packages_test

import (
	"os/exec"
	"strings"
	"testing"

	"confd/internal/packaging/packages"
)

// TestVersionsSort has dpkg say which version is above which.
func TestVersionsSort(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("this takes dpkg")
	}
	var before string
	for _, version := range []string{"v0.0.0-0-g0123abc", "v0.9.0-alpha", "v0.9.0-rc.1", "v0.9.0-rc.1-3-g0123abc", "v0.9.0", "v0.9.0-1-gfedc123", "v0.9.0-12-g0123abc-dirty", "v0.10.0"} {
		v := packages.Version(version)
		if strings.ContainsAny(v, "- ") {
			t.Errorf("%s is %s, which rpm does not take", version, v)
		}
		if before != "" && exec.Command("dpkg", "--compare-versions", before, "lt", v).Run() != nil {
			t.Errorf("%s is not below %s", before, v)
		}
		before = v
	}
}
