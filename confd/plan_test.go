package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// askRig has the cluster of the tests of confd diff, to be asked about.
func askRig(t *testing.T) (args []string, write func(name, text string) string) {
	t.Helper()
	dir := t.TempDir()
	write = func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := write("cluster.yaml", diffBefore)
	return []string{"--data", data, "--node", "node-1", "--bird", "2", "--socket", dir + "/none", "--endpoint-status-prefix", dir}, write
}

func TestPlan(t *testing.T) {
	args, write := askRig(t)
	noMesh := write("change.yaml", "apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: {nodeToNodeMeshEnabled: false}\n")
	bad := write("bad.yaml", "kind: [\n")
	for _, test := range []struct {
		args string
		code int
		has  string // of stdout, or of stderr where that is wrong use or failed
	}{
		{"-f " + noMesh, exitGood, "1 session removed"},
		{"-f " + noMesh + " --fail-on session-loss", exitFound, "ISOLATED"},
		{"-f " + noMesh + " --fail-on session-remade", exitGood, "In all: 2 ends of sessions removed"},
		{"--delete bgppeer/p -o json", exitGood, `"object": "BGPPeer p"`},
		{"--delete node/node-2 -o yaml", exitGood, "sessions_removed: 1"},
		{"", exitUsage, "no change to look at"},
		{"-f " + bad, exitUsage, "bad.yaml"},
		{"--delete bgppeer", exitUsage, "expected KIND/NAME"},
		{"--delete bgppeer/", exitUsage, `"bgppeer/": expected KIND/NAME, or KIND/NAMESPACE/NAME`},
		{"--delete secret//p", exitUsage, `"secret//p": expected KIND/NAME, or KIND/NAMESPACE/NAME`},
		{"--delete secret/kube-system/", exitUsage, "expected KIND/NAME"},
		{"--delete / --data " + bad + ".none", exitUsage, `"/": expected KIND/NAME`},
		{"--delete pear/p", exitUsage, "no kind that confd reads"},
		{"--delete bgppear/p", exitUsage, "is called bgppear; did you mean BGPPeer?"},
		{"--delete bgppeer/q", exitFailed, "there is no BGPPeer q"},
		{"-f " + noMesh + " --delete bgpconfiguration/default", exitUsage, "BGPConfiguration default is in the files of -f and in --delete"},
		{"-f " + noMesh + " --fail-on war", exitUsage, "--fail-on"},
		{"-f " + noMesh + " -o xml", exitUsage, "--output"},
	} {
		c := execute(t, nil, append(append([]string{"plan"}, strings.Fields(test.args)...), args...)...)
		text := c.stdout
		if test.code == exitUsage || test.code == exitFailed {
			text = c.stderr
		}
		if c.code != test.code || !strings.Contains(text, test.has) || strings.Contains(c.stdout, "first-password") {
			t.Errorf("%s: %d\n%s%s", test.args, c.code, c.stdout, c.stderr)
		}
	}
}

// TestAnswersAreNotLogged: a command that prints what it was asked for says nothing
// else where all is well, unless it is told to log more.
func TestAnswersAreNotLogged(t *testing.T) {
	args, _ := askRig(t)
	env := map[string]string{"CONFD_DATA": args[1], "NODENAME": "node-1", "CALICO_ENDPOINT_STATUS_PATH_PREFIX": t.TempDir()}
	for _, command := range []string{
		"render --bird 2", "export", "diff --from live --to " + args[1] + " --bird 2 --whole", "doctor", "topology", "test --bird 2 --init " + t.TempDir(),
	} {
		logged := logOf(t, func() {
			if c := execute(t, env, strings.Fields(command)...); c.code != exitGood || c.stderr != "" {
				t.Errorf("%s: %d, and on standard error\n%s", command, c.code, c.stderr)
			}
		})
		if logged != "" {
			t.Errorf("%s: logged\n%s", command, logged)
		}
	}
	if logged := logOf(t, func() { execute(t, env, "export", "--log-level", "info") }); !strings.Contains(logged, "datastore is in step") {
		t.Errorf("export --log-level info: logged\n%s", logged)
	}
}

// logOf is what is logged, to this process's own standard error, while f runs.
func logOf(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()
	f()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExplainAndDoctor(t *testing.T) {
	args, write := askRig(t)
	wrong := write("more.yaml", "apiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: q}\nspec: {node: nod-1, peerIP: 10.0.0.60, asNumber: 64513}\n")
	for _, test := range []struct {
		args string
		code int
		has  string
	}{
		{"explain session node-1 node-2", exitGood, "both nodes have it"},
		{"explain session node-1 10.0.0.50 -o json", exitGood, `"value": "(hidden)"`},
		{"explain session node-1", exitUsage, "needs A and B; given: node-1"},
		{"explain session node-1 nobody", exitFailed, `there is no Node, address or session "nobody"`},
		{"explain route 10.9.0.0/24 --to 10.0.0.50", exitGood, "REJECTED"},
		{"explain route 10.9.0.0/24 --to 10.0.0.50 --kernel", exitUsage, "give one of them"},
		{"explain route ten --to 10.0.0.50", exitUsage, "neither a net"},
		{"explain pod 10.9.0.4", exitGood, "in no IPPool"},
		{"explain block 10.9.0.0/26", exitGood, "no node has a block"},
		{"explain node node-2 -o yaml", exitGood, "as: 64512"},
		{"explain filter f", exitFailed, `there is no BGPFilter "f"`},
		{"doctor", exitGood, "nothing found"},
		{"doctor --data " + wrong, exitFound, "BGP071"},
		{"doctor --fail-on error --data " + wrong, exitGood, "BGP071"},
		{"doctor --ignore no-such-node --data " + wrong, exitGood, "1 ignored"},
		{"doctor --ignore BGP999", exitUsage, "BGP999"},
		{"doctor --fail-on advice", exitUsage, "expected error or warning"},
	} {
		c := execute(t, nil, append(strings.Fields(test.args), args...)...)
		text := c.stdout
		if test.code == exitUsage || test.code == exitFailed {
			text = c.stderr
		}
		if c.code != test.code || !strings.Contains(text, test.has) || strings.Contains(c.stdout+c.stderr, "first-password") {
			t.Errorf("%s: %d\n%s%s", test.args, c.code, c.stdout, c.stderr)
		}
	}
}
