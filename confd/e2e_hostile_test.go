package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/testenv"
)

// evil is what a user might put anywhere to get at BIRD's configuration.
const evil = "x\"; }\nprotocol static pwned { ipv4; route 198.51.100.0/24 blackhole; }\n#'"

// good is a mesh of three and a hundred peers.
func good() []object {
	objects := mesh(3)
	for i := range 100 {
		objects = append(objects, object{kind: "BGPPeer", name: fmt.Sprintf("good-%d", i),
			spec: fmt.Sprintf(`{"node":%q,"peerIP":"10.127.0.%d","asNumber":65000,"filters":["good"]}`, self, i+1)})
	}
	return append(objects, object{kind: "BGPFilter", name: "good", spec: `{"exportV4":[{"action":"Accept"}]}`})
}

func peer(name, spec string) object { return object{kind: "BGPPeer", name: name, spec: spec} }

// leftOut are objects that cannot be used at all, or not as they ask.
func leftOut() []object {
	return []object{
		{kind: "BGPFilter", name: "bad-interface", spec: fmt.Sprintf(`{"exportV4":[{"action":"Accept","interface":%q}]}`, evil)},
		{kind: "BGPConfiguration", name: "default", spec: fmt.Sprintf(`{"ignoredInterfaces":["eth9",%q,"a{b}\"c"],"logSeverityScreen":%q}`, evil, evil)},
		peer("names-evil-filter", fmt.Sprintf(`{"node":%q,"peerIP":"10.127.0.1","asNumber":65000,"filters":[%q]}`, self, "filter "+evil)),
		peer("large-as", `{"peerIP":"10.126.0.2","asNumber":8589934592}`),
		peer("bad-selector", fmt.Sprintf(`{"peerSelector":%q}`, evil)),
		peer("bad-address", fmt.Sprintf(`{"peerIP":%q,"asNumber":65000}`, evil)),
		peer("peer "+evil, `{"peerIP":"none","asNumber":65000}`),
		peer("wrong-type", `[1,2,3]`),
		{kind: "Node", name: "six-in-four", spec: `{"bgp":{"ipv4Address":"fd00::99/64"}}`},
		{kind: "IPPool", name: "no-cidr", spec: fmt.Sprintf(`{"cidr":%q}`, evil)},
	}
}

// strange are objects that are good, whatever their names are like.
func strange() []object {
	return []object{
		{kind: "BGPFilter", name: "filter " + evil, spec: `{"exportV4":[{"action":"Accept"}]}`},
		{kind: "Node", name: "node " + evil, spec: `{"bgp":{"ipv4Address":"10.0.0.77/24"}}`, labels: map[string]string{"evil": evil}},
		{kind: "IPPool", name: "pool " + evil, spec: `{"cidr":"10.64.0.0/16","disableBGPExport":true}`},
	}
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func testHostileFiles(t *testing.T, confd string) {
	objects := slices.Concat(good(), leftOut(), strange(), []object{peer("deep", deep(10_000))})
	objects = append(objects, peer("bad-password", `{"node":"node-1","peerIP":"10.126.0.1","asNumber":65000,"password":{"secretKeyRef":{"name":"bgp","key":"evil"}}}`))
	secret := "---\n" + `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"bgp","namespace":"kube-system"},"stringData":{"evil":"hunter2\"; }"}}` + "\n"
	var block strings.Builder
	block.WriteString("---\n")
	for i := range 2000 {
		fmt.Fprintf(&block, "%sa:\n", strings.Repeat(" ", i))
	}
	flow := "---\nkind: BGPPeer\nmetadata: {name: deep-flow}\nspec: " + deep(10_000) + "\n"
	large := "---\nkind: BGPPeer\nmetadata: {name: large}\nspec: {peerIP: \"" + strings.Repeat("1", 50<<20) + "\"}\n"

	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) {
			r := newRig(t, confd, version)
			r.lab = testenv.NewLab(t, host("a", 1))
			r.useFiles(good())
			want := append(r.renderAndRun(t, "good"), "Mesh_10_0_0_77")
			slices.Sort(want)
			r.useFiles(objects, secret, block.String(), flow, large)
			stderr := r.render(t, "evil", version)
			got := r.run(t, "evil")
			if !slices.Equal(got, want) {
				t.Errorf("sessions are\n%v, want\n%v", got, want)
			}
			wantNamed(t, stderr, append(leftOut(), peer("bad-password", "")))
			for _, text := range []string{"larger than 4 MB", "deeper than 100 levels"} {
				if len(linesWith(stderr, "level=WARN", "cluster.yaml", text)) == 0 {
					t.Errorf("no warning says %q", text)
				}
			}
			if strings.Contains(stderr, "hunter2") {
				t.Error("the password is in the log")
			}
		})
	}
}

// wantNamed checks that there is a warning that names each of the objects.
func wantNamed(t *testing.T, stderr string, objects []object) {
	t.Helper()
	for _, o := range objects {
		name, _, _ := strings.Cut(o.name, `"`)
		if len(linesWith(stderr, "level=WARN", o.kind, name)) == 0 {
			t.Errorf("no warning names %s %q", o.kind, o.name)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(stderr) {
			t.Logf("%.500s", line)
		}
	}
}

// render writes this node's files into a folder, has BIRD check them, and
// returns stderr.
func (r *rig) render(t *testing.T, folder, version string) string {
	t.Helper()
	out := filepath.Join(r.dir, folder)
	got := r.once("render", "--bird", version, "-o", out)
	got.want(t, 0)
	if strings.HasPrefix(version, "1.") {
		testenv.CheckConfig6(t, version, filepath.Join(out, "bird6.cfg"))
		testenv.CheckConfig(t, version, filepath.Join(out, "bird.cfg"))
	} else {
		testenv.CheckConfig(t, version, filepath.Join(out, "bird.conf"))
	}
	return got.stderr
}

// run runs BIRD on a folder's files, and returns its sessions; it has no other
// protocols than the ones that it has without objects.
func (r *rig) run(t *testing.T, folder string) []string {
	t.Helper()
	r.env["CONFD_BIRD_DIR"] = filepath.Join(r.dir, folder)
	r.startBirds()
	defer r.killBirds()
	if text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "show protocols"); err != nil || strings.Contains(text, "pwned") {
		t.Errorf("BIRD has what a value says: %v\n%s", err, text)
	}
	return r.sessions()
}

