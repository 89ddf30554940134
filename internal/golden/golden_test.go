package golden

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newCase makes a case in a new folder.
func newCase(t *testing.T, toml string) *Case {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, CaseFile), toml)
	put(t, filepath.Join(dir, "x.yaml"), "")
	cases, err := Find([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	return cases[0]
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"b/deep", "a", "a/inner", ".hidden"} {
		put(t, filepath.Join(root, dir, CaseFile), "node = \"n\"\nbird = \"2\"\n")
		put(t, filepath.Join(root, dir, "x.yaml"), "")
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(filepath.Join(root, "b"), link); err != nil {
		t.Fatal(err)
	}
	cases, err := Find([]string{root, filepath.Join(root, "a"), link})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cases {
		names = append(names, strings.TrimPrefix(c.Name, root+"/"))
	}
	if got := strings.Join(names, " "); got != "a b/deep link/deep" {
		t.Errorf("got %s", got)
	}
	put(t, filepath.Join(root, "a", CaseFile), "x = 1\n")
	put(t, filepath.Join(root, "b/deep", CaseFile), "y = 1\n")
	if _, err := Find([]string{root}); err == nil || !strings.Contains(err.Error(), "a/case.toml:1: x: unknown key\n") || !strings.Contains(err.Error(), "y: unknown") {
		t.Errorf("got %v, want both broken cases", err)
	}
}

// TestRun has two targets; what nobody renders belongs to the first one.
func TestRun(t *testing.T) {
	c := newCase(t, "nodes = [\"n\", \"n2\"]\nbird = \"2\"\n")
	put(t, filepath.Join(c.Name, "want/n/f"), "n")
	put(t, filepath.Join(c.Name, "want/n2/f"), "n2")
	put(t, filepath.Join(c.Name, "want/n3/f"), "n3")
	failure := errors.New("no such node")
	o := Options{Render: func(_ context.Context, target Target) (Rendering, error) {
		return Rendering{Files: map[string][]byte{"f": []byte(target.Node)}}, nil
	}}
	results, err := Run(t.Context(), c.Targets, o)
	if err != nil || len(results) != 2 || len(results[0].Diffs) != 1 || results[0].Diffs[0].File != "want/n3/f" || !results[1].Good() {
		t.Fatalf("%+v, %v", results, err)
	}
	o.Update = true
	render := o.Render
	o.Render = func(ctx context.Context, target Target) (Rendering, error) {
		if target.Node == "n" {
			return Rendering{}, failure
		}
		r, err := render(ctx, target)
		r.Files["../f"] = nil
		return r, err
	}
	results, _ = Run(t.Context(), c.Targets, o)
	if !errors.Is(results[0].Err, failure) || results[1].Err == nil || len(results[0].Updated)+len(results[1].Updated) > 0 {
		t.Errorf("%+v", results)
	}
	if s := Summarize(results, time.Second).String(); s != "2 checks: 0 passed, 2 failed; BIRD read 0 of them (1s)" {
		t.Error(s)
	}
}

func TestRunStops(t *testing.T) {
	c := newCase(t, "node = \"n\"\nbird = \"2\"\n")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, c.Targets, Options{Render: func(ctx context.Context, _ Target) (Rendering, error) {
		cancel()
		return Rendering{}, ctx.Err()
	}})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestReportInColour(t *testing.T) {
	c := newCase(t, "node = \"n\"\nbird = \"2\"\n")
	results := []Result{{Target: c.Targets[0], Diffs: []Diff{{File: "f", Text: "-a\n+b\n"}}}}
	var b bytes.Buffer
	paint := func(diff string) string { return "<" + diff + ">" }
	if err := Report(&b, Text, paint, results, Summarize(results, 0)); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "\x1b[31mFAIL   \x1b[m "+c.Name+"\n<-a\n+b\n>") || !strings.Contains(got, "failed:") {
		t.Errorf("got %q", got)
	}
}

func TestUnified(t *testing.T) {
	long := strings.Repeat("line\n", 50000)
	for _, c := range []struct{ old, new, want string }{
		{"a\n", "a\n", ""},
		{"a\nb\n", "a\nc\n", "--- f\n+++ g\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
		{"a", "a\n", "--- f\n+++ g\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{long + "x\n", long, "--- f\n+++ g\n@@ -49998,4 +49998,3 @@\n line\n line\n line\n-x\n"},
	} {
		if got := Unified("f", "g", c.old, c.new); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
