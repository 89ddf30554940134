package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

// TestOutages has things happen to a cluster that have been outages, with real
// sessions.
func TestOutages(t *testing.T) {
	t.Parallel()
	runScenarios(t,
		scenario{"configuration", testOutageConfiguration},
		scenario{"rebooted", testOutageRebooted},
		scenario{"older snapshot", testOutageSnapshot},
		scenario{"hand-made file", testOutageHandMade},
		scenario{"address", testOutageAddress},
		scenario{"blackhole", testOutageBlackhole},
		scenario{"routes", testOutageRoutes},
	)
}

const (
	twoRemade = "it would remake 2 of 2 established sessions"
	twoTaken  = "it would take away 2 of 2 established sessions"
	// otherAS is the AS number of clusters that have not the default one.
	otherAS = 64600
)

// annotated is an object with an annotation.
func (o object) annotated(name, value string) object {
	o.annotations = map[string]string{"confd-bird.io/" + name: value}
	return o
}

// announced is an object whose changes may cost sessions from now on.
func (o object) announced() object {
	return o.annotated("disruption-until", time.Now().Add(time.Hour).Format(time.RFC3339))
}

// newOtherRig is a peeredRig of three nodes whose AS number is not the default one.
func newOtherRig(t *testing.T, confd string) (*rig, object) {
	t.Helper()
	r := newRig(t, confd, oldBIRD).listen()
	r.startPeers(3, otherAS, "")
	r.addEtcd()
	good := configuration(fmt.Sprintf(`"asNumber":%d`, otherAS))
	r.put(pool("Never"), good, lone(1), lone(2), lone(3))
	return r, good
}

// heals puts right what is held.
func (r *rig) heals(c *process, n int, objects ...object) {
	r.t.Helper()
	r.put(objects...)
	c.awaitOutputs(n, "nothing is held back any more")
	r.awaitReady()
}

// testOutageConfiguration has the BGPConfiguration of all nodes change in ways that
// nobody meant, and in the same ways announced and approved.
func testOutageConfiguration(t *testing.T, confd string) {
	r, good := newOtherRig(t, confd)
	sessions := mesh4Sessions(2, 3)
	c := r.startEstablished(sessions)
	mistyped := configuration(`"asNumber":6460`)
	r.still("an AS number mistyped", func() {
		r.put(mistyped)
		r.isHeld(c, 1, twoRemade, "BGPConfiguration default: asNumber was")
		r.heals(c, 1, good)
	})
	r.still("the configuration deleted", func() {
		r.remove(good)
		r.isHeld(c, 1, twoRemade, "BGPConfiguration default is gone")
		r.heals(c, 2, good)
	})
	r.still("the configuration is garbage", func() {
		r.putRaw(good.key(), `{"spec": {"asNum`)
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "BGPConfiguration default", "the last good version of it stays")
		r.put(good)
		r.awaitReady()
	})
	r.put(mistyped.announced())
	c.awaitOutput("level=WARN", "it is announced", "BGPConfiguration default")
	r.awaitConf("as 6460;", true)
	r.awaitEstablished()
	r.put(good.announced())
	r.awaitEstablished(sessions...)
	r.awaitMemory("an announcement", func(m memory) bool { return len(m.Announced) > 0 })
	r.put(good)
	r.awaitMemory("no announcement", func(m memory) bool { return len(m.Announced) == 0 })
	r.awaitReady()

	off := configuration(fmt.Sprintf(`"asNumber":%d,"nodeToNodeMeshEnabled":false`, otherAS))
	r.still("the mesh switched off", func() {
		r.put(off)
		r.isHeld(c, 1, twoTaken, switchedOff)
		r.put(off.annotated("approved", "another"))
		r.putBlock("10.128.1.0-26")
		r.stillHeld()
	})
	r.put(off.annotated("approved", r.report().Held.Hash))
	r.awaitEstablished()
	r.awaitReady()
}

// stillHeld waits for the next report, which must say that something is held.
func (r *rig) stillHeld() {
	r.t.Helper()
	if r.report().Held == nil {
		r.t.Error("nothing is held any more")
	}
}

// testOutageRebooted has a node come back, and the mesh was switched off meanwhile.
func testOutageRebooted(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	sessions := mesh4Sessions(2, 3)
	c := r.startEstablished(sessions)
	r.awaitMemory("sessions", seen(sessions...))
	c.stop()
	r.killBirds()
	r.put(meshIs(false))
	r.startBirds()
	c = r.start()
	r.isHeld(c, 1, twoTaken, switchedOff)
	r.awaitEstablished(sessions...)
	r.approve(c, twoTaken, switchedOff)
}

