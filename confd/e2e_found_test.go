package main_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"confd/internal/testenv"
)

// limit has the BIRD of node n end its IPv4 session with node 1 when it is sent
// more than one route.
func (r *rig) limit(n int) {
	r.t.Helper()
	name := fmt.Sprintf("peer%d", n)
	path := filepath.Join(r.dir, name+".conf")
	text := readFile(r.t, path)
	limited := strings.Replace(text, "ipv4 { import all;", "ipv4 { import all; receive limit 1 action restart;", 1)
	if limited == text {
		r.t.Fatalf("%s has no IPv4 session: %s", path, text)
	}
	writeTree(r.t, r.dir, map[string]string{filepath.Base(path): limited})
	socket := filepath.Join(r.dir, name+".ctl")
	if _, err := testenv.Birdc(socket, "configure"); err != nil {
		r.t.Fatal(err)
	}
	testenv.Eventually(r.t, patience, name+" to have a limit", func() bool {
		text, err := testenv.Birdc(socket, "show protocols all one4")
		return err == nil && len(linesWith(text, "Receive limit:", "1")) > 0
	})
	r.t.Cleanup(func() {
		if r.t.Failed() {
			text, err := testenv.Birdc(socket, "show protocols all one4")
			r.t.Log(name, text, err)
		}
	})
}

// exporting are templates of a user's that send two routes to where filter lets
// them.
func exporting(filter string) map[string]string {
	files := ownTemplates(oldBIRD)
	main := strings.Replace(files["templates/main"], "export none", filter, 1)
	files["templates/main"] = main + "protocol static { ipv4; route 10.99.1.0/26 blackhole; route 10.99.2.0/26 blackhole; }\n"
	return files
}

const (
	// guardTime leaves a neighbor the seconds that it may take to end its session.
	guardTime   = "8s"
	exportOne   = "export filter { if net.len = 26 && net ~ [10.99.1.0/26] then accept; reject; }"
	fell2       = "went down: Mesh_10_0_0_2"
	undoneCount = `confd_reloads_total{result="undone",set="bird"}`
)

// testGuardChangedTemplates changes templates so that a neighbor ends its session.
func testGuardChangedTemplates(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 3, mesh4(3)...)
	r.limit(2)
	r.useTemplates(exporting("export none"))
	guarded := []string{"--guard", guardTime, "--min-interval", "100ms"}
	c := r.startEstablished(mesh4Sessions(2, 3), guarded...)
	text := readFile(t, r.conf())
	r.useTemplates(exporting("export all"))
	c.awaitOutput("msg=applied", `state="on trial"`)
	c.awaitOutput("level=ERROR", "changed templates are not used: the last good ones stay", fell2)
	r.awaitFile(text)
	r.awaitMetric(undoneCount, 1)
	r.awaitEstablished(mesh4Sessions(2, 3)...)
	r.awaitReady()

	r.put(lone(4)) // goes live with the old ones
	r.awaitConfigured(mesh4Sessions(2, 3, 4)...)
	r.awaitReady()
	if n := r.metric(undoneCount); n != 1 || strings.Contains(readFile(t, r.conf()), "export all") {
		t.Errorf("%v trials have failed: the templates that did were tried again", n)
	}
	c.awaitOutput(passed)
	c.signal(syscall.SIGHUP) // only when it is told
	r.awaitMetric(undoneCount, 2)
	r.awaitEstablished(mesh4Sessions(2, 3)...)
	r.awaitReady()
	// Those that are broken are what this program finds when it starts.
	c.stop()
	c = r.start(guarded...)
	c.awaitOutput("level=ERROR", "held back", fell2)
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", fell2)
	r.awaitEstablished(mesh4Sessions(2, 3)...)
	r.useTemplates(exporting(exportOne))
	c.awaitOutput("what failed its trial has changed", "templates")
	c.awaitOutput(passed)
	r.awaitReady()
	r.awaitEstablished(mesh4Sessions(2, 3)...)
	if !strings.Contains(readFile(t, r.conf()), exportOne) {
		t.Error("the templates that were mended are not used")
	}
}

