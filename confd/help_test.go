package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"confd/internal/settings"
	"confd/internal/testenv"
)

// allCommands are the root and all commands below it that are not hidden.
func allCommands() []*cobra.Command {
	p := program{around: around(nil), stdout: new(bytes.Buffer), table: newTable()}
	root := newRootCommand(p)
	all := append([]*cobra.Command{root}, leafCommands(root)...)
	for _, c := range root.Commands() {
		if c.HasSubCommands() && c.IsAvailableCommand() {
			all = append(all, c)
		}
	}
	return all
}

// TestHelpIsShort: help fits a page; all of it, with the same words for the same
// flags, is there for who asks.
func TestHelpIsShort(t *testing.T) {
	for _, c := range allCommands() {
		words := strings.Fields(c.CommandPath())[1:]
		for _, width := range []string{"", "50", "300"} {
			env := map[string]string{"COLUMNS": width}
			short, whole := execute(t, env, append(words, "--help")...), execute(t, env, append(words, "-help-all")...)
			if short.code != exitGood || whole.code != exitGood || short.stderr+whole.stderr != "" {
				t.Fatalf("%s: %+v %+v", c.CommandPath(), short, whole)
			}
			limit := map[string]int{"50": 50}[width]
			if limit == 0 {
				limit = helpWidth
			}
			checkWidth(t, c.CommandPath(), short.stdout+whole.stdout, limit)
			if n := flagLines(short.stdout); limit == helpWidth && n > 25 {
				t.Errorf("%s --help: %d lines of flags:\n%s", c.CommandPath(), n, short.stdout)
			}
		}
	}
}

func checkWidth(t *testing.T, command, text string, limit int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > limit {
			t.Errorf("%s: %d columns, not %d: %s", command, n, limit, line)
		}
	}
}

// flagLines counts the lines from the first flag to the last.
func flagLines(help string) int {
	_, flags, _ := strings.Cut(help, "\nFlags:\n")
	flags, _, _ = strings.Cut(flags, "\nExamples:\n")
	return strings.Count(flags, "\n")
}

// TestHelpAllLeavesNothingOut: every flag of a command is in its whole help, and every
// variable.
func TestHelpAllLeavesNothingOut(t *testing.T) {
	text := strings.Join(strings.Fields(call(t, nil, "--help-all").stdout), " ")
	for _, s := range settings.Table() {
		if !s.HasFlag(settings.CommandRun) {
			continue
		}
		parts := []string{"--" + s.Name + " "}
		if s.Env != "" {
			parts = append(parts, "["+strings.Join(s.Envs(), ", ")+"]")
		}
		if s.Default != "" && s.Default != "false" {
			parts = append(parts, "(default: "+s.Default+")")
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("confd --help-all lacks %q", part)
			}
		}
	}
}

// TestHelpOfHelp: all ways to ask are one.
func TestHelpOfHelp(t *testing.T) {
	for _, words := range [][]string{{}, {"render"}, {"explain", "route"}, {"explain"}} {
		for _, flag := range []string{"--help", "--help-all"} {
			want := call(t, nil, append(words, flag)...).stdout
			asked := append([]string{"help"}, words...)
			if flag == "--help-all" {
				asked = append(asked, flag)
			}
			if c := call(t, nil, asked...); c.code != exitGood || c.stdout != want {
				t.Errorf("%s is not %s %s: %+v", asked, words, flag, c)
			}
		}
	}
	for _, flag := range []string{"--help", "-h"} {
		if c := call(t, nil, "help", flag); c.code != exitGood || !strings.Contains(c.stdout, "confd help [COMMAND]") {
			t.Errorf("confd help %s ends with %d, and explains another command:\n%s%s", flag, c.code, c.stdout, c.stderr)
		}
	}
	if c := call(t, nil, "help", "help"); c.code != exitGood || !strings.Contains(c.stdout, "confd help [COMMAND]") {
		t.Errorf("%+v", c)
	}
	// Arguments that are missing or wrong are no hindrance.
	if c := call(t, nil, "explain", "session", "--node=/", "--help-all"); c.code != exitGood || !strings.Contains(c.stdout, "ETCD_ENDPOINTS") {
		t.Errorf("%+v", c)
	}
}

func TestDidYouMean(t *testing.T) {
	for in, want := range map[string]string{
		"rendr":                          `unknown command "rendr"; did you mean render? (see confd --help)`,
		"explain sesion a b":             `unknown command "sesion"; did you mean session? (see confd explain --help)`,
		"help statuss":                   `unknown command "statuss"; did you mean status? (see confd --help)`,
		"help explain sesion":            `unknown command "sesion"; did you mean session? (see confd explain --help)`,
		"help status x":                  `"x": confd status takes no arguments besides flags`,
		"xyzzy":                          `unknown command "xyzzy" (see confd --help)`,
		"--etcd-endpoint=x":              "unknown flag: --etcd-endpoint; did you mean --etcd-endpoints? (see confd --help)",
		"-nop":                           "unknown flag: --nop; did you mean --noop? (see confd --help)",
		"render --fail-on=x":             "unknown flag: --fail-on; it is a flag of confd doctor, confd plan (see confd render --help)",
		"doctor --data x -o jsn":         `--output: "jsn": expected text, json or yaml; did you mean json?`,
		"doctor --data x --fail-on warn": `--fail-on: "warn": expected error or warning; did you mean warning?`,
		"--missing-filters=close":        `--missing-filters: "close": expected one of open, closed; did you mean closed?`,
		"status --all-nodes --sort nod":  `--sort: "nod": expected state, node, sessions or version; did you mean node?`,
		"topology --data x --format sgv": `--format: "sgv": expected svg, html, dot, mermaid or json`,
	} {
		c := call(t, nil, strings.Fields(in)...)
		if c.code != exitUsage || c.stderr != "confd: "+want+"\n" {
			t.Errorf("%s: %d %s want %s", in, c.code, c.stderr, want)
		}
	}
}

// endless are the examples that run for good, or ask nodes and programs that a test
// does not have. Of them only the flags are looked at.
func endless() []string {
	return []string{"confd --", "confd run ", "confd status", "confd approve"}
}

// TestExamples runs the examples of all commands, as they stand there, in a folder
// with the files that they name.
func TestExamples(t *testing.T) {
	dir, programs := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", programs, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/examples")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bird"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "PATH="+programs+":"+filepath.Dir(testenv.Bird(t, "2.0.12"))+":/usr/bin:/bin",
		"CONFD_CONFIG_FILE="+filepath.Join(dir, "confd.toml"), "CONFD_BIRD_DIR="+filepath.Join(dir, "bird"), "CONFD_ENDPOINT_STATUS_PREFIX="+dir)
	if err := os.WriteFile(filepath.Join(dir, "confd.toml"), []byte("data = \"cluster.yaml\"\nnode = \"node-1\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range allCommands() {
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") {
				continue
			}
			if slices.ContainsFunc(endless(), func(start string) bool { return strings.HasPrefix(line, start) }) {
				line += " --help"
			}
			ran++
			runExample(t, dir, env, line)
		}
	}
	if ran < 25 {
		t.Errorf("%d examples", ran)
	}
	for _, made := range []string{"out/bird.conf", "sessions.html", "sessions.svg", "own/conf.d", "cases/node-1/case.toml"} {
		if _, err := os.Stat(filepath.Join(dir, made)); err != nil {
			t.Errorf("no example has made %s", made)
		}
	}
}

func runExample(t *testing.T, dir string, env []string, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitGood && code != exitFound && code != exitErrors {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
}