// memory is what confd has written down for its next start.
type memory struct {
	Seen      []struct{ Name string }  `json:"seen"`
	Announced []struct{ Until string } `json:"announced"`
	Objects   struct {
		Blocks []any `json:"block_affinities"`
	} `json:"objects"`
}

// awaitMemory waits until confd has written down something.
func (r *rig) awaitMemory(what string, is func(memory) bool) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "a memory of "+what, func() bool {
		var file struct {
			Memory memory `json:"memory"`
		}
		text, err := os.ReadFile(r.file(".confd-memory.json"))
		return err == nil && json.Unmarshal(text, &file) == nil && is(file.Memory)
	})
}

// seen says whether these sessions were seen established.
func seen(sessions ...string) func(memory) bool {
	return func(m memory) bool {
		return slices.EqualFunc(m.Seen, sessions, func(s struct{ Name string }, name string) bool { return s.Name == name })
	}
}

// testOutageSnapshot has etcd restored from a snapshot of a time when there was one
// more node than this one.
func testOutageSnapshot(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(2)...)
	snapshot := r.etcd.Save()
	r.put(lone(3), lone(4))
	sessions := mesh4Sessions(2, 3, 4)
	c := r.startEstablished(sessions)
	r.still("an older snapshot", func() {
		r.etcd.Restore(snapshot)
		c.awaitOutput("level=ERROR", "held back", "went back from revision", "it would take away 2 of 3", "Node node-3 is gone")
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "went back from revision")
	})
	r.still("the nodes are written anew", func() {
		r.put(lone(3), lone(4))
		c.awaitOutput("nothing is held back any more")
		r.awaitReady()
	})
	r.awaitEstablished(sessions...)
}

// testOutageHandMade starts confd for the first time, over a file that somebody wrote
// by hand, whose sessions are up.
func testOutageHandMade(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(2)...)
	text := "router id 10.0.0.1;\nprotocol device {}\n"
	for name, n := range map[string]int{"rack": 2, "uplink": 3} {
		text += fmt.Sprintf("protocol bgp %s { local 10.0.0.1 as 64512; neighbor 10.0.0.%d as 64512; multihop; connect delay time 1; error wait time 1, 1; ipv4 { import all; }; }\n", name, n)
	}
	writeTree(t, r.env["CONFD_BIRD_DIR"], map[string]string{"bird.conf": text})
	r.startBirds()
	r.awaitEstablished("rack", "uplink")
	if got := r.once("diff"); got.code != 0 || !strings.Contains(got.stdout, "-protocol bgp uplink") || !strings.Contains(got.stdout, "Mesh_10_0_0_2") {
		t.Errorf("diff says %+v", got)
	}
	const why = "it would take away 1 of 2 established sessions, and remake 1"
	var c *process
	r.still("first start", func() {
		c = r.start()
		r.isHeld(c, 1, why, "")
		for _, name := range []string{"rack", "uplink"} {
			c.awaitOutput("level=ERROR", "held back", name)
		}
		c.stop()
		r.once("--onetime").want(t, 1, "not applied", why)
		c = r.start()
		r.isHeld(c, 1, why, "")
	})
	if _, err := os.Lstat(r.conf() + ".orig"); err == nil {
		t.Error("there is a copy of a file that was not replaced")
	}
	if got := r.once("approve"); got.code != 0 {
		t.Errorf("approve says %+v", got)
	}
	r.awaitEstablished(mesh4Sessions(2)...)
	r.awaitReady()
	c.awaitOutput("level=WARN", "somebody else wrote", r.conf()+".orig")
	if kept := readFile(t, r.conf()+".orig"); kept != text {
		t.Errorf("what is kept is\n%s", kept)
	}
}

// testOutageAddress has a node's own address become one that it does not have.
func testOutageAddress(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD).listen()
	r.inside = true
	r.startPeers(3, 64512, "")
	cluster := mesh4(3)
	r.useFiles(cluster)
	c := r.startEstablished(mesh4Sessions(2, 3))
	r.still("another address", func() {
		wrong := append(cluster[:len(cluster):len(cluster)], object{kind: "Node", name: self, spec: `{"bgp":{"ipv4Address":"10.0.0.99/24"}}`})
		r.useFiles(wrong[len(wrong)-1:], documents(append(cluster[:2:2], cluster[3:]...)))
		c.awaitOutput("level=ERROR", "held back", "no interface of this machine has the address 10.0.0.99", "Node node-1")
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "no interface of this machine has the address 10.0.0.99")
		r.useFiles(cluster)
		r.awaitReady()
	})
}

