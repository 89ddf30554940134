package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// TestEndToEnd drives the program as users do, against real servers. The tests
// of what waits longest come first.
func TestEndToEnd(t *testing.T) {
	runScenarios(t,
		scenario{"killed", testKilled},
		scenario{"killed with several files", testKilledSeveralFiles},
		scenario{"storm", testStorm},
		scenario{"live", testLive},
		scenario{"hostile files", testHostileFiles},
		scenario{"hostile etcd", testHostileEtcd},
		scenario{"conflicts", testConflicts},
		scenario{"etcd away", testEtcdAway},
		scenario{"order of starts", testStartOrder},
		scenario{"BIRD restarted", testBirdRestarted},
		scenario{"BIRD upgraded", testBirdUpgraded},
		scenario{"BIRD read an older file", testBirdReadOlderFile},
		scenario{"heartbeats", testHeartbeats},
		scenario{"unknown node", testUnknownNode},
		scenario{"tunnel routes", testTunnelRoutes},
		scenario{"exit codes", testExitCodes},
		scenario{"strict", testStrict},
		scenario{"Calico's flags", testCalicoFlags},
		scenario{"noop", testNoop},
		scenario{"sync only", testSyncOnly},
		scenario{"SIGTERM", testSIGTERM},
	)
}

func testLive(t *testing.T, confd string) {
	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newEtcdRig(t, confd, version, mesh(3)...)
			c := r.start("--log-level", "debug")
			r.awaitFiles()
			r.startBirds()
			r.awaitMesh(2, 3)
			r.put(node(4, 0))
			r.awaitMesh(2, 3, 4)
			r.remove(node(2, 0))
			r.awaitMesh(3, 4)
			c.awaitOutput("msg=applied", `added="2 `, "Mesh_10_0_0_4")
			c.awaitOutput("msg=times", "gather=", "render=", "check=", "confirm=", "total=")
			c.stop()
			r.awaitMesh(3, 4)
		})
	}
}

func testStartOrder(t *testing.T, confd string) {
	t.Run("confd first", func(t *testing.T) {
		r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
		c := r.start()
		c.awaitOutput("msg=applied", "state=installed")
		r.put(node(3, 0))
		c.awaitOutputs(2, "msg=applied", "state=installed")
		r.startBirds() // late, after a change
		r.awaitMesh(2, 3)
		c.awaitOutput("msg=applied", "state=confirmed")
	})
	for name, text := range map[string]string{"smallest file": "protocol device {}\n", "older file": "protocol device {}\nprotocol static old { ipv4; }\n"} {
		t.Run("BIRD first, "+name, func(t *testing.T) {
			r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
			writeTree(t, r.env["CONFD_BIRD_DIR"], map[string]string{"bird.conf": text})
			r.startBirds()
			c := r.start()
			r.awaitMesh(2)
			c.awaitOutput("msg=applied", "state=confirmed")
		})
	}
}

func testBirdRestarted(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
	c := r.start()
	r.awaitFiles()
	for round := range 3 {
		r.startBirds()
		r.awaitMesh(meshNodes(2, 2+2*round)...)
		r.killBirds()
		r.put(node(3+2*round, 0)) // while BIRD is away
		r.startBirds()
		r.awaitMesh(meshNodes(2, 3+2*round)...)
		r.killBirds()
		r.startBirds() // with nothing new
		r.put(node(4+2*round, 0))
		r.awaitMesh(meshNodes(2, 4+2*round)...)
		r.killBirds()
	}
	c.stop()
}

// testBirdUpgraded starts another version of BIRD on the same files.
func testBirdUpgraded(t *testing.T, confd string) {
	const newer = "2.17.6"
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed", oldBIRD)
	r.killBirds()
	r.version = newer
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed", newer)
	if text := readFile(t, r.conf()); !strings.Contains(text, "BIRD "+newer) {
		t.Errorf("the file is not for BIRD %s:\n%s", newer, text)
	}
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
}

