package main_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/internal/report"
	"confd/internal/testenv"
)

// newPeeredRig makes a rig with an etcd that holds the objects, and BIRDs on the
// nodes 2 to n that speak with node 1, whatever that does.
func newPeeredRig(t *testing.T, confd, version string, n int, objects ...object) *rig {
	t.Helper()
	r := newRig(t, confd, version).listen()
	r.startPeers(n, 64512, "")
	r.addEtcd()
	r.put(objects...)
	return r
}

// hostOf is the lab's name for node n.
func hostOf(n int) string { return string(rune('a' + n - 1)) }

// startPeers makes the lab, and starts the BIRDs of the nodes 2 to n: their AS is as,
// and more is said of each session.
func (r *rig) startPeers(n, as int, more string) {
	r.t.Helper()
	var hosts []testenv.Host
	for i := range n {
		hosts = append(hosts, host(hostOf(i+1), i+1))
	}
	r.lab = testenv.NewLab(r.t, hosts...)
	for i := 2; i <= n; i++ {
		r.startPeer(i, as, more)
	}
}

// startPeer starts the BIRD of node n, with sessions of both families.
func (r *rig) startPeer(n, as int, more string) {
	r.t.Helper()
	name := fmt.Sprintf("peer%d", n)
	conf := fmt.Sprintf("router id 10.0.0.%d;\nprotocol device {}\n", n)
	for _, f := range []struct{ version, net string }{{"4", "10.0.0."}, {"6", "fd00::"}} {
		conf += fmt.Sprintf("protocol bgp one%[1]s { local %[2]s%[3]d as %[4]d; neighbor %[2]s1 as %[4]d; multihop; %[5]s "+
			"connect delay time 1; connect retry time 1; error wait time 1, 1; ipv%[1]s { import all; export none; }; }\n", f.version, f.net, n, as, more)
	}
	writeTree(r.t, r.dir, map[string]string{name + ".conf": conf})
	r.startBird(hostOf(n), testenv.Bird(r.t, oldBIRD), filepath.Join(r.dir, name+".conf"), filepath.Join(r.dir, name+".ctl"))
}

