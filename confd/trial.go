package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/report"
	"confd/reload"
	"confd/templates"
)

// guard says which sessions must stay up while w is on trial: those that are
// established now, and that the change does not concern. Where nobody knows what
// was there before, nothing is guarded.
func (d *daemon) guard(w *wanted, up map[string][]string) {
	for i, s := range w.sets {
		c, known := d.changesOf(w, s)
		if !known {
			continue
		}
		stay := slices.DeleteFunc(slices.Clone(up[s.Name]), func(name string) bool {
			return slices.Contains(c.Removed, name) || slices.Contains(c.Restarted, name)
		})
		w.sets[i].Guard = &reload.Guard{Within: d.node.settings.Safety.Guard, Stay: stay}
	}
}

// changesOf is what a set of w changes. After a start, or with other templates,
// the files' text says so: nothing else knows what was there, or what the
// templates make of it.
func (d *daemon) changesOf(w *wanted, s reload.Set) (bgp.Changes, bool) {
	if d.live != nil && !d.stale {
		return bgp.Compare(d.live.config, w.config, w.version.Major), true
	}
	before := d.inUse()
	i := slices.IndexFunc(before, func(b reload.Set) bool { return b.Name == s.Name })
	if i < 0 {
		return bgp.Changes{}, false
	}
	return compareTexts(before[i:i+1], []reload.Set{s}, w.version.Major), true
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
		if d.back && !time.Now().Before(d.backAt) {
			d.putBack(ctx)
		}
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
		case errors.Is(err, reload.ErrNoTrial):
			d.trialBroke(s)
			return
		case err != nil:
			d.standing(s.Name).err = err.Error()
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
		d.recovered()
	}
}

// trialBroke ends a trial whose outcome BIRD has not confirmed: what was on trial
// is applied again.
func (d *daemon) trialBroke(s reload.Set) {
	st := d.standing(s.Name)
	st.trial = time.Time{}
	d.endTrial(s)
	if d.trial != nil {
		for _, k := range d.trial.changed {
			d.changedKeys[k] = true
		}
		d.since = cmp.Or(d.trial.times.event, time.Now())
	}
	d.trial, d.dirty = nil, true
	d.fail(fmt.Errorf("set %s: the trial ended, and BIRD has not confirmed: %s", s.Name, st.err))
	d.observer.changed()
}

func (d *daemon) endTrial(s reload.Set) {
	d.trying = slices.DeleteFunc(d.trying, func(t reload.Set) bool { return t.Name == s.Name })
}

// undone keeps what has failed its trial back, until what it came from changes:
// its templates, where they are new, or else its objects. A set that did not fail
// is put back when its own trial is over.
func (d *daemon) undone(w *wanted, err error) {
	d.trial, d.dirty, d.back = nil, true, true
	if d.since.IsZero() {
		d.since = cmp.Or(w.times.event, time.Now())
	}
	d.failures = failures{} // what is held, or not used, says why it is not applied
	if w.newTemplates {
		d.blameTemplates(w, err)
	} else {
		d.blameObjects(w, err)
	}
	d.observer.changed()
}

// blameTemplates goes back to the templates that worked: those of w are tried
// again when they have changed. What else came with them is tried without them.
func (d *daemon) blameTemplates(w *wanted, err error) {
	for _, k := range w.changed {
		d.changedKeys[k] = true
	}
	if d.node.Templates.Engine == w.engine {
		d.useOldTemplates(err)
		d.refused = nil
	} else {
		d.log.Error("changed templates have failed their trial; they have changed again since", "error", err)
	}
	d.pace.soon(time.Now())
}

// blameObjects holds w back until one of the objects changes that it came from.
// Of the first configuration after a start that is any which has to do with
// sessions: what was different before nobody knows.
func (d *daemon) blameObjects(w *wanted, err error) {
	failed := &failedTrial{objects: map[backends.Key]backends.Resource{}}
	if d.failed != nil {
		maps.Copy(failed.objects, d.failed.objects)
	}
	if d.live == nil {
		failed.engine = w.engine
	} else {
		d.blame(failed, w)
	}
	failed.held = report.Held{
		Hash: w.hash, Since: time.Now(), Why: err.Error(), Objects: keyTexts(sortedKeys(maps.Keys(failed.objects))),
	}
	for _, k := range sortedKeys(maps.Keys(failed.objects)) {
		failed.held.Failed = append(failed.held.Failed, report.Version{
			Kind: string(k.Kind), Namespace: k.Namespace, Name: k.Name, Hash: hashOfObject(failed.objects[k]),
		})
	}
	d.failed, d.held = failed, nil
	d.keepBack(&heldError{failed.held})
}

