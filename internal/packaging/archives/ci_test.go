package archives_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"confd/internal/packaging/archives"
	"confd/internal/packaging/contents"
	"confd/internal/packaging/source"
)

const version = "v0.1.0"

// made makes the archive of this tree for this machine.
func made(t *testing.T) string {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	tree, err := source.Read(ctx, ".", version)
	if err != nil {
		t.Fatal(err)
	}
	built, papers, err := contents.Build(ctx, tree, dir, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := archives.Build(ctx, tree, built, papers, dir)
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	return paths[0]
}

// ci is what a template for CI has a machine run, but for installing Debian's packages.
type ci struct {
	name   string
	script func(t *testing.T) string
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("../../../etc/ci/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// github runs the action's steps as GitHub does: each in a shell of its own, and what
// one adds to the path is there in the next.
func github(t *testing.T) string {
	t.Helper()
	var action struct {
		Runs struct {
			Using string
			Steps []struct{ Name, Shell, Run string }
		}
	}
	read(t, "action.yml", &action)
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 3 {
		t.Fatalf("the action is %+v", action)
	}
	var script strings.Builder
	for _, step := range action.Runs.Steps[1:] {
		fmt.Fprintf(&script, "bash --noprofile --norc -e -o pipefail <<'STEP' || exit\n%s\nSTEP\n", step.Run)
		script.WriteString(`export PATH="$(cat "$GITHUB_PATH"):$PATH"` + "\n")
	}
	return script.String()
}

// gitlab runs the job's lines as GitLab does, in one shell.
func gitlab(t *testing.T) string {
	t.Helper()
	var file map[string]struct {
		Before []string `yaml:"before_script"`
		Script []string
	}
	read(t, "gitlab.yml", &file)
	job, ok := file[".confd-golden-checks"]
	if !ok || len(job.Before) < 2 || !strings.HasPrefix(job.Before[0], "apt-get ") {
		t.Fatalf("the job is %+v", job)
	}
	return "set -eo pipefail\n" + strings.Join(append(job.Before[1:], job.Script...), "\n")
}

// TestTemplatesForCI has both templates fetch the archive and run checks: good ones,
// one that is not what is wanted, and an archive that is not what was asked for.
func TestTemplatesForCI(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("this takes curl")
	}
	archive := made(t)
	data, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	good, bad := "../../../etc/examples/own-templates", t.TempDir()
	if err := os.CopyFS(bad, os.DirFS(good)); err != nil {
		t.Fatal(err)
	}
	spoil(t, bad)
	for _, c := range []ci{{"github", github}, {"gitlab", gitlab}} {
		t.Run(c.name, func(t *testing.T) {
			run := func(checks, sum string) (string, error) {
				dir := t.TempDir()
				absolute, err := filepath.Abs(checks)
				if err != nil {
					t.Fatal(err)
				}
				// What GitLab puts into /tmp is put here.
				cmd := exec.Command("bash", "-c", strings.ReplaceAll(c.script(t), "/tmp", dir))
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "CONFD_RELEASE=file://"+filepath.Dir(archive), "CONFD_VERSION="+strings.TrimPrefix(version, "v"),
					"CONFD_SHA256="+sum, "CONFD_CHECKS="+absolute, "CONFD_REPORT=golden-checks.xml", "RUNNER_TEMP="+dir, "GITHUB_PATH="+dir+"/path")
				out, err := cmd.CombinedOutput()
				report, _ := os.ReadFile(filepath.Join(dir, "golden-checks.xml"))
				return string(out) + string(report), err
			}
			if out, err := run(good, sum); err != nil || !strings.Contains(out, "<testsuite") {
				t.Errorf("good checks: %v\n%s", err, out)
			}
			if out, err := run(bad, sum); err == nil || !strings.Contains(out, "<failure") || !strings.Contains(out, "spoilt") {
				t.Errorf("a bad check: %v\n%s", err, out)
			}
			if out, err := run(good, strings.Repeat("0", 64)); err == nil || !strings.Contains(out, "FAILED") || strings.Contains(out, "<testsuite") {
				t.Errorf("another archive: %v\n%s", err, out)
			}
		})
	}
}

// spoil changes a wanted file.
func spoil(t *testing.T, dir string) {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, "want"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("# spoilt\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
