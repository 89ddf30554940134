package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"confd/reload"
	"confd/reload/control"
)

func (t *fakeTarget) Trial(ctx context.Context, s reload.Set) (reload.Result, error) {
	if t.phase != isOnTrial {
		return t.said("look", reload.Result{}, t.naming(reload.ErrNoTrial))
	}
	r := reload.Result{Hash: t.trial.hash}
	if err := t.w.faults.step(ctx, "look", t.set); err != nil {
		return t.said("look", r, t.naming(err))
	}
	now, late := t.bird(s.Daemon).status(), !time.Now().Before(t.trial.deadline)
	failed := func(reason string, sessions []string) (reload.Result, error) {
		if late {
			return t.lapse(s, r, "nobody looked until BIRD went back by itself")
		}
		return t.undo(s, r, reason, sessions)
	}
	switch fallen := t.trial.fallen(now); {
	case now.health == control.Hung && !late:
		return t.onTrial(r), nil
	case now.health == control.Hung:
		return t.undo(s, r, "BIRD did not answer", nil)
	case now.health == control.Absent, !now.rebooted.Equal(t.proof.rebooted):
		return failed("BIRD ended", nil)
	case !now.reconfigured.Equal(t.proof.reconfigured):
		return t.lapse(s, r, "BIRD uses another configuration")
	case len(fallen) > 0:
		return failed("sessions that it should not have touched went down", fallen)
	case time.Now().Before(t.trial.ends):
		return t.onTrial(r), nil
	case len(t.trial.missing(now)) > 0:
		return failed("sessions that it remade have not come back", t.trial.missing(now))
	}
	if err := t.w.faults.step(ctx, "stay", t.set); err != nil {
		return t.onTrial(r), nil
	}
	if !t.bird(s.Daemon).confirm() {
		return t.lapse(s, r, "BIRD went back by itself")
	}
	t.trial = nil
	return t.said("look", t.confirm(s, r), nil)
}

func (t *fakeTarget) onTrial(r reload.Result) reload.Result {
	r.State, r.TrialEnds = reload.OnTrial, t.trial.ends
	return r
}

// undo ends a trial that has failed.
func (t *fakeTarget) undo(s reload.Set, r reload.Result, reason string, sessions []string) (reload.Result, error) {
	hash := t.trial.hash
	restored := t.takeBack(&s)
	return t.said("look", r, t.naming(&reload.UndoneError{Hash: hash, Sessions: sessions, Reason: reason, Restored: restored}))
}

// lapse ends one of which nobody knows how it went.
func (t *fakeTarget) lapse(s reload.Set, r reload.Result, reason string) (reload.Result, error) {
	hash := t.trial.hash
	restored := t.takeBack(&s)
	return t.said("look", r, t.naming(&reload.LapsedError{Hash: hash, Reason: reason, Restored: restored}))
}

// takeBack puts back what BIRD agreed to before, and has it read that.
func (t *fakeTarget) takeBack(s *reload.Set) (restored bool) {
	t.trial, t.phase = nil, isUnsure
	b := t.bird(s.Daemon)
	answers := b.status().health == control.Up
	if !t.putBack() {
		if answers {
			b.undo()
		}
		return false
	}
	if !answers {
		t.phase = isInstalled
		return true
	}
	b.configure(textOf(s.Daemon.Main), 0)
	t.proof, t.phase = b.status(), isConfirmed
	return true
}

// fallen are the sessions that are not up, or were not for a moment.
func (t *fakeTrial) fallen(now fakeStatus) []string {
	return slices.DeleteFunc(names(t.stay), func(name string) bool { return now.since[name].Equal(t.stay[name]) })
}

// missing are those that have not come back.
func (t *fakeTrial) missing(now fakeStatus) []string {
	return slices.DeleteFunc(slices.Clone(t.back), func(name string) bool { return !now.since[name].IsZero() })
}

func (t *fakeTarget) Resume(ctx context.Context, record reload.Record, d reload.Daemon) (reload.Result, error) {
	err := t.takeUp(ctx, &d)
	if err == nil && t.phase != isOnTrial {
		err = reload.ErrNoTrial
	}
	if err != nil {
		return t.said("resume", reload.Result{}, t.naming(err))
	}
	return t.said("resume", t.onTrial(reload.Result{Hash: t.trial.hash}), nil)
}

// takeUp learns, once, what a program before this one has left unfinished.
func (t *fakeTarget) takeUp(ctx context.Context, d *reload.Daemon) error {
	trial := t.disk.get().Trial
	if t.takenUp || d == nil || trial == nil {
		t.takenUp = true
		return nil
	}
	if err := t.w.faults.step(ctx, "resume", t.set); err != nil {
		return err
	}
	s, _, err := t.disk.get().OnDisk()
	if s.Daemon = d; err != nil || s.Hash() != trial.Hash {
		t.disk.setTrial(nil)
		t.takenUp = true
		return nil
	}
	now := t.bird(d).status()
	if now.health == control.Hung {
		return control.ErrHung
	}
	t.takenUp = true
	t.found(trial.Hash)
	if now.health == control.Up && now.text == mainText(s) && time.Now().Before(trial.Deadline) {
		t.phase, t.proof, t.trial = isOnTrial, now, resumed(*trial)
		return nil
	}
	restored := t.takeBack(&s)
	t.disk.setTrial(nil)
	return &reload.LapsedError{Hash: trial.Hash, Reason: "BIRD went back by itself while confd was not running", Restored: restored}
}

// recorded is what is written down of a trial.
func (t *fakeTrial) recorded() *reload.RecordedTrial {
	r := &reload.RecordedTrial{Hash: t.hash, Ends: t.ends, Deadline: t.deadline, Return: t.back, Stay: map[string]string{}}
	for name, at := range t.stay {
		r.Stay[name] = at.Format(time.RFC3339Nano)
	}
	return r
}

func resumed(r reload.RecordedTrial) *fakeTrial {
	trial := &fakeTrial{hash: r.Hash, ends: r.Ends, deadline: r.Deadline, back: r.Return, stay: map[string]time.Time{}}
	for name, text := range r.Stay {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(errors.Join(errors.New("a trial that this fake has recorded"), err))
		}
		trial.stay[name] = at
	}
	return trial
}
