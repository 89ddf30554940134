// Package status shows how BIRD's sessions are, why they are there, and whether
// what BIRD runs is what it should run: from BIRD's control sockets, and from
// the report that the running program leaves in BIRD's folder.
package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"confd/internal/report"
	"confd/reload/control"
)

// The formats of Options.
const (
	Table = "table"
	Wide  = "wide" // Table, with reasons, AS numbers, routes, and what errors mean
	JSON  = "json"
)

// Options say what to show, and how.
type Options struct {
	// Folder is BIRD's, with the report.
	Folder string
	// Sockets are BIRD's control sockets, bird's and then bird6's, for where the
	// report does not say.
	Sockets []string
	// Format is Table, Wide or JSON; empty is Table.
	Format string
	// Watch shows it again after each time this long, until the context ends;
	// 0 shows it once.
	Watch time.Duration
	// Clear clears the screen before each time; for a terminal.
	Clear bool
	// Timeout is how long a BIRD may take to answer before it counts as hung;
	// 0 is 3 s.
	Timeout time.Duration
}

// Formats lists what Options.Format can be.
func Formats() []string { return []string{Table, Wide, JSON} }

// Show prints how things stand, and says whether everything that should be up
// was so when it was printed last. What is wrong with BIRD or the program is
// shown, and no error; errors are unknown formats and a w that cannot be
// written to. While it watches the end of ctx is no error.
func Show(ctx context.Context, w io.Writer, o Options) (allUp bool, err error) {
	if o.Format != "" && !slices.Contains(Formats(), o.Format) {
		return false, fmt.Errorf("output format %q: want one of %s", o.Format, strings.Join(Formats(), ", "))
	}
	for {
		v := Look(ctx, o)
		if ctx.Err() != nil {
			return allUp, stopped(ctx, o)
		}
		allUp = v.AllUp
		if err := o.print(w, v); err != nil {
			return allUp, fmt.Errorf("printing the status: %w", err)
		}
		if o.Watch <= 0 {
			return allUp, nil
		}
		select {
		case <-ctx.Done():
			return allUp, nil
		case <-time.After(o.Watch):
		}
	}
}

// stopped is what the end of ctx means.
func stopped(ctx context.Context, o Options) error {
	if o.Watch > 0 {
		return nil
	}
	return context.Cause(ctx)
}

func (o Options) print(w io.Writer, v *View) error {
	var head string
	switch {
	case o.Watch <= 0 || o.Format == JSON:
	case o.Clear:
		head = "\x1b[H\x1b[2J" + v.At.Format(time.DateTime) + "\n"
	default:
		head = "--- " + v.At.Format(time.DateTime) + "\n"
	}
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	// One line for each view, where there are many.
	return v.write(w, o.Format, o.Watch <= 0)
}

// Look finds out how things stand. It takes at most some seconds for each BIRD
// that hangs.
func Look(ctx context.Context, o Options) *View {
	var obs observed
	obs.report, obs.reportError = report.Read(o.Folder)
	obs.programSeen = obs.report != nil && processSeen(obs.report.PID)
	obs.birds = o.daemons(obs.report)
	var asked sync.WaitGroup
	for i := range obs.birds {
		asked.Go(func() { obs.birds[i].ask(ctx, o.timeout(), (*control.Client).Sessions) })
	}
	asked.Wait()
	obs.now = time.Now()
	return obs.view()
}

// LookAt is Look for the program itself, with its newest report. Of the sessions BIRD
// is asked for names, states and last errors alone, at a tenth of the cost.
func LookAt(ctx context.Context, r *report.Report, timeout time.Duration) *View {
	obs := observed{report: r, programSeen: true, birds: Options{}.daemons(r)}
	var asked sync.WaitGroup
	for i := range obs.birds {
		asked.Go(func() { obs.birds[i].ask(ctx, timeout, (*control.Client).SessionsBrief) })
	}
	asked.Wait()
	obs.now = time.Now()
	return obs.view()
}

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return 3 * time.Second
}

// daemons are those of the report, and else those of the sockets.
func (o Options) daemons(r *report.Report) []daemon {
	var list []daemon
	if r != nil {
		for _, s := range r.Sets {
			if s.Socket != "" {
				list = append(list, daemon{name: s.Name, socket: s.Socket})
			}
		}
	}
	if len(list) > 0 {
		return list
	}
	for _, socket := range o.Sockets {
		base := filepath.Base(socket)
		list = append(list, daemon{name: strings.TrimSuffix(base, filepath.Ext(base)), socket: socket})
	}
	return list
}

// ask asks BIRD. That it answers at all must show within limit; a list of
// thousands of sessions may take longer.
func (d *daemon) ask(ctx context.Context, limit time.Duration, sessions func(*control.Client, context.Context) ([]control.SessionState, error)) {
	first, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c, err := control.Dial(first, d.socket)
	if err != nil {
		d.err = err
		return
	}
	defer c.Close()
	if d.status, d.err = c.Status(first); d.err != nil {
		return
	}
	all, cancelAll := context.WithTimeout(ctx, 5*limit)
	defer cancelAll()
	d.sessions, d.err = sessions(c, all)
}

// processSeen says whether a process is there, and runs the same program as
// this one: in another container the number can belong to anything.
func processSeen(pid int) bool {
	if pid <= 0 {
		return false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	if ended(pid) {
		return false
	}
	theirs, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return true
	}
	ours, err := os.ReadFile("/proc/self/comm")
	return err != nil || string(ours) == string(theirs)
}

// ended says whether a process has, and whoever started it has not looked yet: it keeps
// its number and its name for so long.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	name := bytes.LastIndexByte(stat, ')') // which may have brackets in it
	return err == nil && name >= 0 && bytes.HasPrefix(stat[name:], []byte(") Z"))
}
