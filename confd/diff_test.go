package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/internal/settings"
)

// execute runs a command line as a process would, with these variables.
func execute(t *testing.T, env map[string]string, args ...string) called {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := program{
		around: settings.Surroundings{LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }, Hostname: os.Hostname},
		stdout: &stdout, stderr: &stderr, run: run, render: render,
	}
	code := p.execute(context.Background(), args)
	return called{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

const diffBefore = `
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-1}
spec: {bgp: {ipv4Address: 10.0.0.1/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-2}
spec: {bgp: {ipv4Address: 10.0.0.2/24}}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: p}
spec: {node: node-1, peerIP: 10.0.0.50, asNumber: 64513, password: {secretKeyRef: {name: s, key: k}}}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: kube-system}
stringData: {k: first-password}
`

// diffRig is a node with the states before and after in files, and a folder for
// BIRD's files.
type diffRig struct {
	t    *testing.T
	dir  string
	args []string
}

func newDiffRig(t *testing.T, after string) *diffRig {
	t.Helper()
	r := &diffRig{t: t, dir: t.TempDir()}
	for name, text := range map[string]string{"before.yaml": diffBefore, "after.yaml": after} {
		if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.args = []string{"--node", "node-1", "--bird", "2.0.12", "--bird-dir", r.path("bird"), "--confdir", r.path("none"), "--endpoint-status-prefix", r.dir, "--log-level", "error"}
	return r
}

func (r *diffRig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *diffRig) run(command string, args ...string) called {
	r.t.Helper()
	return execute(r.t, nil, append([]string{command}, append(args, r.args...)...)...)
}

// wants checks an exit code, and what stdout has and lacks.
func wants(t *testing.T, c called, code int, has []string, lacks ...string) {
	t.Helper()
	if c.code != code {
		t.Errorf("exit code %d, want %d", c.code, code)
	}
	for _, text := range has {
		if !strings.Contains(c.stdout, text) {
			t.Errorf("stdout lacks %q", text)
		}
	}
	for _, text := range lacks {
		if strings.Contains(c.stdout, text) {
			t.Errorf("stdout has %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", c.stdout, c.stderr)
	}
}

func TestDiffBetweenStates(t *testing.T) {
	after := strings.NewReplacer("name: node-2", "name: node-3", "10.0.0.2/24", "10.0.0.3/24", "first-password", "second-password").Replace(diffBefore)
	r := newDiffRig(t, after)
	c := r.run("diff", "--from", r.path("before.yaml"), "--to", r.path("after.yaml"))
	wants(t, c, exitGood, []string{
		"--- " + r.path("bird/bird.conf") + " (" + r.path("before.yaml") + ")\n",
		"-protocol bgp Mesh_10_0_0_2 from", "+protocol bgp Mesh_10_0_0_3 from",
		"-  password \"(hidden)\";\n+  password \"(hidden)\";\n",
		"\n1 session added, 1 session removed, 1 session restarted\n  sessions added: Mesh_10_0_0_3\n  sessions removed: Mesh_10_0_0_2\n  sessions restarted: Node_10_0_0_50\n",
	}, "first-password", "second-password", "\x1b")

	c = r.run("diff", "--exit-code", "--from", r.path("before.yaml"), "--to", r.path("after.yaml"))
	wants(t, c, exitFailed, nil)
	if !strings.Contains(c.stderr, "1 of 1 files differ") {
		t.Error(c.stderr)
	}
	c = r.run("diff", "--exit-code", "--from", r.path("before.yaml"), "--to", r.path("before.yaml"))
	if wants(t, c, exitGood, nil); c.stdout != "" {
		t.Error(c.stdout)
	}
}

func TestDiffOfDisk(t *testing.T) {
	r := newDiffRig(t, strings.Replace(diffBefore, "64513", "64514", 1))
	wants(t, r.run("diff", "--data", r.path("before.yaml")), exitGood, []string{"+router id 10.0.0.1;", "2 sessions added"}, "first-password")
	wants(t, r.run("render", "--data", r.path("before.yaml"), "--output", r.path("bird")), exitGood, nil)
	if c := r.run("diff", "--exit-code", "--data", r.path("before.yaml")); c.code != exitGood || c.stdout != "" {
		t.Errorf("%+v", c)
	}
	restarted := []string{" (disk)\n", "+  neighbor 10.0.0.50 as 64514;", "1 session restarted\n  sessions restarted: Node_10_0_0_50\n"}
	wants(t, r.run("diff", "--data", r.path("after.yaml")), exitGood, restarted)
	wants(t, r.run("diff", "--from", "disk", "--to", r.path("after.yaml")), exitGood, restarted)
	// With --to alone the live state is the other side.
	wants(t, r.run("diff", "--data", r.path("before.yaml"), "--to", r.path("after.yaml")), exitGood, []string{" (live)\n", "1 session restarted"})
}

func TestDiffErrors(t *testing.T) {
	r := newDiffRig(t, "kind: [\n")
	for _, test := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "only --from can be", []string{"--to", "disk"}},
		{exitUsage, "needs --etcd-endpoints", nil},
		{exitUsage, "state " + r.path("gone"), []string{"--from", r.path("before.yaml"), "--to", r.path("gone")}},
		{exitUsage, "after.yaml, document 1", []string{"--from", r.path("before.yaml"), "--to", r.path("after.yaml")}},
		{exitFailed, `node "node-9": the datastore has no such node`, []string{"--from", r.path("before.yaml"), "--to", r.path("before.yaml"), "--node", "node-9"}},
	} {
		r := *r
		if len(test.args) > 0 && test.args[len(test.args)-1] == "node-9" {
			r.args = r.args[2:]
		}
		c := r.run("diff", test.args...)
		if c.code != test.code || !strings.Contains(c.stderr, test.want) {
			t.Errorf("%v: got %d %q, want %d %q", test.args, c.code, c.stderr, test.code, test.want)
		}
	}
}

func TestUnifiedColours(t *testing.T) {
	diff := unifiedDiff("/f", "a\n--x\nb\n", "a\n  password \"p\";\nb\n")
	want := "\x1b[1m--- /f\x1b[m\n\x1b[1m+++ /f (new)\x1b[m\n\x1b[36m@@ -1,3 +1,3 @@\x1b[m\n a\n\x1b[31m---x\x1b[m\n\x1b[32m+  password \"(hidden)\";\x1b[m\n b\n"
	if got := coloured(diff); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestUnifiedIsQuick: texts that have nothing in common, as large as a mesh of
// 5,000 nodes makes them.
func TestUnifiedIsQuick(t *testing.T) {
	line := func(s string) string { return strings.Repeat(s+"\n  passive on;\n}\n", 50_000) }
	if diff := unifiedDiff("/f", line("old"), line("new")); len(diff) < 1_000_000 {
		t.Errorf("%d bytes", len(diff))
	}
}
