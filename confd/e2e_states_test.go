package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"confd/internal/report"
	"confd/internal/testenv"
)

// TestStates has the program find its way out of states that are rare: trials
// that break off, daemons of which one has failed, repairs that do not work at
// once, BIRDs that are away.
func TestStates(t *testing.T) {
	t.Parallel()
	runScenarios(t,
		scenario{"trial whose command fails", testTrialCommandFails},
		scenario{"trial, other daemon refuses", testTrialOtherRefuses},
		scenario{"trial, other daemon hangs", testTrialOtherHangs},
		scenario{"trial failed, confd restarted", testTrialFailedBefore},
		scenario{"set ahead of the other", testSetAhead},
		scenario{"refused by one daemon", testRefusedByOne},
		scenario{"no IPv6 daemon at all", testNoIPv6Daemon},
		scenario{"child, refused at the start", testChildRefused},
		scenario{"repair that fails", testRepairFails},
		scenario{"BIRD hung and dead", testHungAndDead},
		scenario{"approval left over", testApprovalLeftOver},
		scenario{"mesh off while BIRD restarts", testHeldWhileAway},
	)
}

// awaitRetries waits until confd has tried n times more, during which /readyz
// never says that all is well.
func (r *rig) awaitRetries(n int) {
	r.t.Helper()
	until := r.metric("confd_retries_total") + float64(n)
	testenv.Eventually(r.t, patience, fmt.Sprintf("%d more tries", n), func() bool {
		if code, _ := r.get("/readyz"); code == http.StatusOK {
			r.t.Fatal("/readyz says ready, and what should run does not")
		}
		return r.metric("confd_retries_total") >= until
	})
}

// wantNone fails the test where the output has one of the texts.
func (p *process) wantNone(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if n := p.count(text); n > 0 {
			p.t.Errorf("%q is %d times in the output", text, n)
		}
	}
}

// testTrialCommandFails has the reload command fail when a trial ends well.
func testTrialCommandFails(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 2, mesh4(2)...)
	files, fail := ownTemplates(oldBIRD), filepath.Join(r.dir, "fail")
	files["conf.d/bird.toml"] += fmt.Sprintf("reload_cmd = \"test ! -e %s\"\n", fail)
	r.useTemplates(files)
	c := r.startEstablished(mesh4Sessions(2), "--guard", "1s", "--min-interval", "100ms")
	writeTree(t, r.dir, map[string]string{"fail": ""})
	r.put(lone(3))
	c.awaitOutput("msg=applied", `state="on trial"`)
	c.awaitOutput("level=ERROR", "not applied", "trial", "BIRD has not confirmed", "reload command")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "not applied", "reload command")
	r.awaitRetries(1)
	// One is of the trial's end, and one of the commands that are run again.
	if n := len(linesWith(c.output(), "level=ERROR")); n > 2 {
		t.Errorf("%d errors in the log for one failure", n)
	}
	if err := os.Remove(fail); err != nil {
		t.Fatal(err)
	}
	r.put(lone(4))
	r.awaitConfigured(mesh4Sessions(2, 3, 4)...)
	r.awaitReady()
	r.awaitEstablished(mesh4Sessions(2)...)
}

// mesh2 are the sessions of both families with node 2.
func mesh2() []string { return []string{"Mesh_10_0_0_2", "Mesh_fd00__2"} }

// refusedIn6 are templates of which BIRD 1's IPv6 daemon refuses what comes of a
// node with the AS 65099.
func refusedIn6() map[string]string {
	files := ownTemplates("1.6.8")
	files["templates/main"] = strings.Replace(files["templates/main"], "  multihop;\n",
		fmt.Sprintf("  multihop;{{if and (eq .AS %d) (eq $v 6)}} and what no BIRD takes{{end}}\n", badAS), 1)
	return files
}