func meshNodes(from, to int) []int {
	var nodes []int
	for n := from; n <= to; n++ {
		nodes = append(nodes, n)
	}
	return nodes
}

// testBirdReadOlderFile has BIRD come back and read its file just before that
// is replaced, so that only another reload brings it into step.
func testBirdReadOlderFile(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed")
	c.signal(syscall.SIGSTOP)
	r.killBirds()
	ours, older := r.file("ours"), r.file("older")
	writeTree(t, filepath.Dir(older), map[string]string{"older": "router id 10.0.0.1;\nprotocol device {}\n"})
	for _, names := range [][2]string{{r.conf(), ours}, {older, r.conf()}} {
		if err := os.Rename(names[0], names[1]); err != nil {
			t.Fatal(err)
		}
	}
	r.startBirds()
	r.awaitMesh()
	if err := os.Rename(ours, r.conf()); err != nil {
		t.Fatal(err)
	}
	c.signal(syscall.SIGCONT)
	r.awaitMesh(2, 3)
}

func testHeartbeats(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed")
	reloads, applied := r.reconfigured(), c.count("msg=applied")
	for i := range 50 {
		beat := strings.Replace(node(2, 0).json(), `"metadata":{`,
			fmt.Sprintf(`"status":{"heartbeat":"%d"},"metadata":{"resourceVersion":"%d",`, i, i), 1)
		r.putRaw(node(2, 0).key(), beat)
	}
	r.put(node(4, 0)) // what comes after them has been read when they have
	r.awaitMesh(2, 3, 4)
	testenv.Eventually(t, patience, "the change's line in the log", func() bool { return c.count("msg=applied") > applied })
	if n := r.reconfigured() - reloads; n != 1 {
		t.Errorf("%d reloads for 50 heartbeats and one change", n)
	}
	if n := c.count("msg=applied") - applied; n != 1 {
		t.Errorf("%d lines \"applied\" for 50 heartbeats and one change", n)
	}
}

func testStorm(t *testing.T, confd string) {
	const writes = 300
	r := newEtcdRig(t, confd, oldBIRD, mesh(11)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed")
	reloads := r.reconfigured()
	began := time.Now()
	for i := range writes {
		r.put(node(2+i%10, 65000+i))
		time.Sleep(5 * time.Millisecond)
	}
	for i := range 10 {
		session := fmt.Sprintf("Mesh_10_0_0_%d", 2+i)
		want := fmt.Sprint(65000 + writes - 10 + i)
		testenv.Eventually(t, patience, session+" to have the last AS number", func() bool {
			text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "show protocols all "+session)
			return err == nil && len(linesWith(text, "Neighbor AS:", want)) == 1
		})
	}
	took := time.Since(began)
	n := r.reconfigured() - reloads
	t.Logf("%d reloads for %d writes in %s", n, writes, took)
	if most := int(took.Seconds()) + 3; n > most {
		t.Errorf("%d reloads in %s: more than %d", n, took, most)
	}
	if n > writes/10 {
		t.Errorf("%d reloads for %d writes", n, writes)
	}
}

// testKilled kills confd again and again while changes come in: what lies on
// disk must always be what BIRD can start with, and whole whenever it is read.
func testKilled(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(60)...)
	defer r.watchFile()()
	killAgainAndAgain(t, r, 40)
}

// watchFile reads BIRD's file all the time, until it is told to stop.
func (r *rig) watchFile() (stop func()) {
	return inBackground(func() bool {
		text, err := os.ReadFile(r.conf())
		if err != nil && !os.IsNotExist(err) {
			r.t.Error(err)
		}
		whole := strings.HasPrefix(string(text), "# Written by confd") && strings.HasSuffix(string(text), "}\n")
		if err == nil && !whole {
			r.t.Errorf("half a file of %d bytes was there to be read", len(text))
		}
		time.Sleep(50 * time.Microsecond)
		return !r.t.Failed()
	})
}

