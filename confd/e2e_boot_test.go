package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/report"
	"confd/internal/testenv"
)

// listen has confd serve on a socket of the rig.
func (r *rig) listen() *rig {
	r.env["CONFD_LISTEN"] = "unix:" + filepath.Join(r.dir, "http")
	return r
}

// get asks confd for a path. The code is 0 where it does not answer.
func (r *rig) get(path string) (code int, body string) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(r.dir, "http"))
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://confd" + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

func (r *rig) awaitReady() {
	r.t.Helper()
	r.awaitAnswer("/readyz", http.StatusOK, "ready")
}

// awaitAnswer waits until a path is answered with a code, and a line that has
// all of the texts.
func (r *rig) awaitAnswer(path string, code int, texts ...string) {
	r.t.Helper()
	var body string
	defer func() {
		if r.t.Failed() && body != "" {
			r.t.Logf("%s said last:\n%.3000s", path, body)
		}
	}()
	testenv.Eventually(r.t, patience, fmt.Sprintf("%s to say %d with %q", path, code, texts), func() bool {
		var got int
		got, body = r.get(path)
		return got == code && len(linesWith(body, texts...)) > 0
	})
}

// metric is the value of a sample, such as confd_held, or name{label="x"}; 0
// where it is not there.
func (r *rig) metric(sample string) float64 {
	r.t.Helper()
	_, body := r.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				r.t.Fatalf("metric %q: %v", line, err)
			}
			return value
		}
	}
	return 0
}

func (r *rig) awaitMetric(sample string, want float64) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, fmt.Sprintf("%s to be %v", sample, want), func() bool { return r.metric(sample) == want })
}

// report is what confd has written of itself last. It waits for the first one.
func (r *rig) report() report.Report {
	r.t.Helper()
	var got *report.Report
	testenv.Eventually(r.t, patience, "a report", func() bool {
		var err error
		if got, err = report.Read(r.env["CONFD_BIRD_DIR"]); err != nil {
			r.t.Fatal(err)
		}
		return got != nil
	})
	return *got
}

// asChildren returns the arguments with which confd runs the rig's BIRDs, which
// end with the test.
func (r *rig) asChildren() []string {
	r.t.Helper()
	var args []string
	for _, d := range r.daemons() {
		program := testenv.Bird(r.t, r.version)
		if d.program == "bird6" {
			program = testenv.Bird6(r.t, r.version)
		}
		command := strings.Join(r.lab.Command("a", program, "-f", "-c", r.file(d.conf), "-s", r.socket(d), "-P", r.socket(d)+".pid").Args, " ")
		args = append(args, "--exec", command)
	}
	r.t.Cleanup(func() {
		for _, d := range r.daemons() {
			if pid := r.childPID(d); pid != 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // fails only where it is gone
			}
		}
	})
	return args
}

func (r *rig) socket(d daemonFiles) string { return filepath.Join(r.dir, d.socket) }

// childPID is the process of a BIRD that confd started; 0 where there is none.
func (r *rig) childPID(d daemonFiles) int {
	text, err := os.ReadFile(r.socket(d) + ".pid")
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(command), r.socket(d)) {
		return 0
	}
	return pid
}

// awaitChild waits until a BIRD answers that confd started, and returns its
// process.
func (r *rig) awaitChild(d daemonFiles) (pid int) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, d.program+" to be started", func() bool {
		_, err := testenv.Birdc(r.socket(d), "show status")
		pid = r.childPID(d)
		return err == nil && pid != 0
	})
	return pid
}

// wantOrder fails the test where the first line with the texts before does not
// come before the first one with the texts after.
func (p *process) wantOrder(before, after []string) {
	p.t.Helper()
	first := func(texts []string) int {
		return slices.IndexFunc(slices.Collect(strings.Lines(p.output())), func(line string) bool {
			return len(linesWith(line, texts...)) > 0
		})
	}
	if a, b := first(before), first(after); a < 0 || b < 0 || a > b {
		p.t.Errorf("%q is line %d of the output, and %q line %d: want both, in this order", before, a, after, b)
	}
}

// startWithBirds starts confd, and the BIRDs: as its children, or beside it. The
// arguments are those to start it with again.
func (r *rig) startWithBirds(asChildren bool) (c *process, args []string) {
	r.t.Helper()
	if asChildren {
		args = r.asChildren()
	}
	c = r.start(args...)
	if !asChildren {
		r.awaitFiles()
		r.startBirds()
	}
	r.awaitReady()
	return c, args
}

// testBoot starts confd on what lies on disk from the run before.
func testBoot(t *testing.T, confd string) {
	for _, c := range []struct {
		name, version string
		child         bool
	}{
		{"sidecar", oldBIRD, false},
		{"two children", "1.6.8", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newEtcdRig(t, confd, c.version, mesh(3)...).listen()
			first, args := r.startWithBirds(c.child)
			revision := ""
			testenv.Eventually(t, patience, "a report with sets", func() bool {
				if report := r.report(); len(report.Sets) > 0 {
					revision = report.Sets[0].Revision
				}
				return revision != ""
			})
			first.stop()
			r.etcd.Kill()
			again := r.start(args...)
			for _, d := range r.daemons() {
				again.awaitOutput("level=WARN", "the datastore is away: BIRD runs on the files from before", "set="+d.program, "age=", "revision="+revision)
			}
			r.awaitMesh(2, 3)
			r.wantStale(revision)
			good := readFile(t, r.conf())
			r.edit(r.conf())
			again.awaitOutput("not as it was left: putting it right", r.conf())
			r.awaitFile(good)
			again.awaitOutputs(1, `msg="put right"`)
			killed := time.Now()
			if c.child {
				for _, d := range r.daemons() {
					_ = syscall.Kill(r.childPID(d), syscall.SIGKILL) // nothing is put right where it fails
				}
			} else {
				r.killBirds()
				r.startBirds()
			}
			testenv.Eventually(t, patience, "the BIRDs that were started again to confirm", func() bool {
				return !slices.ContainsFunc(r.report().Sets, func(s report.Set) bool { return s.ConfirmedAt.Before(killed) })
			})
			r.awaitMesh(2, 3)
			r.etcd.Restart()
			r.awaitReady()
			r.awaitMetric("confd_stale_age_seconds", 0)
			r.put(node(4, 0))
			r.awaitMesh(2, 3, 4)
			testenv.Eventually(t, patience, "a report that is not stale", func() bool { return r.report().Stale == nil })
			again.stop()
		})
	}
}

// wantStale waits until all who can be asked say that BIRD runs without a
// datastore.
func (r *rig) wantStale(revision string) {
	r.t.Helper()
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "the datastore is away: BIRD runs on files of")
	r.awaitAnswer("/readyz", http.StatusServiceUnavailable, "datastore etcd is out of step")
	r.awaitAnswer("/livez", http.StatusOK, "alive")
	if age := r.metric("confd_stale_age_seconds"); age <= 0 {
		r.t.Errorf("confd_stale_age_seconds is %v", age)
	}
	testenv.Eventually(r.t, patience, "a report that is stale", func() bool { return r.report().Stale != nil })
	stale := r.report().Stale
	if stale.Revision != revision || stale.Confirmed.IsZero() || r.report().Ready {
		r.t.Errorf("the report says %+v: want revision %s, confirmed some time, and not ready", stale, revision)
	}
}

// byHand is what somebody adds to a file, who should not.
const byHand = "# added by hand\n"

// edit adds a line to a file, in place.
func (r *rig) edit(path string) {
	r.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(byHand); err != nil {
		r.t.Fatal(err)
	}
}
