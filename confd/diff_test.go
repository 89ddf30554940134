package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/internal/settings"
	"confd/internal/testenv"
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
	c := r.run("diff", "--whole", "--from", r.path("before.yaml"), "--to", r.path("after.yaml"))
	wants(t, c, exitGood, []string{
		"--- " + r.path("bird/bird.conf") + " (" + r.path("before.yaml") + ")\n",
		"-protocol bgp Mesh_10_0_0_2 from", "+protocol bgp Mesh_10_0_0_3 from",
		"-  password \"(hidden)\";\n+  password \"(hidden)\";\n",
		"\n1 session added, 1 session removed, 1 session restarted\n  sessions added: Mesh_10_0_0_3\n  sessions removed: Mesh_10_0_0_2\n  sessions restarted: Node_10_0_0_50\n",
	}, "first-password", "second-password", "\x1b")

	c = r.run("diff", "--exit-code", "--whole", "--from", r.path("before.yaml"), "--to", r.path("after.yaml"))
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

// diffMore is some resources: another node, a peer that is another one, and one
// that is there already.
const diffMore = `
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: node-3}
spec: {bgp: {ipv4Address: 10.0.0.3/24}}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: p}
spec: {node: node-1, peerIP: 10.0.0.50, asNumber: 64514, password: {secretKeyRef: {name: s, key: k}}}
`

// TestDiffOverlay lays a folder of some resources over another state, and over the
// live one: what is not in it stays.
func TestDiffOverlay(t *testing.T) {
	r := newDiffRig(t, "")
	put(t, r.path("manifests/some.yaml"), diffMore)
	put(t, r.path("manifests/deployment.yaml"), "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
	has := []string{"+++ " + r.path("bird/bird.conf") + " (" + r.path("manifests") + ")\n", "1 session added, 1 session restarted\n  sessions added: Mesh_10_0_0_3\n  sessions restarted: Node_10_0_0_50\n"}
	wants(t, r.run("diff", "--from", r.path("before.yaml"), "--to", r.path("manifests")), exitGood, has, "Mesh_10_0_0_2")
	wants(t, r.run("diff", "--data", r.path("before.yaml"), "--to", r.path("manifests")), exitGood, has, "Mesh_10_0_0_2")

	c := r.run("diff", "--whole", "--from", r.path("before.yaml"), "--to", r.path("manifests"))
	if c.code != exitFailed || !strings.Contains(c.stderr, "no such node") {
		t.Errorf("%+v", c)
	}
}

// TestDiffAllNodes shows nodes of which the same becomes together.
func TestDiffAllNodes(t *testing.T) {
	r := newDiffRig(t, diffMore)
	args := []string{"diff", "--all-nodes", "--from", r.path("before.yaml"), "--to", r.path("after.yaml")}
	wants(t, r.run(args[0], args[1:]...), exitGood, []string{
		"== 1 of 3 nodes\n  nodes: node-1\n1 session added, 1 session restarted\n",
		"== 1 of 3 nodes\n  nodes: node-2\n1 session added\n  sessions added: Mesh_10_0_0_3\n",
		"== 1 of 3 nodes are new\n  nodes: node-3\n2 sessions added\n",
		"\n3 of 3 nodes change\n",
	}, "first-password")
	if c := r.run("diff", append(args[1:], "--exit-code")...); c.code != exitFailed || !strings.Contains(c.stderr, "3 of 3 nodes change") {
		t.Errorf("%+v", c)
	}

	c := r.run("diff", append(args[1:], "--output", "json")...)
	var report struct {
		Version, Nodes, Changed int
		Overlay                 bool
		Groups                  []struct {
			Kind    string
			Nodes   []string
			Summary string
			Changes struct {
				Sessions struct{ Added, Removed, Restarted []string }
			}
			Files []struct{ Path, Diff string }
		}
		Problems []any
	}
	if err := json.Unmarshal([]byte(c.stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, c.stdout)
	}
	g := report.Groups
	if report.Version != 1 || report.Nodes != 3 || report.Changed != 3 || !report.Overlay || len(g) != 3 || report.Problems == nil {
		t.Fatalf("%+v", report)
	}
	if g[0].Kind != "changed" || g[0].Nodes[0] != "node-1" || strings.Join(g[0].Changes.Sessions.Restarted, " ") != "Node_10_0_0_50" || g[0].Changes.Sessions.Removed == nil ||
		!strings.Contains(g[0].Files[0].Diff, "+  neighbor 10.0.0.50 as 64514;") || g[2].Kind != "added" {
		t.Errorf("%+v", g)
	}

	for want, args := range map[string][]string{
		"needs two states": {"--from", "disk", "--to", r.path("after.yaml")},
		"that of one node": {"--from", r.path("before.yaml"), "--to", r.path("after.yaml"), "--router-id", "1.2.3.4"},
		"expected text":    {"--from", r.path("before.yaml"), "--to", r.path("after.yaml"), "--output", "xml"},
	} {
		if c := r.run("diff", append(args, "--all-nodes")...); c.code != exitUsage || !strings.Contains(c.stderr, want) {
			t.Errorf("%s: %+v", want, c)
		}
	}
}

// TestDiffAllNodesOfEtcd has blocks of two nodes in a datastore of which one node
// reads its own alone.
func TestDiffAllNodesOfEtcd(t *testing.T) {
	etcd := testenv.StartEtcd(t)
	kv, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	for key, value := range map[string]string{
		"resources/v3/projectcalico.org/nodes/node-1":    `{"kind":"Node","metadata":{"name":"node-1"},"spec":{"bgp":{"ipv4Address":"10.0.0.1/24"}}}`,
		"resources/v3/projectcalico.org/nodes/node-2":    `{"kind":"Node","metadata":{"name":"node-2"},"spec":{"bgp":{"ipv4Address":"10.0.0.2/24"}}}`,
		"ipam/v2/host/node-1/ipv4/block/10.128.0.0-26":   `{"state":"confirmed","deleted":false}`,
		"ipam/v2/host/node-2/ipv4/block/10.128.0.64-26":  `{"state":"confirmed","deleted":false}`,
		"ipam/v2/host/node-2/ipv4/block/10.128.0.128-26": `{"state":"confirmed","deleted":false}`,
	} {
		if _, err := kv.Put(t.Context(), "/calico/"+key, value); err != nil {
			t.Fatal(err)
		}
	}
	r := newDiffRig(t, "")
	c := r.run("diff", "--all-nodes", "--from", r.path("before.yaml"), "--to", "live", "--etcd-endpoints", etcd.Endpoint())
	wants(t, c, exitGood, []string{
		"  nodes: node-1\n1 session removed, 1 session refiltered, 1 IPv4 static route gained, 1 IPv4 block gained\n",
		"  nodes: node-2\n1 session refiltered, 2 IPv4 static routes gained, 2 IPv4 blocks gained\n  sessions refiltered: Mesh_10_0_0_1\n  IPv4 static routes gained: 10.128.0.64/26 blackhole, 10.128.0.128/26 blackhole\n",
		" (live, node node-2)\n", "\n2 of 2 nodes change\n",
	})
}
