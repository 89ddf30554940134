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

// bootFromDisk has BIRD run on the files that it confirmed last, where the
// datastore does not tell in time what it should run. It is tried once; for as
// long as no BIRD can be found, again.
func (d *daemon) bootFromDisk(ctx context.Context, g *errgroup.Group) {
	if d.booted || d.in.complete() || time.Since(d.began) < bootAfter {
		return
	}
	if err := d.findBirds(ctx); err != nil {
		return
	}
	d.booted = true
	records, err := reload.Records(d.birds.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("what BIRD confirmed last is not known", "error", err)
	}
	if len(records) == 0 {
		d.log.Info("waiting for the datastore: there are no files from before", "folder", d.birds.dir, "error", d.in.missing())
		return
	}
	d.watchBirds(ctx, g)
	for _, r := range records {
		d.bootSet(ctx, g, r)
	}
	d.observer.changed()
}

// bootSet has one BIRD run on its files from before.
func (d *daemon) bootSet(ctx context.Context, g *errgroup.Group, r reload.Record) {
	daemon := reload.Daemon{Socket: d.birds.socket, Binary: d.birds.binary}
	if r.Set == "bird6" {
		daemon.Socket, daemon.Binary = d.birds.socket6, d.birds.binary6
	}
	res, err := d.applier.Boot(ctx, r, daemon)
	if err != nil {
		d.log.Error("the files from before are not used: waiting for the datastore", "set", r.Set, "error", err)
		return
	}
	generation, _ := r.Find(res.Hash)
	at := generation.Confirmed
	if at.IsZero() {
		at = generation.Checked
	}
	d.log.Warn("the datastore is away: BIRD runs on the files from before", "set", r.Set, "state", res.State.String(),
		"age", time.Since(at).Round(time.Second), "revision", generation.Mark, "bird", res.Version, "error", d.in.missing())
	d.boot = &report.Stale{Confirmed: at, Revision: generation.Mark}
	d.startChildren(ctx, g, daemon.Socket)
}
