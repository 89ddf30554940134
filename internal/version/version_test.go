package version

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOf(t *testing.T) {
	stamped := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "vcs.modified", Value: "true"},
	}
	for name, c := range map[string]struct {
		build                 debug.BuildInfo
		version, commit, date string
		want                  Info
	}{
		"nothing is known": {want: Info{Version: Unknown}},
		"no repository":    {build: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, want: Info{Version: Unknown}},
		"plain build": {
			build: debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-2026-0123456789ab+dirty"}, Settings: stamped},
			want:  Info{Version: "v0.0.0-2026-0123456789ab+dirty", Commit: "0123456789abcdef", Date: "2026-01-02T03:04:05Z", Modified: true},
		},
		"no version of the module": {
			build: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: stamped},
			want:  Info{Version: "0123456789ab", Commit: "0123456789abcdef", Date: "2026-01-02T03:04:05Z", Modified: true},
		},
		"version by the linker": {
			build: debug.BuildInfo{Main: debug.Module{Version: "v0.0.0"}, Settings: stamped}, version: "v1.2.3",
			want: Info{Version: "v1.2.3", Commit: "0123456789abcdef", Date: "2026-01-02T03:04:05Z", Modified: true},
		},
		"changes, by git describe": {version: "v1.2.3-1-gabc-dirty", commit: "abc", want: Info{Version: "v1.2.3-1-gabc-dirty", Commit: "abc", Modified: true}},
		"all by the linker": {
			build: debug.BuildInfo{Settings: stamped}, version: "v1.2.3", commit: "fedcba", date: "2027-01-02T03:04:05Z",
			want: Info{Version: "v1.2.3", Commit: "fedcba", Date: "2027-01-02T03:04:05Z"},
		},
	} {
		got := of(&c.build, c.version, c.commit, c.date)
		got.Go, got.Platform, got.Birds, got.Dependencies = "", "", nil, nil
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	with := debug.BuildInfo{Deps: []*debug.Module{{Path: "a", Version: "v1", Sum: "h1:x"}, {Path: "b", Version: "v2", Replace: &debug.Module{Path: "c", Version: "v3"}}}}
	if diff := cmp.Diff([]Module{{"a", "v1", "h1:x"}, {"c", "v3", ""}}, of(&with, "", "", "").Dependencies); diff != "" {
		t.Error(diff)
	}
}

func TestTime(t *testing.T) {
	if got := (Info{Date: "2026-01-02T03:04:05Z"}).Time().Unix(); got != 1767323045 {
		t.Error(got)
	}
	if !(Info{Date: "soon"}).Time().IsZero() || !(Info{}).Time().IsZero() {
		t.Error("there is a time where there is no date")
	}
}

func TestBirds(t *testing.T) {
	if got := strings.Join(Birds(), " "); got != "1.6.8 2.0.12 2.17.6 3.1.8" {
		t.Error(got)
	}
}

// TestBuilds builds programs of this package in a repository of their own.
func TestBuilds(t *testing.T) {
	dir := module(t)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if i := built(t, dir); i.Version != Unknown || i.Commit != "" {
		t.Errorf("without a repository: %+v", i)
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	commit := git("rev-parse", "HEAD")
	if i := built(t, dir); i.Commit != commit || i.Modified || i.Time().IsZero() || !strings.Contains(i.Version, commit[:12]) {
		t.Errorf("from commit %s: %+v", commit, i)
	}
	git("tag", "v1.2.3")
	if i := built(t, dir); i.Version != "v1.2.3" || i.Commit != commit {
		t.Errorf("from a tag: %+v", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "more.go"), []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if i := built(t, dir); !i.Modified {
		t.Errorf("with a file that is not in the commit: %+v", i)
	}
	set := "-X confd/internal/version.Version=v9 -X confd/internal/version.Commit=abc -X confd/internal/version.Date=2026-01-02T03:04:05Z"
	if i := built(t, dir, "-ldflags", set); i.Version != "v9" || i.Commit != "abc" || i.Date != "2026-01-02T03:04:05Z" || i.Modified {
		t.Errorf("told by the linker: %+v", i)
	}
}

// module is a folder with a program that prints Read.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	own := filepath.Join(dir, "internal", "version")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	const program = "package main\n\nimport (\n\t\"encoding/json\"\n\t\"os\"\n\n\t\"confd/internal/version\"\n)\n\n" +
		"func main() { _ = json.NewEncoder(os.Stdout).Encode(version.Read()) }\n"
	files := map[string]string{filepath.Join(dir, "go.mod"): "module confd\n\ngo 1.26.0\n", filepath.Join(dir, "main.go"): program}
	for _, name := range []string{"version.go", "birds.txt"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Join(own, name)] = string(text)
	}
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// built builds the program in dir, and is what it prints.
func built(t *testing.T, dir string, args ...string) Info {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", append([]string{"build", "-o", program}, args...)...)
	build.Dir, build.Env = dir, append(os.Environ(), "GOFLAGS=", "GOENV=off", "GOWORK=off", "GIT_CONFIG_GLOBAL=/dev/null")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var i Info
	if err := json.Unmarshal(out, &i); err != nil {
		t.Fatal(err)
	}
	return i
}