// testGuardAfterStart changes while confd is away what makes a neighbor end its
// session.
func testGuardAfterStart(t *testing.T, confd string) {
	for _, version := range []string{oldBIRD, "1.6.8"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			r := newPeeredRig(t, confd, version, 3, mesh(3)...)
			r.limit(2)
			guarded := []string{"--guard", guardTime, "--min-interval", "100ms"}
			sessions := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_fd00__2", "Mesh_fd00__3"}
			c := r.startEstablished(sessions, guarded...)
			text, all := readFile(t, r.conf()), r.allConfs()
			c.stop()
			r.putBlock("10.128.1.0-26")
			r.putBlock("10.128.2.0-26")
			r.put(node(4, 0))
			c = r.start(guarded...)
			c.awaitOutput("msg=applied", `state="on trial"`)
			c.awaitOutput("level=ERROR", "held back", fell2)
			r.awaitFile(text)
			r.awaitEstablished(sessions...)
			r.putBlock("10.128.3.0-26") // is no reason to try again
			r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", fell2)
			c.awaitOutputs(len(r.daemons()), "what should run is not in place: BIRD runs on the files from before")
			if r.allConfs() != all {
				t.Error("not all is as it was before the trial")
			}
			r.edit(r.conf())
			c.awaitOutput("not as it was left: putting it right", r.conf())
			r.awaitFile(text)
			if n := r.metric(undoneCount); n != 1 {
				t.Errorf("%v trials have failed", n)
			}
			for _, block := range []string{"10.128.1.0-26", "10.128.2.0-26", "10.128.3.0-26"} {
				r.removeRaw(blockKey(block))
			}
			r.put(node(4, 64999))
			c.awaitOutput("what failed its trial has changed", "Node node-4")
			r.awaitReady()
			r.awaitEstablished(sessions...)
			r.awaitConfigured("Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_10_0_0_4", "Mesh_fd00__2", "Mesh_fd00__3", "Mesh_fd00__4")
		})
	}
}

// testHeldAfterStart has somebody meddle with what BIRD has while a change is
// held that was made while confd was away.
func testHeldAfterStart(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(4)...)
	sessions := mesh4Sessions(2, 3, 4)
	c := r.startEstablished(sessions)
	c.stop()
	good := readFile(t, r.conf())
	r.put(meshIs(false))
	c = r.start("--verify-interval", "300ms")
	r.isHeld(c, 1, threeOfThree, switchedOff)
	putRight := 0
	drifts := func(do func()) {
		t.Helper()
		putRight++
		do()
		r.awaitFile(good)
		c.awaitOutputs(putRight, "level=WARN", "not as it was left: putting it right", r.conf())
		c.awaitOutputs(putRight, `msg="put right"`)
	}
	drifts(func() { r.edit(r.conf()) })
	drifts(func() { r.exchange("") })
	drifts(func() {
		r.killBirds()
		r.exchange(otherConf)
		r.startBirds()
	})
	r.awaitEstablished(sessions...)
	r.approve(c, threeOfThree, switchedOff)
}

// testBrokenTemplates starts confd with templates that are broken, after a run
// with some that were not.
func testBrokenTemplates(t *testing.T, confd string) {
	for _, c := range []struct {
		name, version string
		child         bool
	}{
		{"sidecar", oldBIRD, false},
		{"child", oldBIRD, true},
		{"two children", "1.6.8", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newEtcdRig(t, confd, c.version, mesh(3)...).listen()
			files := ownTemplates(c.version)
			good := files["templates/main"]
			r.useTemplates(files)
			first, args := r.startWithBirds(c.child)
			first.stop()
			files["templates/main"] = good + "{{range}}"
			r.useTemplates(files)
			r.once("--onetime").want(t, 1, "templates/main", "range")
			again := r.start(args...)
			again.awaitOutput("level=ERROR", "the templates cannot be used", "templates/main", "range")
			for _, d := range r.daemons() {
				again.awaitOutput("level=WARN", "what should run is not in place: BIRD runs on the files from before", "set="+d.program)
			}
			r.awaitMesh(2, 3)
			r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "waiting", "templates")
			r.awaitAnswer("/livez", http.StatusOK, "alive")
			r.put(node(4, 0))
			files["templates/main"] = good
			r.useTemplates(files)
			r.awaitMesh(2, 3, 4)
			r.awaitReady()
			again.stop()
		})
	}
}
