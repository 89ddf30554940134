package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "write what commands print into docs/on-call.md")

const onCall = "../docs/on-call.md"

var (
	onCallCluster = regexp.MustCompile(`^<!-- cluster: (\S+)(?: node: (\S+))? -->$`)
	onCallCodes   = map[string]int{"plan": exitFound}
)

// TestOnCall runs the commands of docs/on-call.md, and compares what they print with
// what stands there.
func TestOnCall(t *testing.T) {
	want, err := os.ReadFile(onCall)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	cluster, node, inside, commands := "", "", false, 0
	for line := range strings.Lines(string(want)) {
		text := strings.TrimSuffix(line, "\n")
		if m := onCallCluster.FindStringSubmatch(text); m != nil {
			cluster, node = m[1], m[2]
		}
		switch {
		case text == "```console":
			inside = true
			got.WriteString(line)
		case inside && text == "```":
			inside = false
			got.WriteString(line)
		case inside && strings.HasPrefix(text, "$ confd "):
			commands++
			got.WriteString(line + onCallRun(t, cluster, node, strings.Fields(text)[2:]))
		case !inside:
			got.WriteString(line)
		}
	}
	if commands < 10 {
		t.Errorf("%d commands", commands)
	}
	if *updateDocs {
		if err := os.WriteFile(onCall, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != string(want) {
		t.Errorf("docs/on-call.md is old: go test ./confd -run OnCall -update-docs. Now it is\n%s", got.String())
	}
}

// onCallRun runs a command about a cluster of testdata, on a machine without BIRD.
func onCallRun(t *testing.T, cluster, node string, args []string) string {
	t.Helper()
	const folder = "testdata/on-call"
	for i, a := range args {
		if a == "change.yaml" {
			args[i] = filepath.Join(folder, a)
		}
	}
	if node == "" {
		node = "laptop"
	}
	env := map[string]string{"COLUMNS": "110", "NODENAME": node}
	all := append(args, "--data", filepath.Join(folder, cluster), "--socket", filepath.Join(t.TempDir(), "none"), "--bird", "2")
	c := execute(t, env, all...)
	code, known := onCallCodes[args[0]]
	if known && c.code != code || c.code == exitUsage || c.code == exitFailed {
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
	return strings.ReplaceAll(fmt.Sprint(out), folder+"/", "")
}