func (r *rig) renderAndRun(t *testing.T, folder string) []string {
	t.Helper()
	r.render(t, folder, r.version)
	sessions := r.run(t, folder)
	if len(sessions) < 100 {
		t.Fatalf("BIRD has the sessions %v", sessions)
	}
	return sessions
}

// testHostileEtcd has them arrive, and go, one after the other, in a running
// daemon.
func testHostileEtcd(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD).listen()
	r.lab = testenv.NewLab(t, host("a", 1))
	r.addEtcd(testenv.EtcdArgs("--max-request-bytes=100000000"))
	r.put(good()...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	want := r.sessions()
	if len(want) != 104 {
		t.Fatalf("BIRD has the sessions %v", want)
	}
	bad := append(leftOut(), peer("deep", deep(10_000)), peer("large", `"`+strings.Repeat("x", 50<<20)+`"`))
	r.put(bad...)
	r.put(strange()...)
	r.put(node(4, 0)) // what comes after them
	want = append(want, "Mesh_10_0_0_77", "Mesh_10_0_0_4", "Mesh_fd00__4")
	slices.Sort(want)
	await := func(what string) {
		t.Helper()
		testenv.Eventually(t, patience, what, func() bool { return slices.Equal(r.sessions(), want) })
	}
	await("the sessions with hostile objects")
	testenv.CheckConfig(t, oldBIRD, r.conf())
	wantNamed(t, c.output(), bad)
	c.stop()

	c = r.start() // and a start with all of them there
	c.awaitOutput("datastore is in step", "source=etcd")
	r.awaitReady()
	wantNamed(t, c.output(), bad)
	for _, o := range append(bad, strange()...) {
		r.remove(o)
	}
	want = slices.DeleteFunc(want, func(name string) bool { return name == "Mesh_10_0_0_77" })
	await("the sessions without them")
	c.awaitOutput("no longer a problem", "six-in-four")
	c.stop()
}

// testConflicts has objects that are good one by one.
func testConflicts(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.lab = testenv.NewLab(t, host("a", 1))
	reflector := object{kind: "Node", name: self, spec: `{"bgp":{"ipv4Address":"10.0.0.1/24","routeReflectorClusterID":"1.0.0.1"}}`}
	noIPv4 := object{kind: "Node", name: self, spec: `{"bgp":{"ipv6Address":"fd00::1/64"}}`}
	client := object{kind: "Node", name: "client", spec: `{"bgp":{"ipv4Address":"10.0.0.8/24","asNumber":65099}}`, labels: map[string]string{"client": "yes"}}
	for name, c := range map[string]struct {
		objects []object
		more    []string // sessions
		fewer   []string
		named   []object
	}{
		"two nodes with one address": {
			objects: []object{{kind: "Node", name: "twin", spec: `{"bgp":{"ipv4Address":"10.0.0.2/24"}}`}},
			named:   []object{{kind: "Node", name: "twin"}},
		},
		"another node with our address": {
			objects: []object{{kind: "Node", name: "usurper", spec: `{"bgp":{"ipv4Address":"10.0.0.1/24"}}`}},
			named:   []object{{kind: "Node", name: "usurper"}},
		},
		"two peers for one session": {
			objects: []object{peer("zzz", `{"node":"node-1","peerIP":"10.127.0.1","asNumber":65001}`)},
			named:   []object{{kind: "BGPPeer", name: "zzz"}},
		},
		"a global and a node's peer for one session": {
			objects: []object{peer("zzz", `{"peerIP":"10.127.0.1","asNumber":65000}`)},
			more:    []string{"Global_10_127_0_1"}, fewer: []string{"Node_10_127_0_1"},
			named: []object{{kind: "BGPPeer", name: "good-0"}},
		},
		"no IPv4 address": {
			objects: []object{noIPv4},
			named:   []object{{kind: "Node", name: self}, {kind: "BGPPeer", name: "good-0"}},
		},
		"a reflector's client in another AS": {
			objects: []object{reflector, client, peer("clients", `{"node":"node-1","peerSelector":"client == 'yes'"}`)},
			more:    []string{"Node_10_0_0_8"}, fewer: []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r.useFiles(good())
			want := append(r.renderAndRun(t, "good"), c.more...)
			want = slices.DeleteFunc(want, func(s string) bool { return slices.Contains(c.fewer, s) })
			if name == "no IPv4 address" {
				want = []string{"Mesh_fd00__2", "Mesh_fd00__3"}
			}
			slices.Sort(want)
			r.useFiles(append(good(), c.objects...)) // of one name the later object counts
			for _, version := range testenv.BirdVersions() {
				wantNamed(t, r.render(t, "conflict-"+version, version), c.named)
			}
			if got := r.run(t, "conflict-"+oldBIRD); !slices.Equal(got, want) {
				t.Errorf("sessions are\n%v, want\n%v", got, want)
			}
			if err := os.RemoveAll(filepath.Join(r.dir, "good")); err != nil {
				t.Fatal(err)
			}
		})
	}
}
