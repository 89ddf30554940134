package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// otherConf is a file that BIRD takes, and that has nothing of ours.
const otherConf = "router id 10.0.0.9;\nprotocol device {}\n"

// testDrift has somebody change what confd left, with etcd there and away.
func testDrift(t *testing.T, confd string) {
	for _, version := range []string{"1.6.8", oldBIRD} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newEtcdRig(t, confd, version, mesh(3)...).listen()
			c := r.start("--verify-interval", "300ms")
			r.awaitFiles()
			r.startBirds()
			r.awaitReady()
			// A reconfiguration within three seconds of ours is not told from ours.
			time.Sleep(4 * time.Second)
			other := filepath.Join(r.dir, "other.conf")
			writeTree(t, r.dir, map[string]string{"other.conf": otherConf})
			r.drift("configured from another file", func() {
				if _, err := testenv.Birdc(r.env["CONFD_SOCKET"], fmt.Sprintf("configure %q", other)); err != nil {
					t.Fatal(err)
				}
			}, "reconfigured")
			edit, remove := func() { r.edit(r.conf()) }, func() { r.exchange("") }
			r.drift("file edited", edit, "file")
			r.drift("file removed", remove, "file")
			r.drift("BIRD started with another file in place", func() {
				c.signal(syscall.SIGSTOP)
				r.birds[0].kill()
				r.exchange(otherConf)
				r.birds[0] = r.startOne(r.daemons()[0])
				c.signal(syscall.SIGCONT)
			}, "file", "restart")
			r.awaitReady()
			r.etcd.Kill()
			c.awaitOutput("datastore is out of step")
			r.drift("file edited without etcd", edit, "file")
			r.drift("file removed without etcd", remove, "file")
			c.awaitOutput("level=WARN", "not as it was left: putting it right", "BIRD was reconfigured by somebody else")
			c.awaitOutputs(5, "level=WARN", "not as it was left: putting it right", r.conf())
			if n := c.count("level=ERROR"); n > 0 {
				t.Errorf("%d errors in the log", n)
			}
			c.stop()
		})
	}
}

// exchange puts a file in the place of BIRD's; empty: none.
func (r *rig) exchange(text string) {
	r.t.Helper()
	if err := os.Remove(r.conf()); err != nil {
		r.t.Fatal(err)
	}
	if text != "" {
		writeTree(r.t, filepath.Dir(r.conf()), map[string]string{filepath.Base(r.conf()): text})
	}
}

// drift does something that confd must notice, put right, and count once as
// each of the kinds. The BIRDs have sessions with the nodes 2 and 3 afterwards.
func (r *rig) drift(what string, do func(), kinds ...string) {
	r.t.Helper()
	sample := func(kind string) string { return fmt.Sprintf("confd_drifts_total{kind=%q}", kind) }
	good, before := readFile(r.t, r.conf()), map[string]float64{}
	for _, k := range []string{"file", "reconfigured", "restart"} {
		before[k] = r.metric(sample(k))
	}
	const confirmed = `confd_reloads_total{result="confirmed",set="bird"}`
	reloads := r.metric(confirmed)
	do()
	for _, k := range kinds {
		r.awaitMetric(sample(k), before[k]+1)
		delete(before, k)
	}
	testenv.Eventually(r.t, patience, what+": the file to be put right", func() bool {
		text, err := os.ReadFile(r.conf())
		return err == nil && string(text) == good
	})
	testenv.Eventually(r.t, patience, what+": BIRD to be told", func() bool { return r.metric(confirmed) > reloads })
	r.awaitMesh(2, 3)
	for k, n := range before {
		if now := r.metric(sample(k)); now != n {
			r.t.Errorf("%s: counted as %s, too", what, k)
		}
	}
}

