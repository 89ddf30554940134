package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// bootAfter is how long the datastore may take to tell its whole state before
// BIRD runs on what it confirmed last.
const bootAfter = 500 * time.Millisecond

// bootPause is the time between two tries.
const bootPause = 5 * time.Second

// bootFromDisk has BIRD run on the files that it confirmed last, where the
// datastore does not tell in time what it should run, or what it tells cannot be
// used. It is tried until it worked; a BIRD that hangs would only keep the loop.
func (d *daemon) bootFromDisk(ctx context.Context, g *errgroup.Group) {
	// Though the datastore is there.
	stuck := d.failures.tries > 0 && !d.hung() || d.waiting != "" || d.held != nil
	if d.booted || d.live != nil || d.onTrial() || d.back || d.in.complete() && !stuck || time.Since(d.began) < bootAfter || time.Now().Before(d.bootAt) ||
		d.node.settings.Templates.SyncOnly {
		return
	}
	d.bootAt = time.Now().Add(bootPause)
	if err := d.findBirds(ctx); err != nil {
		return
	}
	records, err := reload.Records(d.birds.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("what BIRD confirmed last is not known", "error", err)
	}
	d.booted = true
	if len(records) == 0 {
		d.log.Info("waiting for the datastore: there are no files from before", "folder", d.birds.Dir, "error", d.in.missing())
		return
	}
	d.watchBirds(ctx, g)
	if err := d.prepareChildren(ctx, g); err != nil {
		return
	}
	for _, r := range records {
		if !d.bootSet(ctx, g, r) {
			d.booted = false
		}
	}
	d.observer.changed()
}

// bootSet has one BIRD run on its files from before, and says whether it does.
func (d *daemon) bootSet(ctx context.Context, g *errgroup.Group, r reload.Record) bool {
	daemon := d.birds.Reader(r.Set, r.Main)
	res, err := d.applier.Boot(ctx, r, daemon)
	if err != nil {
		if text := numbers.ReplaceAllString(err.Error(), "N"); d.standing(r.Set).found != text {
			d.standing(r.Set).found = text
			d.log.Error("the files from before are not used: waiting for the datastore", "set", r.Set, "error", err)
		}
		return false
	}
	generation, _ := r.Find(res.Hash)
	at := generation.Confirmed
	if at.IsZero() {
		at = generation.Checked
	}
	why := "the datastore is away"
	if d.in.complete() {
		why = "what should run is not in place"
	}
	d.log.Warn(why+": BIRD runs on the files from before", "set", r.Set, "state", res.State.String(),
		"age", time.Since(at).Round(time.Second), "revision", generation.Mark, "bird", res.Version, "error", d.in.missing())
	d.boot = &report.Stale{Why: why, Confirmed: at, Revision: generation.Mark}
	d.noteFound(r, res)
	d.startChildren(ctx, g, daemon.Socket)
	return true
}

// noteFound notes that BIRD runs on files from before: from now on they are
// looked after, as those are that this program has written itself.
func (d *daemon) noteFound(r reload.Record, res reload.Result) {
	s, g, err := r.OnDisk()
	if err != nil || g.Hash != res.Hash {
		return // changed this very moment
	}
	daemon := d.birds.Reader(r.Set, r.Main)
	s.Daemon = &daemon
	d.found = slices.DeleteFunc(d.found, func(f reload.Set) bool { return f.Name == s.Name })
	d.found = append(d.found, s)
	d.noteResult(s, res, nil)
}

// confirmedBefore are the sets that BIRD confirmed before this program was
// started, as far as they lie on disk as they were then.
func (d *daemon) confirmedBefore() []reload.Set {
	records, _ := reload.Records(d.birds.Dir) // what is wrong with them is said where they are needed
	var sets []reload.Set
	for _, r := range records {
		s, g, err := r.OnDisk()
		if err != nil || g.Confirmed.IsZero() {
			continue
		}
		daemon := d.birds.Reader(r.Set, r.Main)
		s.Daemon = &daemon
		sets = append(sets, s)
	}
	return sets
}

// inUse are the sets that BIRD runs, or reads when it starts, as far as is known:
// on trial, ours, or from before.
func (d *daemon) inUse() []reload.Set {
	switch {
	case d.trial != nil:
		return d.trial.sets
	case d.live != nil:
		return d.live.sets
	}
	return d.found
}

// hung says that a BIRD takes connections and does not answer.
func (d *daemon) hung() bool {
	for _, st := range d.standings {
		if st.bird == control.Hung.String() {
			return true
		}
	}
	return false
}