// blame notes the objects that changed with w.
func (d *daemon) blame(failed *failedTrial, w *wanted) {
	// Routes that came and went meanwhile are not to blame, where something else is.
	blamed := ofSessions(w.changed)
	if len(blamed) == 0 {
		blamed = w.changed
	}
	for _, k := range blamed {
		was, _ := d.live.state.Get(k)
		if is, _ := w.state.Get(k); is != was {
			failed.objects[k] = is
		}
	}
	for _, k := range w.changed {
		d.changedKeys[k] = true
	}
}

// putBack has each BIRD use what is live again, where a set of what was undone
// has not failed itself.
func (d *daemon) putBack(ctx context.Context) {
	d.back = false
	for _, s := range d.inUse() {
		if s.Guard = nil; d.standing(s.Name).installed == s.Hash() {
			continue
		}
		r, err := d.applier.Apply(ctx, s)
		if d.forNobody(err, d.liveConfig(), s.Name) {
			continue
		}
		d.standing(s.Name).rendered = s.Hash()
		d.noteResult(s, r, err)
		if err != nil {
			d.back, d.backAt = true, time.Now().Add(d.node.settings.Timing.Verify)
			d.log.Error("what was before is not back yet: trying again", "set", s.Name, "error", err)
			continue
		}
		d.log.Info("what was before is back", "set", s.Name, "state", r.State.String())
	}
}

// failedTrial is what has failed its trial.
type failedTrial struct {
	held report.Held
	// objects are those that it came from, as they were then.
	objects map[backends.Key]backends.Resource
	// engine has the templates of what was the first configuration after a start.
	engine *templates.Engine
}

// changed says whether w is something else than what failed, and which object
// is the reason. Of the first configuration after a start any object is that has to
// do with sessions, and so are templates. One that came from no object (of another
// BIRD, for instance) is the same as long as the outcome is.
func (f *failedTrial) changed(w *wanted) (string, bool) {
	if f.engine != nil && f.engine != w.engine {
		return "none: the templates have", true
	}
	if keys := ofSessions(w.changed); f.engine != nil {
		return strings.Join(keyTexts(keys), ", "), len(keys) > 0
	}
	for k, was := range f.objects {
		if is, _ := w.state.Get(k); is != was {
			return k.String(), true
		}
	}
	return "none", len(f.objects) == 0 && w.hash != f.held.Hash
}

// sameObjects says whether the objects are the same in a state as in a report;
// false of none.
func sameObjects(then []report.Version, state *backends.State) bool {
	for _, v := range then {
		r, _ := state.Get(backends.Key{Kind: backends.Kind(v.Kind), Namespace: v.Namespace, Name: v.Name})
		if hashOfObject(r) != v.Hash {
			return false
		}
	}
	return len(then) > 0
}

// hashOfObject is a short hash of what an object says; empty: there is none.
func hashOfObject(r backends.Resource) string {
	if r == nil {
		return ""
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}

// failedBefore holds w back where it comes from the same objects as what has
// failed its trial, and nobody has approved that.
func (d *daemon) failedBefore(w *wanted) error {
	// The program that ran here before may have tried it.
	if before := d.before.Held; d.live == nil && d.node.settings.Safety.Guard > 0 &&
		before != nil && len(before.Lost) == 0 && (before.Hash == w.hash || sameObjects(before.Failed, w.state)) && d.approved != before.Hash {
		return &heldError{*before}
	}
	if d.failed == nil || w.rest {
		return nil
	}
	failed := d.failed.held
	if object, changed := d.failed.changed(w); changed {
		d.log.Info("what failed its trial has changed: it is tried again", "object", object)
		if d.held != nil && d.held.Hash == failed.Hash {
			d.held = nil
		}
		d.failed = nil
		return nil
	}
	if d.approved == failed.Hash {
		return nil
	}
	return &heldError{failed}
}
