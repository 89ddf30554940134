package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "write what commands print into README.md and docs/")

// A comment before a block, for commands that are shown without saying where the
// cluster is from: a file of testdata/on-call, and the node that the reader is on.
var consoleCluster = regexp.MustCompile(`^<!-- cluster: (\S+)(?: node: (\S+))? -->$`)

// consoleConfd is a line that a user types; bin/confd is what "make build" makes.
var consoleConfd = regexp.MustCompile(`^\$ (bin/)?confd `)

const consoleFiles = "confd/testdata/on-call"

// TestDocsConsole runs the commands of all blocks of the documentation that are marked
// as console, and compares what they print with what stands there.
func TestDocsConsole(t *testing.T) {
	t.Chdir("..")
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	least := map[string]int{"README.md": 2, "docs/on-call.md": 10, "docs/diff.md": 2}
	for _, page := range append(pages, "README.md") {
		consolePage(t, page, least[page])
	}
}

// consolePage runs the commands of a page, which are at least so many.
func consolePage(t *testing.T, page string, least int) {
	t.Helper()
	want := read(t, page)
	got, commands := consoleRun(t, want)
	if commands < least {
		t.Errorf("%s: %d commands", page, commands)
	}
	if got == want {
		return
	}
	if !*updateDocs {
		t.Errorf("%s is old: go test ./confd -run DocsConsole -update-docs. Now it is\n%s", page, got)
	} else if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
		t.Fatal(err)
	}
}

// consoleRun is a page with what its commands print now, and how many there are.
func consoleRun(t *testing.T, page string) (text string, commands int) {
	t.Helper()
	var got strings.Builder
	cluster, node, inside := "", "", false
	for line := range strings.Lines(page) {
		text := strings.TrimSuffix(line, "\n")
		if m := consoleCluster.FindStringSubmatch(text); m != nil {
			cluster, node = m[1], m[2]
		}
		switch {
		case text == "```console":
			inside = true
			got.WriteString(line)
		case inside && text == "```":
			inside, cluster, node = false, "", ""
			got.WriteString(line)
		case inside && consoleConfd.MatchString(text):
			commands++
			got.WriteString(line + consoleCommand(t, cluster, node, strings.Fields(text)[2:]))
		case !inside:
			got.WriteString(line)
		}
	}
	return got.String(), commands
}

// consoleCommand runs a command about a cluster, on a machine without BIRD, and returns
// what it prints.
func consoleCommand(t *testing.T, cluster, node string, args []string) string {
	t.Helper()
	all := slices.Clone(args)
	if cluster != "" {
		for i, a := range all {
			if a == "change.yaml" {
				all[i] = filepath.Join(consoleFiles, a)
			}
		}
		all = append(all, "--data", filepath.Join(consoleFiles, cluster), "--bird", "2")
	}
	if node == "" {
		node = "laptop"
	}
	env := map[string]string{"COLUMNS": "110", "NODENAME": node}
	c := execute(t, env, append(all, "--socket", filepath.Join(t.TempDir(), "none"))...)
	if c.code == exitUsage || c.code == exitFailed || slices.Contains(args, "--fail-on") && c.code != exitFound {
		t.Errorf("confd %s: %d: %s", strings.Join(args, " "), c.code, c.stderr)
	}
	out := c.stdout
	if c.code == exitFound || c.code == exitErrors {
		out += c.stderr
	}
	for i, line := range strings.Split(out, "\n") {
		if len([]rune(line)) > 110 && !strings.HasPrefix(line, "confd: ") {
			t.Errorf("confd %s: line %d is too long: %s", strings.Join(args, " "), i, line)
		}
	}
	return strings.ReplaceAll(out, consoleFiles+"/", "")
}