// testTrialOtherRefuses has BIRD 1's IPv6 daemon refuse what passed its check,
// while the other one has it on trial.
func testTrialOtherRefuses(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, "1.6.8", 2, mesh(2)...)
	r.useTemplates(refusedIn6())
	programs := filepath.Join(r.dir, "programs")
	writeTree(t, programs, map[string]string{
		"bird":  fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", testenv.Bird(t, "1.6.8")),
		"bird6": fmt.Sprintf("#!/bin/sh\ntest \"$1\" = -p || exec %s \"$@\"\n", testenv.Bird6(t, "1.6.8")),
	})
	for _, name := range []string{"bird", "bird6"} {
		if err := os.Chmod(filepath.Join(programs, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.env["CONFD_BIRD_BINARY"] = filepath.Join(programs, "bird")
	c := r.startEstablished(mesh2(), "--guard", "1s", "--min-interval", "100ms")
	r.put(node(3, badAS))
	c.awaitOutput("msg=applied", "set=bird ", `state="on trial"`)
	c.awaitOutput("level=ERROR", "not applied", "bird6", "syntax error")
	c.awaitOutput(passed, "set=bird")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "not applied", "syntax error")
	r.awaitRetries(1)
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
	r.awaitReady()
	c.wantNone("another configuration is on trial")
}

// testTrialOtherHangs has the IPv6 daemon hang after its check, while the other
// one has a change on trial.
func testTrialOtherHangs(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, "1.6.8", 2, mesh(2)...)
	files, hang := ownTemplates("1.6.8"), filepath.Join(r.dir, "hang")
	files["conf.d/bird6.toml"] += fmt.Sprintf("check_cmd = \"test ! -e %s || kill -STOP $(cat %s.pid)\"\n", hang, r.socket(r.daemons()[1]))
	r.useTemplates(files)
	c := r.startEstablished(mesh2(), "--guard", "1s", "--min-interval", "100ms", "--reload-timeout", "1s")
	writeTree(t, r.dir, map[string]string{"hang": ""})
	r.put(node(3, 0))
	c.awaitOutput("msg=applied", "set=bird ", `state="on trial"`)
	c.awaitOutput("level=ERROR", "not applied", "bird6")
	c.awaitOutput(passed, "set=bird")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird6: BIRD is hung")
	if err := os.Remove(hang); err != nil {
		t.Fatal(err)
	}
	r.put(node(4, 0))
	r.birds[1].signal(syscall.SIGCONT)
	r.awaitMesh(2, 3, 4)
	r.awaitReady()
	r.awaitEstablished(mesh2()...)
	c.wantNone("another configuration is on trial")
}

// testTrialFailedBefore restarts confd after a trial that failed, and changes
// what has nothing to do with it.
func testTrialFailedBefore(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 2, append(mesh4(2), lone(3))...)
	r.useTemplates(ownTemplates(oldBIRD))
	guarded := []string{"--guard", "1s", "--min-interval", "100ms"}
	c := r.startEstablished(mesh4Sessions(2), guarded...)
	text := readFile(t, r.conf())
	const why = "went down: Mesh_10_0_0_2"
	bad := object{kind: "Node", name: "node-3", spec: `{"bgp":{"ipv4Address":"10.0.0.3/24","asNumber":65077}}`}
	r.put(bad)
	c.awaitOutput("level=ERROR", "held back", why, "Node node-3")
	r.awaitEstablished(mesh4Sessions(2)...)
	r.awaitFile(text)
	testenv.Eventually(t, patience, "a report of what failed", func() bool { return r.report().Held != nil })
	c.stop()
	c = r.start(guarded...)
	r.isHeld(c, 1, r.report().Held.Why, "Node node-3")
	r.stays("held, and something else changes", func() {
		for i := range 2 { // when it is at the second one it is through with the first
			rendered := r.metric(`confd_renders_total{result="ok"}`)
			r.putBlock(fmt.Sprintf("10.128.%d.0-26", i+1))
			testenv.Eventually(t, patience, "the block to be looked at", func() bool { return r.metric(`confd_renders_total{result="ok"}`) > rendered })
		}
	})
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "held back", why, "Node node-3")
	r.put(lone(3))
	r.awaitBlock("10.128.2.0/26")
	r.awaitReady()
	r.awaitEstablished(mesh4Sessions(2)...)
	if n := r.metric(undoneCount); n > 0 {
		t.Errorf("what has failed was tried again %v times", n)
	}
}

// testSetAhead has the IPv6 daemon hang: the other one gets a change, and keeps
// it.
func testSetAhead(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, "1.6.8", mesh(2)...).listen()
	c := r.start("--verify-interval", "3s", "--reload-timeout", "1s")
	r.awaitFiles()
	r.startBirds()
	r.awaitMesh(2)
	r.awaitReady()
	reloads := r.birds[0].count("Reconfiguring\n")
	r.birds[1].signal(syscall.SIGSTOP)
	r.put(node(3, 0))
	c.awaitOutput("level=ERROR", "not applied", "bird6")
	if !strings.Contains(readFile(t, r.conf()), "Mesh_10_0_0_3") {
		t.Error("bird has to wait for bird6")
	}
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird6: BIRD is hung")
	r.birds[1].signal(syscall.SIGCONT)
	// It sees that when it looks at all sets: bird comes before bird6.
	c.awaitOutput("BIRD answers again", "set=bird6", "was=hung")
	r.awaitMesh(2, 3)
	r.awaitReady()
	if n := r.birds[0].count("Reconfiguring\n") - reloads; n != 1 {
		t.Errorf("bird was reconfigured %d times for one change", n)
	}
	c.wantNone("not as it was left")
}