// testOutageBlackhole gives the node a block that its network and its peers are in.
func testOutageBlackhole(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	c := r.startEstablished(mesh4Sessions(2, 3))
	r.putBlock("10.0.0.0-26")
	r.putBlock("10.128.1.0-26")
	r.awaitBlock("10.128.1.0/26")
	c.awaitOutput("level=WARN", "the blackhole route for 10.0.0.0/26 is left out")
	if kernel := r.lab.Exec("a", "ip", "route", "show", "type", "blackhole"); strings.Contains(kernel, "10.0.0.0") {
		t.Errorf("the kernel has\n%s", kernel)
	}
	if strings.Contains(readFile(t, r.conf()), "route 10.0.0.0/26") {
		t.Error("BIRD has the route")
	}
	r.awaitEstablished(mesh4Sessions(2, 3)...)
	r.awaitReady()
}

// testOutageRoutes has filters take away what the node has from its peers, and what
// it tells them: BIRD's routes say what there is.
func testOutageRoutes(t *testing.T, confd string) {
	const (
		open   = `{"importV4":[{"action":"Reject","matchOperator":"In","cidr":"203.0.113.0/24"}]}`
		some   = `{"importV4":[{"action":"Reject","matchOperator":"In","cidr":"10.128.64.0/24"}]}`
		closed = `{"importV4":[{"action":"Reject","matchOperator":"In","cidr":"10.128.0.0/9"}]}`
		silent = `{"exportV4":[{"action":"Reject"}]}`
	)
	rules := func(spec string) object { return object{kind: "BGPFilter", name: "rules", spec: spec} }
	r := newRig(t, confd, oldBIRD).listen()
	r.startPeers(3, 64512, "")
	for n := 2; n <= 3; n++ {
		r.tells(n, fmt.Sprintf("10.128.6%d.0/26", 2+n))
	}
	r.addEtcd()
	r.put(pool("Never"), meshIs(false), lone(1), rules(open))
	for n := 2; n <= 3; n++ {
		r.put(peer(fmt.Sprintf("router-%d", n), fmt.Sprintf(`{"peerIP":"10.0.0.%d","asNumber":64512,"filters":["rules"]}`, n)))
	}
	r.putBlock("10.128.1.0-26")
	c := r.startEstablished([]string{"Global_10_0_0_2", "Global_10_0_0_3"})
	r.awaitRoutes("10.128.64.0/26", "10.128.65.0/26")
	r.still("nothing is taken", func() {
		r.put(rules(closed))
		r.isHeld(c, 1, "none of the 2 IPv4 routes from peers would be left", "BGPFilter rules")
		r.heals(c, 1, rules(open))
	})
	r.still("nothing is told", func() {
		r.put(rules(silent))
		r.isHeld(c, 1, "the only IPv4 route that peers are told would be gone", "BGPFilter rules")
		r.heals(c, 2, rules(open))
	})
	r.put(rules(some))
	r.awaitRoutes("10.128.65.0/26")
	r.awaitReady()
}

// tells has the BIRD of node n tell of a route.
func (r *rig) tells(n int, net string) {
	r.t.Helper()
	name := fmt.Sprintf("peer%d", n)
	conf := filepath.Join(r.dir, name+".conf")
	text := strings.ReplaceAll(readFile(r.t, conf), "export none", "export all") + "protocol static { ipv4; route " + net + " blackhole; }\n"
	writeTree(r.t, r.dir, map[string]string{name + ".conf": text})
	if _, err := testenv.Birdc(filepath.Join(r.dir, name+".ctl"), "configure"); err != nil {
		r.t.Fatal(err)
	}
}

// awaitRoutes waits until node 1 has these routes from its peers, and no others.
func (r *rig) awaitRoutes(nets ...string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("the routes %v", nets), func() bool {
		text, err := testenv.Birdc(filepath.Join(r.dir, "bird.ctl"), "show route where source = RTS_BGP")
		if err != nil {
			return false
		}
		rows := linesWith(text, "[Global_")
		for _, n := range nets {
			if len(linesWith(text, n, "[Global_")) != 1 {
				return false
			}
		}
		return len(rows) == len(nets)
	})
}
