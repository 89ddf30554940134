package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// testChild runs BIRD as a child: through a crash of BIRD, SIGHUP, and the end.
func testChild(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	r.env["CONFD_CONFDIR"] = filepath.Join(r.dir, "confd")
	r.exportTemplates()
	c := r.start(append(r.asChildren(), "--verify-interval", "300ms")...)
	bird := r.daemons()[0]
	pid := r.awaitChild(bird)
	r.awaitReady()
	c.wantOrder([]string{"it will read the set when it starts", "set=bird"}, []string{"msg=started", "daemon=bird"})

	_ = syscall.Kill(pid, syscall.SIGKILL)
	c.awaitOutput("level=ERROR", "ended by itself", "daemon=bird", "signal 9")
	testenv.Eventually(t, patience, "another BIRD", func() bool { return r.awaitChild(bird) != pid })
	r.awaitMetric(`confd_child_restarts_total{name="bird"}`, 1)
	r.put(node(3, 0))
	r.awaitMesh(2, 3)
	r.awaitReady()

	pid = r.awaitChild(bird)
	// A reconfiguration within three seconds of ours is not told from ours.
	time.Sleep(4 * time.Second)
	c.signal(syscall.SIGHUP)
	c.awaitOutput("told to look at everything again", "signal=hangup")
	c.awaitOutput("templates changed: rendering anew")
	time.Sleep(time.Second) // some looks at whether all is as it was left
	r.put(node(4, 0))
	r.awaitMesh(2, 3, 4)
	r.awaitReady()
	if now := r.childPID(bird); now != pid || !c.running() {
		t.Errorf("SIGHUP ended something: BIRD was process %d, and is %d; confd runs: %v", pid, now, c.running())
	}
	if n := r.metric(`confd_drifts_total{kind="reconfigured"}`); n != 0 {
		t.Errorf("SIGHUP was taken for a reconfiguration by somebody else, %v times", n)
	}

	c.stop()
	if pid := r.childPID(bird); pid != 0 {
		t.Errorf("confd has ended, and BIRD (process %d) has not", pid)
	}
	c.wantOrder([]string{"msg=ended", "daemon=bird"}, []string{`msg="stopped, after BIRD"`})
}

// exportTemplates writes the built-in templates to the configuration folder.
func (r *rig) exportTemplates() {
	r.t.Helper()
	if err := os.CopyFS(r.env["CONFD_CONFDIR"], os.DirFS(filepath.Join(testenv.Root(r.t), "etc", "confd"))); err != nil {
		r.t.Fatal(err)
	}
}

// testKilledWithChild kills confd: BIRD goes on, and the next confd takes it
// over.
func testKilledWithChild(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	args := r.asChildren()
	c := r.start(args...)
	r.awaitReady()
	bird := r.daemons()[0]
	pid := r.awaitChild(bird)
	c.kill()
	r.put(node(3, 0))
	again := r.start(args...)
	again.awaitOutput("runs already: not started a second time", "daemon=bird")
	r.awaitMesh(2, 3)
	r.awaitReady()
	if now := r.childPID(bird); now != pid {
		t.Errorf("BIRD was process %d, and is %d: it should go on", pid, now)
	}
	again.stop()
	if pid := r.childPID(bird); pid != 0 {
		t.Errorf("confd has ended, and the BIRD that it took over (process %d) has not", pid)
	}
}

func testBadChild(t *testing.T, confd string) {
	r := newEtcdRig(t, confd, oldBIRD, mesh(2)...).listen()
	for command, texts := range map[string][]string{
		"bird -f; true": {"more than one", ";"},
		"A=b bird -f":   {"begins with a variable", "env A=b"},
	} {
		t.Run(command, func(t *testing.T) {
			r.once("--exec", command).want(t, 2, texts...)
		})
	}
	t.Run("no such program", func(t *testing.T) {
		c := r.start("--exec", "/nowhere/bird -f")
		c.awaitOutput("level=ERROR", "ended by itself", "there is no such program")
		r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "set bird", "BIRD has not confirmed")
		r.awaitAnswer("/livez", http.StatusOK, "alive")
		if n := strings.Count(c.output(), "ended by itself"); n > 10 {
			t.Errorf("it was started %d times: there is no pause", n)
		}
		c.stop()
	})
}