// inBackground does a thing again and again, until it returns false or is told
// to stop.
func inBackground(do func() bool) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for do() {
			select {
			case <-end:
				return
			default:
			}
		}
	}()
	return sync.OnceFunc(func() { close(end); <-ended })
}

// testKilledSeveralFiles does so with files that make sense only together.
func testKilledSeveralFiles(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	r.env["CONFD_CONFDIR"] = filepath.Join(r.dir, "confd")
	const keys, daemon = "keys = [\"/bgp/v1/host\"]\n", "daemon = \"bird\"\n"
	const stamp = `{{define "stamp"}}stamp{{range gets "/bgp/v1/host/*/as_num"}}_{{.Value}}{{end}}{{end}}`
	// It takes long to write such files.
	padding := strings.Repeat("# Nothing but a comment, which makes the file larger.\n", 20_000)
	writeTree(t, r.env["CONFD_CONFDIR"], map[string]string{
		// BIRD reads bird.conf, though a.conf is the first by name.
		"conf.d/main.toml":   "[template]\nsrc = \"main\"\ndest = \"bird.conf\"\n" + keys + daemon,
		"conf.d/part.toml":   "[template]\nsrc = \"part\"\ndest = \"a.conf\"\n" + keys,
		"conf.d/second.toml": "[template]\nsrc = \"second\"\ndest = \"second.conf\"\n" + keys,
		"templates/main": stamp + "router id 10.0.0.1;\nprotocol device {}\ninclude \"a.conf\";\ninclude \"second.conf\";\n" +
			"filter both { if a_{{template \"stamp\"}} = b_{{template \"stamp\"}} then accept; reject; }\n",
		"templates/part":   stamp + "define a_{{template \"stamp\"}} = 1;\n" + padding,
		"templates/second": stamp + "define b_{{template \"stamp\"}} = 1;\n" + padding,
	})
	killAgainAndAgain(t, r, 25)
}

func killAgainAndAgain(t *testing.T, r *rig, rounds int) {
	eager := []string{"--gather", "1ms", "--min-interval", "0s"}
	stop := r.stream()
	defer stop()
	r.killWhileFirst(eager)
	first := r.start(eager...)
	r.awaitFiles()
	first.kill()
	r.startBirds()
	staged := 0
	for range rounds {
		c := r.start(eager...)
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		c.kill()
		if len(r.leftovers("stage-")) > 0 {
			staged++
		}
		testenv.CheckConfig(t, r.version, r.conf())
		r.killBirds()
		r.startBirds()
	}
	stop()
	t.Logf("%d of %d died with staged files on disk", staged, rounds)
	c := r.start(eager...)
	c.awaitOutput("msg=applied", "state=confirmed")
	r.put(node(2, 64999), node(3, 64999))
	testenv.Eventually(t, patience, "the last change", func() bool { return strings.Contains(r.allFiles(), "64999") })
	c.stop()
	if stages, sets := r.leftovers("stage-"), r.leftovers("bird/set-"); len(stages) > 0 || len(sets) > 2 {
		t.Errorf("left behind: %q, and of sets %q", stages, sets)
	}
}