// testRefusedByOne has an object be refused by the IPv6 daemon alone: the other
// one does not get it either.
func testRefusedByOne(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, "1.6.8", mesh(2)...).listen()
	r.useTemplates(refusedIn6())
	c := r.start()
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	const added = "Adding protocol Mesh_10_0_0_3"
	r.put(node(3, badAS))
	c.awaitOutput("level=ERROR", "quarantined", `object="Node node-3"`, "bird6.cfg:")
	r.put(node(4, 0))
	r.awaitMesh(2, 4)
	r.awaitQuarantine("Node", "node-3")
	r.awaitReady()
	if n := r.birds[0].count(added); n > 0 {
		t.Errorf("bird had a session for a while that bird6 refuses: %d times", n)
	}
	r.put(node(3, 0))
	r.awaitMesh(2, 3, 4)
	r.awaitReady()
	if r.birds[0].count(added) != 1 {
		t.Errorf("bird does not say %q when it has the session", added)
	}
}

// testNoIPv6Daemon has BIRD 1 without any bird6 on a node without IPv6: no
// program to check with, and nobody who runs.
func testNoIPv6Daemon(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, "1.6.8", mesh4(2)...).listen()
	r.env["CONFD_BIRD_BINARY"] = filepath.Join(r.dir, "bird")
	if err := os.Symlink(testenv.Bird(t, "1.6.8"), r.env["CONFD_BIRD_BINARY"]); err != nil {
		t.Fatal(err)
	}
	c := r.start("--verify-interval", "300ms")
	r.awaitFiles()
	bird := r.startOne(r.daemons()[0])
	r.awaitReady()
	reloads := bird.count("Reconfiguring\n")
	r.put(configuration(`"nodeToNodeMeshEnabled":true,"asNumber":64999,"logSeverityScreen":"Debug"`)) // which is in both files
	c.awaitOutput("msg=applied", "set=bird ", "state=confirmed", "BGPConfiguration default")
	r.awaitReady()
	r.put(lone(3))
	c.awaitOutput("msg=applied", "set=bird ", "state=confirmed", "Mesh_10_0_0_3")
	r.awaitReady()
	if text := readFile(t, r.conf()); !strings.Contains(text, "64999") || !strings.Contains(text, "Mesh_10_0_0_3") {
		t.Error("bird.cfg does not have both changes")
	}
	if n := bird.count("Reconfiguring\n") - reloads; n != 2 {
		t.Errorf("bird was reconfigured %d times for two changes", n)
	}
	for i := range 2 { // it looks at bird first, so that it has looked at bird6 then
		r.edit(r.conf())
		c.awaitOutputs(i+1, `msg="put right"`, "set=bird ")
	}
	r.awaitReady()
	c.wantNone("level=ERROR")
	if lines := linesWith(c.output(), "not as it was left", "set=bird6"); len(lines) > 0 {
		t.Errorf("it puts right what nobody reads: %s", lines)
	}
}

// testChildRefused starts confd, which runs BIRD, with templates that BIRD
// refuses: BIRD runs on the files from before.
func testChildRefused(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	files := ownTemplates(oldBIRD)
	good := files["templates/main"]
	r.useTemplates(files)
	args := r.asChildren()
	c := r.start(args...)
	r.awaitReady()
	c.stop()
	files["templates/main"] = good + "\nwhat no BIRD takes;\n"
	writeTree(t, r.env["CONFD_CONFDIR"], files)
	c = r.start(args...)
	c.awaitOutput("level=ERROR", "not applied", "syntax error")
	c.awaitOutput("level=WARN", "what should run is not in place: BIRD runs on the files from before", "set=bird")
	r.awaitMesh(2)
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "not applied", "syntax error")
	pid := r.awaitChild(r.daemons()[0])
	files["templates/main"] = good
	writeTree(t, r.env["CONFD_CONFDIR"], files)
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
	r.awaitReady()
	if now := r.childPID(r.daemons()[0]); now != pid {
		t.Errorf("BIRD was process %d, and is %d: it should go on", pid, now)
	}
	c.stop()
}

// wire is where confd looks for BIRD's socket: it passes on what is said, but
// for "configure" while it is cut.
type wire struct {
	bird string // where BIRD listens
	cut  atomic.Bool
	lost atomic.Int32 // how often confd was cut off
}

func startWire(t *testing.T, path, bird string) *wire {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &wire{bird: bird}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go w.pass(from)
		}
	}()
	return w
}

// pass serves one connection, until one of its ends closes it.
func (w *wire) pass(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("unix", w.bird)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(from, to) // ends when either is closed
		from.Close()
	}()
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "configure") && w.cut.Load() {
			w.lost.Add(1)
			return
		}
		if _, err := io.WriteString(to, line); err != nil {
			return
		}
	}
}

