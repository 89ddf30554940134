package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"confd/backends"
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

// onTrial says that a set is on trial: with d.trial, or still, where another set
// of it has failed.
func (d *daemon) onTrial() bool { return len(d.trying) > 0 }

// lookAtTrial looks how what is on trial does.
func (d *daemon) lookAtTrial(ctx context.Context) {
	if !d.onTrial() {
		return
	}
	w := d.trial
	for _, s := range slices.Clone(d.trying) {
		r, err := d.applier.Trial(ctx, s)
		undone := (*reload.UndoneError)(nil)
		switch {
		case errors.As(err, &undone):
			d.noteResult(s, r, err)
			d.endTrial(s)
			if w != nil {
				d.undone(w, err)
			}
			return
		case err != nil:
			d.log.Debug("looking at the trial", "set", s.Name, "error", err)
		case r.State != reload.OnTrial:
			d.noteResult(s, r, nil)
			d.endTrial(s)
			d.log.Info("confirmed: the sessions stayed up", "set", s.Name, "trial", d.node.settings.Safety.Guard)
		}
	}
	if !d.onTrial() && w != nil {
		stale, proven := d.stale, d.proven // templates that have changed meanwhile
		d.goLive(w)
		d.stale, d.proven = stale, proven
	}
}

func (d *daemon) endTrial(s reload.Set) {
	d.trying = slices.DeleteFunc(d.trying, func(t reload.Set) bool { return t.Name == s.Name })
}

// undone keeps what has failed its trial back, until one of the objects changes
// that it came from. A set that did not fail is put back when its own trial is
// over.
func (d *daemon) undone(w *wanted, err error) {
	d.trial, d.dirty = nil, true
	d.failed = map[backends.Key]backends.Resource{}
	for _, k := range w.changed {
		d.changedKeys[k] = true
		d.failed[k], _ = d.in.state.Get(k)
	}
	if d.since.IsZero() {
		d.since = orNow(w.times.event)
	}
	d.held = nil
	d.keepBack(&heldError{report.Held{Hash: w.hash, Since: time.Now(), Why: err.Error(), Objects: keyTexts(w.changed)}})
	d.repairAll = true
	d.observer.changed()
}

func orNow(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now()
	}
	return t
}

// failedBefore holds w back where it comes from the same objects as what has
// failed its trial, and nobody has approved that.
func (d *daemon) failedBefore(w *wanted) error {
	// The program that ran here before may have tried it.
	if before := d.before.Held; d.live == nil && d.node.settings.Safety.Guard > 0 &&
		before != nil && len(before.Lost) == 0 && before.Hash == w.hash && d.approved != w.hash {
		return &heldError{*before}
	}
	if d.failed == nil || w.rest || d.held == nil {
		return nil
	}
	for k, was := range d.failed {
		if is, _ := d.in.state.Get(k); is != was {
			d.log.Info("what failed its trial has changed: it is tried again", "object", k.String())
			d.failed, d.held = nil, nil
			return nil
		}
	}
	if d.approved == d.held.Hash {
		return nil
	}
	return &heldError{*d.held}
}
