package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"confd/internal/testenv"
)

// patience is how long any single step may take.
const patience = 3 * time.Minute

// startRest is how long a program that starts is left alone when its BIRD answers: it
// confirms, and writes down what it knows. On a busy machine it may seem to be at rest
// sooner.
const startRest = 4 * time.Second

// changeCost is what one change cost a running confd.
type changeCost struct {
	written      time.Duration // until the new bird.conf was in place
	reconfigured time.Duration // until BIRD said that it runs with it
	cpu          time.Duration // of confd itself
	childCPU     time.Duration // of the checks that it ran (bird -p)
}

// daemon is a running confd with its BIRD.
type daemon struct {
	dir    string
	within []string // the command that runs others where it is; empty: here
	confd  *exec.Cmd
	bird   *exec.Cmd
	output bytes.Buffer // of both; read only after they ended
}

// measureDaemon starts confd and BIRD, and measures the start and changes.
func measureDaemon(o options, c benchCase, s store, r *result) error {
	d, err := startDaemon(o, c, s, r)
	defer d.stop()
	if err != nil {
		return err
	}
	for run := range o.runs {
		cost, err := d.measureChange(c, func() error { return s.add(run, c.change(run)) })
		if err != nil {
			return err
		}
		r.changes = append(r.changes, cost)
	}
	r.start.rss, err = peakMemory(d.confd.Process.Pid)
	return err
}

func startDaemon(o options, c benchCase, s store, r *result) (*daemon, error) {
	d := &daemon{within: o.within}
	var err error
	if d.dir, err = os.MkdirTemp(o.work, "bird"); err != nil {
		return d, err
	}
	d.confd = d.command(o.confd, append([]string{"--bird-binary", o.bird, "--bird-dir", d.dir, "--socket", d.socket(), "--splay", "0s"}, s.args...)...)
	d.confd.Env = append(os.Environ(), "NODENAME="+c.node)
	began := time.Now()
	if err := d.confd.Start(); err != nil {
		return d, err
	}
	if err := await("the first bird.conf", func() bool { return d.version() != "" }); err != nil {
		return d, err
	}
	r.start.wall = time.Since(began)
	d.bird = d.command(o.bird, "-d", "-c", d.conf(), "-s", d.socket(), "-P", d.socket()+".pid")
	if err := d.bird.Start(); err != nil {
		return d, err
	}
	if err := await("BIRD to answer", func() bool { _, ready := d.lastReconfiguration(); return ready }); err != nil {
		return d, err
	}
	time.Sleep(startRest)
	r.start.cpu, _, err = d.settled()
	return d, err
}

// command is one that ends with this program.
func (d *daemon) command(program string, args ...string) *exec.Cmd {
	line := slices.Concat(d.within, []string{program}, args)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Stderr = &d.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (d *daemon) conf() string   { return filepath.Join(d.dir, "bird.conf") }
func (d *daemon) socket() string { return filepath.Join(d.dir, "bird.ctl") }

func (d *daemon) stop() {
	for _, cmd := range []*exec.Cmd{d.confd, d.bird} {
		if cmd != nil && cmd.Process != nil {
			_ = cmd.Process.Kill() // fails only where it is gone
			_ = cmd.Wait()
		}
	}
}

// measureChange makes a change and follows it.
func (d *daemon) measureChange(c benchCase, change func() error) (changeCost, error) {
	time.Sleep(1200 * time.Millisecond) // confd spaces reloads: a change must not wait for the one before
	cpu, childCPU, err := d.settled()
	if err != nil {
		return changeCost{}, err
	}
	version := d.version()
	config, _ := d.lastReconfiguration()
	began := time.Now()
	if err := change(); err != nil {
		return changeCost{}, err
	}
	var cost changeCost
	if !c.unaffected {
		if err := await("the new bird.conf", func() bool { return d.version() != version }); err != nil {
			return cost, err
		}
		cost.written = time.Since(began)
		if err := await("BIRD to reconfigure", func() bool {
			now, ready := d.lastReconfiguration()
			return ready && now.Sub(config) > 500*time.Millisecond
		}); err != nil {
			return cost, err
		}
		cost.reconfigured = time.Since(began)
	}
	cpuAfter, childAfter, err := d.settled()
	if c.unaffected && d.version() != version {
		return cost, errors.New("bird.conf changed, though nothing in it is about the change")
	}
	cost.cpu, cost.childCPU = cpuAfter-cpu, childAfter-childCPU
	return cost, err
}

// version tells one bird.conf from the next; empty: there is none.
func (d *daemon) version() string {
	info, err := os.Stat(d.conf())
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size(), info.Sys().(*syscall.Stat_t).Ino)
}

// lastReconfiguration is when BIRD took its configuration, by its own account,
// which wavers by some 100 ms from one answer to the next. It is ready where
// BIRD is up and not in the middle of another.
func (d *daemon) lastReconfiguration() (at time.Time, ready bool) {
	text, err := testenv.Birdc(d.socket(), "show status")
	if err != nil {
		return at, false
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "Last reconfiguration on "); ok {
			at, err = time.Parse("2006-01-02 15:04:05.000", strings.TrimSpace(rest))
		}
	}
	return at, err == nil && strings.Contains(text, "Daemon is up and running")
}

// settled waits until confd has been idle for a while, and returns the CPU
// time that it and its children have used.
func (d *daemon) settled() (own, children time.Duration, err error) {
	const quiet = 500 * time.Millisecond
	var last time.Duration
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(quiet) {
		if own, children, err = cpuTime(d.confd.Process.Pid); err != nil {
			return 0, 0, err
		}
		if now := own + children; now-last < 2*time.Millisecond {
			return own, children, nil
		}
		last = own + children
	}
	return 0, 0, fmt.Errorf("confd does not come to rest in %s", patience)
}

func await(what string, cond func() bool) error {
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("waited %s in vain for %s", patience, what)
		}
	}
	return nil
}