// awaitEstablished waits until these sessions are established, and no others.
func (r *rig) awaitEstablished(want ...string) {
	r.t.Helper()
	var got []string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("established: %v", got)
		}
	}()
	slices.Sort(want)
	testenv.Eventually(r.t, patience, fmt.Sprintf("%v to be established", want), func() bool {
		got = nil
		for _, d := range r.daemons() {
			text, err := testenv.Birdc(filepath.Join(r.dir, d.socket), "show protocols")
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			for _, line := range linesWith(text, " BGP ", "Established") {
				got = append(got, strings.Fields(line)[0])
			}
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// still checks that while do runs BIRD is left alone: it is told nothing, either.
func (r *rig) still(what string, do func()) {
	r.t.Helper()
	reloads := r.reconfigured()
	r.stays(what, do)
	if n := r.reconfigured() - reloads; n > 0 {
		r.t.Errorf("%s: BIRD was reconfigured %d times", what, n)
	}
}

// stays checks that while do runs no session changes its state, and no file is
// changed. A confd that starts may have BIRD read its files again.
func (r *rig) stays(what string, do func()) {
	r.t.Helper()
	moves := func() (n int) {
		for _, b := range r.birds {
			n += b.count(": State changed")
		}
		return n
	}
	text, moved := readFile(r.t, r.conf()), moves()
	do()
	if n := moves() - moved; n > 0 {
		r.t.Errorf("%s: sessions changed their state %d times", what, n)
	}
	if readFile(r.t, r.conf()) != text {
		r.t.Errorf("%s: %s was changed", what, r.conf())
	}
}

// lone is node n with IPv4 alone.
func lone(n int) object {
	return object{kind: "Node", name: fmt.Sprintf("node-%d", n), spec: fmt.Sprintf(`{"bgp":{"ipv4Address":"10.0.0.%d/24"}}`, n)}
}

// mesh4 is a mesh of the nodes 1 to n, with IPv4 alone.
func mesh4(n int) []object {
	objects := []object{pool("Never"), configuration(`"nodeToNodeMeshEnabled":true`)}
	for i := 1; i <= n; i++ {
		objects = append(objects, lone(i))
	}
	return objects
}

func configuration(spec string) object {
	return object{kind: "BGPConfiguration", name: "default", spec: "{" + spec + "}"}
}

func meshIs(on bool) object { return configuration(fmt.Sprintf(`"nodeToNodeMeshEnabled":%v`, on)) }

// mesh4Sessions are node 1's sessions with nodes.
func mesh4Sessions(nodes ...int) []string {
	var names []string
	for _, n := range nodes {
		names = append(names, fmt.Sprintf("Mesh_10_0_0_%d", n))
	}
	return names
}

// isHeld waits until confd has said n times that it holds something back, and
// says the same wherever it is asked.
func (r *rig) isHeld(c *process, n int, why, object string) {
	r.t.Helper()
	c.awaitOutputs(n, "level=ERROR", "held back", why, object)
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", why, object)
	r.awaitMetric("confd_held", 1)
	testenv.Eventually(r.t, patience, "the report to say what is held", func() bool {
		held := r.report().Held
		return held != nil && held.Why == why && strings.Contains(strings.Join(held.Objects, "\n"), object)
	})
}

// startEstablished starts confd and the BIRDs, and waits for the sessions.
func (r *rig) startEstablished(sessions []string, args ...string) *process {
	r.t.Helper()
	c := r.start(args...)
	r.awaitFiles()
	r.startBirds()
	r.awaitEstablished(sessions...)
	c.awaitOutput("msg=applied", "state=confirmed")
	r.awaitReady()
	return c
}

const (
	threeOfThree = "it would take away 3 of 3 established sessions"
	switchedOff  = "BGPConfiguration default: the mesh was switched off"
	isOff        = "BGPConfiguration default: the mesh is switched off"
)

// testHeld goes through what can happen while a change is held back.
func testHeld(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(4)...)
	sessions := mesh4Sessions(2, 3, 4)
	c := r.startEstablished(sessions)
	if got := r.once("approve"); got.code != 0 || !strings.Contains(got.stdout, "nothing is held back") {
		t.Errorf("approve with nothing held: %+v", got)
	}
	r.once("approve", "--bird-dir", t.TempDir()).want(t, 1, "no report", "--bird-dir")

	r.still("held", func() {
		r.put(meshIs(false))
		r.isHeld(c, 1, threeOfThree, switchedOff)
		r.awaitMetric("confd_held_sessions", 3)
		r.awaitMetric("confd_holds_total", 1)
	})
	if got := r.once("doctor"); got.code != 4 || !strings.Contains(got.stdout, "BGP086") || !strings.Contains(got.stdout, threeOfThree) {
		t.Errorf("doctor with something held: %+v", got)
	}
	r.putBlock("10.128.1.0-26") // which does not wait
	r.awaitBlock("10.128.1.0/26")
	r.awaitEstablished(sessions...)
	r.awaitMemory("the block", func(m memory) bool { return len(m.Objects.Blocks) > 0 })
	if n := c.count("a change is held back"); n > 1 {
		t.Errorf("one change was held %d times", n)
	}
	r.stays("confd restarted", func() {
		c.kill()
		c = r.start()
		r.isHeld(c, 1, threeOfThree, switchedOff)
		c.stop()
		r.once("--onetime").want(t, 1, "not applied", threeOfThree, isOff, "--hold=false")
	})
	c = r.start()
	r.isHeld(c, 1, threeOfThree, switchedOff)
	r.approve(c, threeOfThree, switchedOff)
}

// approve lets what is held go on, and waits until it has.
func (r *rig) approve(c *process, why, object string) {
	r.t.Helper()
	hash := r.report().Held.Hash
	got := r.once("approve")
	if got.code != 0 || len(linesWith(got.stdout, "approved "+hash, why, object)) == 0 {
		r.t.Errorf("approve says %+v", got)
	}
	c.awaitOutput("level=WARN", "is approved", hash)
	r.awaitEstablished()
	r.awaitReady()
	r.awaitMetric("confd_held", 0)
	testenv.Eventually(r.t, patience, "the approval to be gone", func() bool {
		left, err := filepath.Glob(r.file(report.Approval + "*"))
		return err == nil && len(left) == 0
	})
}

// putBlock gives node 1 a block of addresses.
func (r *rig) putBlock(cidr string) {
	r.t.Helper()
	r.putRaw(blockKey(cidr), `{"state":"confirmed","deleted":false}`)
}

func blockKey(cidr string) string { return "/calico/ipam/v2/host/" + self + "/ipv4/block/" + cidr }

// awaitBlock waits until BIRD's file has node 1's block.
func (r *rig) awaitBlock(cidr string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "the block "+cidr, func() bool { return strings.Contains(readFile(r.t, r.conf()), cidr) })
}
