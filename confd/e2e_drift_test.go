package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// otherConf is a file that BIRD takes, and that has nothing of ours.
const otherConf = "router id 10.0.0.9;\nprotocol device {}\n"

// testDrift has somebody change what confd left.
func testDrift(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(3)...).listen()
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
	r.drift("file edited", func() { r.edit(r.conf()) }, "file")
	r.drift("BIRD started with another file in place", func() {
		c.signal(syscall.SIGSTOP)
		r.birds[0].kill()
		r.exchange(otherConf)
		r.birds[0] = r.startOne(r.daemons()[0])
		c.signal(syscall.SIGCONT)
	}, "file", "restart")
	r.awaitReady()
	c.awaitOutput("level=WARN", "not as it was left: putting it right", "BIRD was reconfigured by somebody else")
	c.awaitOutputs(2, "level=WARN", "not as it was left: putting it right", r.conf())
	if n := c.count("level=ERROR"); n > 0 {
		t.Errorf("%d errors in the log", n)
	}
	c.stop()
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

// startOne starts one daemon of the rig's.
func (r *rig) startOne(d daemonFiles) *process {
	r.t.Helper()
	program := testenv.Bird(r.t, r.version)
	if d.program == "bird6" {
		program = testenv.Bird6(r.t, r.version)
	}
	return r.startBird("a", program, r.file(d.conf), r.socket(d))
}
