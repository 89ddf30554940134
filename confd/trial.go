package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"confd/bgp"
	"confd/confd/report"
	"confd/reload"
)

// guard says which sessions must stay up while w is on trial: those that are
// established now, and that the change does not concern. What cannot be told is
// not guarded: after a start nobody knows what was there before, and new
// templates may mean anything.
func (d *daemon) guard(w *wanted, up map[string][]string) {
	if d.live == nil || d.stale {
		return
	}
	c := bgp.Compare(d.live.config, w.config, w.version.Major)
	for i, s := range w.sets {
		stay := slices.DeleteFunc(slices.Clone(up[s.Name]), func(name string) bool {
			return slices.Contains(c.Removed, name) || slices.Contains(c.Restarted, name)
		})
		w.sets[i].Guard = &reload.Guard{Within: d.node.settings.Safety.Guard, Stay: stay}
	}
}

// begunTrial says whether a set of w is on trial, and notes that it is.
func (d *daemon) begunTrial(w *wanted, results []reload.Result) bool {
	d.trying = nil
	for i, r := range results {
		if r.State == reload.OnTrial {
			d.trying = append(d.trying, w.sets[i])
		}
	}
	if len(d.trying) > 0 {
		d.trial = w
	}
	return d.trial != nil
}

// lookAtTrial looks how what is on trial does.
func (d *daemon) lookAtTrial(ctx context.Context) {
	if d.trial == nil {
		return
	}
	w := d.trial
	for _, s := range slices.Clone(d.trying) {
		r, err := d.applier.Trial(ctx, s)
		undone := (*reload.UndoneError)(nil)
		switch {
		case errors.As(err, &undone):
			d.noteResult(s, r, err)
			d.undone(w, err)
			return
		case err != nil:
			d.log.Debug("looking at the trial", "set", s.Name, "error", err)
		case r.State != reload.OnTrial:
			d.noteResult(s, r, nil)
			d.trying = slices.DeleteFunc(d.trying, func(t reload.Set) bool { return t.Name == s.Name })
			d.log.Info("confirmed: the sessions stayed up", "set", s.Name, "trial", d.node.settings.Safety.Guard)
		}
	}
	if len(d.trying) == 0 {
		d.goLive(w)
	}
}

// undone keeps what has failed its trial back, until its input changes. A set
// that did not fail is put back with the others.
func (d *daemon) undone(w *wanted, err error) {
	d.trial, d.trying, d.dirty = nil, nil, true
	d.failed = w.hash
	d.keepBack(&heldError{report.Held{
		Hash: d.failed, Since: time.Now(), Why: err.Error(), Objects: keyTexts(w.changed),
	}})
	d.repairAll = true
	d.observer.changed()
}
