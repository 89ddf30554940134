package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/confd/report"
	"confd/reload"
)

// bootAfter is how long the datastore may take to tell its whole state before
// BIRD runs on what it confirmed last.
const bootAfter = 500 * time.Millisecond

// bootPause is the time between two tries.
const bootPause = 5 * time.Second

// bootFromDisk has BIRD run on the files that it confirmed last, where the
// datastore does not tell in time what it should run, or what it tells cannot be
// used. It is tried until it worked.
func (d *daemon) bootFromDisk(ctx context.Context, g *errgroup.Group) {
	// Though the datastore is there; a BIRD that others run has read its files.
	stuck := len(d.children.commands) > 0 && (d.failures.tries > 0 || d.waiting != "" || d.held != nil)
	if d.booted || d.live != nil || d.in.complete() && !stuck || time.Since(d.began) < bootAfter || time.Now().Before(d.bootAt) ||
		d.node.settings.Templates.SyncOnly {
		return
	}
	d.bootAt = time.Now().Add(bootPause)
	if err := d.findBirds(ctx); err != nil {
		return
	}
	records, err := reload.Records(d.birds.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("what BIRD confirmed last is not known", "error", err)
	}
	d.booted = true
	if len(records) == 0 {
		d.log.Info("waiting for the datastore: there are no files from before", "folder", d.birds.dir, "error", d.in.missing())
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
	daemon := reload.Daemon{Socket: d.birds.socket, Binary: d.birds.binary}
	if r.Set == "bird6" {
		daemon.Socket, daemon.Binary = d.birds.socket6, d.birds.binary6
	}
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
		why = "what the datastore asks for cannot be used"
	}
	d.log.Warn(why+": BIRD runs on the files from before", "set", r.Set, "state", res.State.String(),
		"age", time.Since(at).Round(time.Second), "revision", generation.Mark, "bird", res.Version, "error", d.in.missing())
	d.boot = &report.Stale{Confirmed: at, Revision: generation.Mark}
	d.startChildren(ctx, g, daemon.Socket)
	return true
}