// testRepairFails has BIRD read another file, and not hear when confd tells it
// to read the right one.
func testRepairFails(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	real := filepath.Join(r.dir, "real.ctl")
	w := startWire(t, r.env["CONFD_SOCKET"], real)
	c := r.start("--verify-interval", "300ms", "--reload-timeout", "2s")
	r.awaitFiles()
	r.startBird("a", testenv.Bird(t, oldBIRD), r.conf(), real)
	r.awaitMesh(2)
	r.awaitReady()
	// A reconfiguration within three seconds of ours is not told from ours.
	time.Sleep(4 * time.Second)
	writeTree(t, r.dir, map[string]string{"other.conf": otherConf})
	w.cut.Store(true)
	if _, err := testenv.Birdc(real, fmt.Sprintf("configure %q", filepath.Join(r.dir, "other.conf"))); err != nil {
		t.Fatal(err)
	}
	c.awaitOutput("level=ERROR", "not put right: trying again", "set=bird")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "not applied")
	lost := w.lost.Load()
	testenv.Eventually(t, patience, "another try", func() bool {
		if code, _ := r.get("/readyz"); code == http.StatusOK {
			t.Fatal("/readyz says ready while BIRD uses another file")
		}
		return w.lost.Load() > lost
	})
	w.cut.Store(false)
	r.awaitReady()
	if got := r.sessions(); len(got) != 2 {
		t.Errorf("ready with the sessions %v", got)
	}
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
	r.awaitReady()
}

// testHungAndDead has BIRD hang while something changes, and then end. What it
// has not confirmed does not count as applied.
func testHungAndDead(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh4(2)...).listen()
	c := r.start("--verify-interval", "3s", "--reload-timeout", "1s")
	r.awaitFiles()
	r.startBirds()
	r.awaitReady()
	const applied = `confd_apply_duration_seconds_count{set="bird"}`
	r.put(lone(3))
	c.awaitOutput("msg=applied", "state=confirmed", "Mesh_10_0_0_3")
	r.awaitReady()
	count := r.metric(applied)
	r.birds[0].signal(syscall.SIGSTOP)
	r.put(lone(4))
	c.awaitOutput("level=ERROR", "not applied")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird: BIRD is hung")
	if lines := linesWith(c.output(), "msg=applied", "state=confirmed", "Mesh_10_0_0_4"); len(lines) > 0 {
		t.Errorf("it says of a BIRD that hangs: %s", lines)
	}
	if n := r.metric(applied) - count; n != 0 {
		t.Errorf("%s grew by %v while BIRD hung", applied, n)
	}
	r.birds[0].signal(syscall.SIGCONT)
	r.awaitConfigured(mesh4Sessions(2, 3, 4)...)
	r.awaitReady()
	r.awaitMetric(applied, count+1)
	r.killBirds()
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird: BIRD is absent")
}

// testApprovalLeftOver has somebody approve what is over by then: that does not
// let the same happen again.
func testApprovalLeftOver(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(4)...)
	c := r.startEstablished(mesh4Sessions(2, 3, 4))
	r.put(meshIs(false))
	r.isHeld(c, 1, threeOfThree, switchedOff)
	c.stop()
	c = r.start()
	r.isHeld(c, 1, threeOfThree, switchedOff)
	old := *r.report().Held
	r.put(meshIs(true))
	c.awaitOutput("nothing is held back any more")
	r.awaitReady()
	if err := report.Approve(r.env["CONFD_BIRD_DIR"], old); err != nil {
		t.Fatal(err)
	}
	r.put(meshIs(false))
	r.isHeld(c, 1, threeOfThree, switchedOff)
	if now := r.report().Held.Hash; now != old.Hash {
		t.Fatalf("it is held as %s, and was as %s: the approval is of something else", now, old.Hash)
	}
	r.putBlock("10.128.1.0-26") // when that is there, it has looked for approvals
	r.awaitBlock("10.128.1.0/26")
	r.awaitEstablished(mesh4Sessions(2, 3, 4)...)
	c.wantNone("what was held back is approved")
	r.approve(c, threeOfThree, switchedOff)
}

// testHeldWhileAway switches the mesh off while BIRD is restarted, so that no
// session is established.
func testHeldWhileAway(t *testing.T, confd string) {
	r := newPeeredRig(t, confd, oldBIRD, 4, mesh4(4)...)
	c := r.startEstablished(mesh4Sessions(2, 3, 4))
	text := readFile(t, r.conf())
	r.killBirds()
	r.awaitMetric(`confd_bird_state{set="bird",state="absent"}`, 1)
	r.put(meshIs(false))
	r.isHeld(c, 1, threeOfThree, switchedOff)
	if readFile(t, r.conf()) != text {
		t.Error("BIRD will start with another file")
	}
	r.startBirds()
	r.awaitEstablished(mesh4Sessions(2, 3, 4)...)
	r.isHeld(c, 1, threeOfThree, switchedOff)
}
