package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/version"
)

// about is a program of which all is known.
func about() version.Info {
	return version.Info{
		Version: "v1.2.3", Commit: "0123456789abcdef", Date: "2026-01-02T03:04:05Z", Go: "go1.99", Platform: "linux/arm64",
		Birds: []string{"1.6.8", "3.1.8"}, Dependencies: []version.Module{{Path: "example.org/a", Version: "v4.5.6", Sum: "h1:x"}},
	}
}

// callAbout runs a command line of that program.
func callAbout(t *testing.T, info version.Info, env map[string]string, args ...string) called {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := program{about: info, around: around(env), stdout: &stdout, stderr: &stderr}
	code := p.execute(context.Background(), args)
	return called{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

func TestVersion(t *testing.T) {
	const verbose = `confd v1.2.3
  commit            0123456789abcdef
  date              2026-01-02T03:04:05Z
  go                go1.99
  platform          linux/arm64
  tested with BIRD  1.6.8, 3.1.8

made of
  example.org/a  v4.5.6
`
	if c := callAbout(t, about(), nil, "version", "--verbose"); c.code != exitGood || c.stdout != verbose {
		t.Errorf("%+v", c)
	}
	if c := callAbout(t, about(), nil, "version"); c.stdout != "confd v1.2.3\n" {
		t.Errorf("%+v", c)
	}
	c := callAbout(t, about(), nil, "version", "-o", "json")
	var got version.Info
	if err := json.Unmarshal([]byte(c.stdout), &got); err != nil || got.Commit != "0123456789abcdef" || got.Birds[1] != "3.1.8" || got.Dependencies[0].Sum != "h1:x" {
		t.Errorf("%v: %+v", err, c)
	}
	if c := callAbout(t, version.Info{Version: version.Unknown, Modified: true, Commit: "abc"}, nil, "version", "--verbose"); !strings.Contains(c.stdout, "abc, and changes that are not in it\n  date              unknown\n") {
		t.Errorf("%+v", c)
	}
	if c := callAbout(t, about(), nil, "version", "-o", "xml"); c.code != exitUsage || !strings.Contains(c.stderr, "expected text, json or yaml") {
		t.Errorf("%+v", c)
	}
}

// TestVersionInReadme: the BIRDs that README names are those of the tests.
func TestVersionInReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	birds := version.Birds()
	want := "Tested with " + strings.Join(birds[:len(birds)-1], ", ") + " and " + birds[len(birds)-1]
	if !strings.Contains(string(readme), want) {
		t.Errorf("README.md lacks %q", want)
	}
}

func TestMan(t *testing.T) {
	for name, c := range map[string]struct {
		info version.Info
		env  map[string]string
		date string
	}{
		"program's date":    {about(), nil, `"Jan 2026"`},
		"SOURCE_DATE_EPOCH": {about(), map[string]string{"SOURCE_DATE_EPOCH": "1000000000"}, `"Sep 2001"`},
	} {
		one, other := filepath.Join(t.TempDir(), "man"), t.TempDir()
		for _, dir := range []string{one, other} {
			if c := callAbout(t, c.info, c.env, "man", dir); c.code != exitGood || c.stdout+c.stderr != "" {
				t.Fatalf("%s: %+v", name, c)
			}
		}
		first, again := pages(t, one), pages(t, other)
		for path, text := range first {
			if again[path] != text {
				t.Errorf("%s: %s is not the same twice", name, path)
			}
			if !strings.Contains(text, c.date) || !strings.Contains(text, `"confd v1.2.3"`) {
				t.Errorf("%s: %s begins with %.150s", name, path, text)
			}
		}
		for _, page := range []string{"confd.8", "confd-render.8", "confd-explain-session.8", "confd-completion.8"} {
			if first[page] == "" {
				t.Errorf("%s: there is no page %s", name, page)
			}
		}
		if !strings.Contains(first["confd-explain-route.8"], "\n10.0.0.0/26,peer,community=65000:1,path=65000 65001,priority=512\n") {
			t.Errorf("%s: lines are run together:\n%s", name, first["confd-explain-route.8"])
		}
		for page, wants := range map[string][]string{
			"confd.8":        {"\n.TP\n\\fB--node\\fP=text\nname of this node", "\n.TP\n\\fB--onetime\\fP[=bool]\nrender and apply once"},
			"confd-render.8": {"\n.TP\n\\fB-o\\fP, \\fB--output\\fP=path\n"},
			"confd-test.8":   {"\n.TP\n\\fB--format\\fP=\"text\"\nform of the report"},
		} {
			for _, want := range wants {
				if !strings.Contains(first[page], want) || strings.Contains(first[page], "\n\t") {
					t.Errorf("%s: flags are not in two columns: %q is not in %s:\n%s", name, want, page, first[page])
				}
			}
		}
		if first["confd-man.8"]+first["confd-docs.8"] != "" {
			t.Errorf("%s: there are pages of hidden commands", name)
		}
	}
	if c := callAbout(t, version.Info{}, nil, "man", t.TempDir()); c.code != exitUsage || !strings.Contains(c.stderr, "set SOURCE_DATE_EPOCH") {
		t.Errorf("%+v", c)
	}
	if c := callAbout(t, about(), map[string]string{"SOURCE_DATE_EPOCH": "soon"}, "man", t.TempDir()); c.code != exitUsage || !strings.Contains(c.stderr, `"soon"`) {
		t.Errorf("%+v", c)
	}
}

// pages are the files in a folder, by name.
func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(text)
	}
	return found
}

func TestCompletionScripts(t *testing.T) {
	for shell, part := range map[string]string{"bash": "__start_confd", "zsh": "#compdef confd", "fish": "complete -c confd"} {
		if c := call(t, nil, "completion", shell); c.code != exitGood || !strings.Contains(c.stdout, part) {
			t.Errorf("%s: %d %s", shell, c.code, c.stderr)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"completion", "bash", "zsh"}} {
		if c := call(t, nil, args...); c.code != exitUsage || !strings.Contains(c.stderr, "bash, zsh, fish") {
			t.Errorf("%s: %+v", args, c)
		}
	}
}