// testHungBIRD freezes BIRD, changes something, and lets BIRD go on.
func testHungBIRD(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...).listen()
	c := r.start("--verify-interval", "300ms", "--reload-timeout", "2s")
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	state := func(name string) string { return fmt.Sprintf("confd_bird_state{set=\"bird\",state=%q}", name) }
	r.awaitMetric(state("up"), 1)
	r.birds[0].signal(syscall.SIGSTOP)
	c.awaitOutput("level=ERROR", "BIRD does not answer", r.env["CONFD_SOCKET"])
	r.awaitMetric(state("hung"), 1)
	if up, absent := r.metric(state("up")), r.metric(state("absent")); up+absent != 0 {
		t.Errorf("a BIRD that hangs is up: %v, absent: %v", up, absent)
	}
	r.put(node(4, 0))
	c.awaitOutput("level=ERROR", "not applied", "does not answer")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "not applied")
	// The longer it waits, the longer is the pause before it tries again by itself.
	testenv.Eventually(t, patience, "some tries", func() bool { return r.metric("confd_retries_total") >= 2 })
	began := time.Now()
	r.birds[0].signal(syscall.SIGCONT)
	r.awaitMesh(2, 3, 4)
	t.Logf("live %s after BIRD went on", time.Since(began).Round(time.Millisecond))
	c.awaitOutput("BIRD answers again", "was=hung")
	r.awaitReady()
	r.awaitMetric(state("up"), 1)
	r.killBirds()
	c.awaitOutput("BIRD is not up", r.env["CONFD_SOCKET"])
	r.awaitMetric(state("absent"), 1)
	if hung := r.metric(state("hung")); hung != 0 {
		t.Error("a BIRD that is gone hangs")
	}
}

// node4 is node n without an IPv6 address.
func node4(n int) object {
	return object{kind: "Node", name: fmt.Sprintf("node-%d", n), spec: fmt.Sprintf(`{"bgp":{"ipv4Address":"10.0.0.%d/24"}}`, n)}
}

// startOne starts one daemon of the rig's.
func (r *rig) startOne(d daemonFiles) *process {
	r.t.Helper()
	program := testenv.Bird(r.t, r.version)
	if d.program == "bird6" {
		program = testenv.Bird6(r.t, r.version)
	}
	return r.startBird("a", program, r.file(d.conf), r.socket(d))
}

// testOneDaemonNeeded has BIRD 1 without its IPv6 daemon, on a node without an
// IPv6 address: nobody misses it, until the node has one.
func testOneDaemonNeeded(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, "1.6.8", pool("Never"), node4(1), node4(2), node4(3)).listen()
	c := r.start()
	r.awaitFiles()
	r.startOne(r.daemons()[0])
	r.awaitReady()
	r.put(node4(4))
	c.awaitOutput("msg=applied", "set=bird ", "state=confirmed", "Mesh_10_0_0_4")
	r.awaitReady()
	for line := range strings.Lines(c.output()) {
		complaint := strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR")
		if complaint && strings.Contains(line, "bird6") {
			t.Errorf("it complains of a daemon that nobody misses: %s", line)
		}
	}
	r.put(node(1, 0), node(2, 0))
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird6", "BIRD has not confirmed")
	r.startOne(r.daemons()[1])
	r.awaitReady()
	c.stop()
}

// testOneDaemonLate has the IPv6 daemon missing where it is needed.
func testOneDaemonLate(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, "1.6.8", mesh(3)...).listen()
	c := r.start()
	r.awaitFiles()
	r.startOne(r.daemons()[0])
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird6", "BIRD has not confirmed")
	c.awaitOutput("level=WARN", "BIRD is not up", "bird6.ctl")
	r.put(node(4, 0))
	testenv.Eventually(t, patience, "the IPv4 sessions", func() bool {
		text, err := testenv.Birdc(r.env["CONFD_SOCKET"], "show protocols")
		return err == nil && len(linesWith(text, "Mesh_10_0_0_4")) == 1
	})
	testenv.Eventually(t, patience, "/readyz to miss bird6 alone", func() bool {
		code, text := r.get("/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(text, "set bird6:") && !strings.Contains(text, "set bird:")
	})
	r.startOne(r.daemons()[1])
	r.awaitReady()
	r.awaitMesh(2, 3, 4)
	c.stop()
}