// killWhileFirst kills confd while it writes for the first time: then there is
// nothing for BIRD, or what it can start with.
func (r *rig) killWhileFirst(args []string) {
	r.t.Helper()
	for range 15 {
		c := r.start(args...)
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		c.kill()
		if _, err := os.Stat(r.conf()); err == nil {
			testenv.CheckConfig(r.t, r.version, r.conf())
		}
		if err := os.RemoveAll(r.env["CONFD_BIRD_DIR"]); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Mkdir(r.env["CONFD_BIRD_DIR"], 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
}

// leftovers are the hidden entries of this kind in the folder of BIRD's files.
func (r *rig) leftovers(kind string) []string {
	r.t.Helper()
	names, err := filepath.Glob(r.file(".confd-" + kind + "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return names
}

// allFiles is the text of all of BIRD's files.
func (r *rig) allFiles() string {
	r.t.Helper()
	names, err := filepath.Glob(r.file("*.conf"))
	if err != nil {
		r.t.Fatal(err)
	}
	var text strings.Builder
	for _, name := range names {
		text.WriteString(readFile(r.t, name))
	}
	return text.String()
}

// stream keeps changing the AS numbers of the nodes 2 and 3, until it is told
// to stop.
func (r *rig) stream() (stop func()) {
	as := 100
	return inBackground(func() bool {
		time.Sleep(20 * time.Millisecond)
		as++
		for _, o := range []object{node(2, as), node(3, as)} {
			if _, err := r.kv.Put(r.t.Context(), o.key(), o.json()); err != nil {
				r.t.Errorf("write to etcd: %v", err)
				return false
			}
		}
		return true
	})
}

func testEtcdAway(t *testing.T, confd string) {
	r := newRig(t, confd, oldBIRD)
	r.lab = testenv.NewLab(t, host("a", 1), host("b", 2))
	r.addEtcd()
	r.put(mesh(3)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	peer := filepath.Join(r.dir, "peer.conf")
	writeTree(t, r.dir, map[string]string{"peer.conf": "router id 10.0.0.2;\nprotocol device {}\n" +
		"protocol bgp one { local 10.0.0.2 as 64512; neighbor 10.0.0.1 as 64512; multihop; connect delay time 1; ipv4 { }; }\n"})
	r.startBird("b", testenv.Bird(t, oldBIRD), peer, filepath.Join(r.dir, "peer.ctl"))
	established := func() bool {
		text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "show protocols Mesh_10_0_0_2")
		return err == nil && strings.Contains(text, "Established")
	}
	testenv.Eventually(t, patience, "the session with the other BIRD", established)
	const moved = "Mesh_10_0_0_2: State changed"
	moves, reloads := r.birds[0].count(moved), r.reconfigured()
	r.etcd.Kill()
	c.awaitOutput("level=WARN", "datastore is out of step")
	r.awaitMesh(2, 3)
	if n := r.reconfigured() - reloads; n > 0 {
		t.Errorf("%d reloads with etcd away", n)
	}
	r.etcd.Restart()
	r.put(node(4, 0))
	r.remove(node(3, 0))
	r.awaitMesh(2, 4)
	c.awaitOutputs(2, "datastore is in step", "source=etcd")
	if n := r.birds[0].count(moved) - moves; n > 0 || moves == 0 || !established() {
		t.Errorf("the session went down with etcd: %d moves, before %d", n, moves)
	}
}

func testUnknownNode(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	r.remove(node(1, 0))
	r.once("--onetime").want(t, 1, "no such node", self)
	c := r.start()
	c.awaitOutput("waiting", "no such node", self)
	if _, err := os.Stat(r.conf()); err == nil {
		t.Error("a file was written for a node that is not known")
	}
	r.put(node(1, 0))
	r.awaitFiles()
	r.startBirds()
	r.awaitMesh(2, 3)
	c.awaitOutput("msg=applied", "state=confirmed")
	r.remove(node(1, 0)) // as when somebody deletes it by mistake
	c.awaitOutputs(2, "waiting", "no such node", self)
	r.awaitMesh(2, 3)
	c.stop()
}

func testTunnelRoutes(t *testing.T, confd string) {
	programs := object{kind: "BGPConfiguration", name: "default", spec: `{"programClusterRoutes":"Enabled"}`}
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...)
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	c.awaitOutput("msg=applied", "state=confirmed")
	good := readFile(t, r.conf())
	r.put(programs, pool("Always"), node(4, 0))
	c.awaitOutput("not applied", "programClusterRoutes")
	r.awaitMesh(2, 3)
	if readFile(t, r.conf()) != good {
		t.Error("the last good file did not stay")
	}
	r.once("--onetime", "--bird", "2").want(t, 1, "programClusterRoutes")
	r.once("render", "--bird", "2").want(t, 1, "programClusterRoutes")
	r.once("render", "--bird", "1").want(t, 0)
	r.put(pool("Never")) // the input heals
	r.awaitMesh(2, 3, 4)
	c.stop()
}
