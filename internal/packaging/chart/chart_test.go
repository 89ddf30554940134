package chart

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/internal/packaging/source"
)

func top(t *testing.T) source.Tree {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return source.Tree{Dir: dir, Version: "v1.2.3-4-g0123abc", Commit: "0123456789abcdef", Time: time.Unix(1700000000, 0).UTC()}
}

// TestHelmReadsTheChartThatWasPacked: the same bytes each time, and the version is the
// tag of the images.
func TestHelmReadsTheChartThatWasPacked(t *testing.T) {
	file, err := Write(top(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Write(top(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	one, errOne := os.ReadFile(file)
	other, errOther := os.ReadFile(again)
	if errOne != nil || errOther != nil || !bytes.Equal(one, other) {
		t.Errorf("packed again it is another one (%v, %v)", errOne, errOther)
	}
	if filepath.Base(file) != "confd-bird-1.2.3-4-g0123abc.tgz" {
		t.Errorf("it is called %s", file)
	}
	helms, err := filepath.Glob(filepath.Join(top(t).Dir, ".testenv", "bin", "helm-v*"))
	if err != nil || len(helms) == 0 {
		t.Skip("no helm in .testenv/bin: `make helm` builds it")
	}
	for _, helm := range helms {
		cmd := exec.Command(helm, "template", "confd", file, "--set", "images.confd.repository=r/confd,images.bird.repository=r/bird")
		cmd.Env = []string{"HOME=" + t.TempDir()}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", helm, err, out)
		}
		for _, want := range []string{`image: "r/confd:v1.2.3-4-g0123abc"`, `image: "r/bird:v1.2.3-4-g0123abc"`, "helm.sh/chart: \"confd-bird-1.2.3-4-g0123abc\""} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s does not print %s", helm, want)
			}
		}
	}
}

func TestAChartWithoutTheLinesToReplaceIsNotPacked(t *testing.T) {
	if _, err := versioned([]byte("apiVersion: v2\nversion: 0.1.0\n"), "1.2.3", "v1.2.3"); err == nil {
		t.Error("it has kept its own version")
	}
}
