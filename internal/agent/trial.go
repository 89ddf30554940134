package agent

import (
	"errors"
	"time"

	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/reload"
)

// trials look how what is on trial does, and say what comes of it:
//
//   - all sets have passed: the candidate is live;
//   - one was undone: what it came from is held, its templates, where they are new, or
//     else its objects, until that changes. A set that did not fail is put back when
//     its own trial is over;
//   - nobody knows how it ended: what was on trial is applied again.
type trials struct{ *conductor }

// look has a look at each set on trial.
func (t trials) look(now time.Time) {
	for _, s := range t.runs.Trial().Sets() {
		t.lanes.give(Order{Action: Look, For: ForTrial, Set: s})
	}
	if t.runs.Back.IsDue(now) && !t.runs.OnTrial() {
		t.putBack(now)
	}
}

// looked has how a set on trial does.
func (t trials) looked(now time.Time, done Done) {
	name := done.Set.Name
	undone := (*reload.UndoneError)(nil)
	switch {
	case !t.runs.Trial().Has(name):
	case errors.As(done.Err, &undone):
		t.note(now, done)
		t.recovery.begin(name, undone.Sessions, now.Add(t.settings.Safety.Guard))
		t.surveyAt = time.Time{}
		if candidate, batch := t.runs.Failed(name, true); candidate != nil {
			t.undone(now, candidate, batch, done.Err)
		} else if t.runs.Running() == nil {
			t.keepFailed(now, &failed{set: undone.Hash, held: report.Held{Hash: undone.Hash, Why: done.Err.Error(), Trial: true}})
		}
	case errors.Is(done.Err, reload.ErrNoTrial), errors.As(done.Err, new(*reload.LapsedError)):
		t.broke(now, done)
	case done.Err != nil:
		t.of(done.Set).Files.Looked(done.Err)
		t.log.Debug("looking at the trial", "set", name, "error", done.Err)
	case done.Result.State != reload.OnTrial:
		t.passed(now, done)
	}
}

// passed notes that a set has passed.
func (t trials) passed(now time.Time, done Done) {
	t.note(now, done)
	t.log.Info("confirmed: the sessions stayed up", "set", done.Set.Name, "trial", t.settings.Safety.Guard)
	if whole := t.runs.Passed(done.Set.Name); whole != nil {
		t.live(whole, true)
		t.recovered(now)
	} else if t.runs.Running() == nil { // it was from before this start
		t.runs.Found(done.Set)
	}
}

// broke ends a trial whose outcome BIRD has not confirmed: what was on trial is
// applied again.
func (t trials) broke(now time.Time, done Done) {
	s := done.Set
	why := t.of(s).Files.Err()
	t.of(s).Files.TrialBroke()
	if lapsed := (*reload.LapsedError)(nil); errors.As(done.Err, &lapsed) {
		why = lapsed.Error()
	}
	if _, batch := t.runs.Failed(s.Name, false); batch.Keys != nil || !batch.Since.IsZero() {
		t.inbox.Return(batch)
	}
	t.fail(now, errors.New("set "+s.Name+": the trial ended, and BIRD has not confirmed"+after(": ", why)))
	t.news = true
}

// undone keeps what has failed its trial back, until what it came from changes.
func (t trials) undone(now time.Time, c *plan.Candidate, batch inbox.Batch, err error) {
	if batch.Since.IsZero() {
		batch.Since = now
	}
	t.inbox.Return(batch)
	t.failures.forget() // what is held, or not used, says why it is not applied
	if running := t.runs.Running(); running != nil && running.Templates.Engine != c.Templates.Engine {
		t.blameTemplates(now, c, err)
	} else {
		t.blameObjects(now, c, err)
	}
	t.news = true
}

// blameTemplates goes back to the templates that worked: those of c are tried again
// when they have changed. What else came with them is tried without them.
func (t trials) blameTemplates(now time.Time, c *plan.Candidate, err error) {
	if t.edition.MadeBy(c.Templates) {
		t.edition.FailedTrial(err.Error())
		t.journal.templatesKept(t.edition)
	} else {
		t.log.Error("changed templates have failed their trial; they have changed again since", "error", err)
	}
	t.schedule.Soon(now)
}

// blameObjects holds c back until one of the objects changes that it came from.
func (t trials) blameObjects(now time.Time, c *plan.Candidate, err error) {
	objects, known := t.changedWith(c)
	t.keepFailed(now, blame(c, objects, known, t.failed, err.Error()))
}

// keepFailed holds what has failed.
func (t trials) keepFailed(now time.Time, f *failed) {
	t.failed = f
	t.tried.Over()
	t.tried.Keep(now, f.held)
	t.metrics.Held()
	t.journal.held(*t.tried.Current())
}

// putBack has each BIRD use what runs again, where a set of what was undone has not
// failed itself.
func (t trials) putBack(now time.Time) {
	t.runs.Back.Begun(now.Add(t.settings.Timing.Verify))
	back := true
	for _, s := range t.runs.Before() {
		if s.Guard = nil; t.of(s).Files.IsInstalled(s.Hash()) || t.runs.Trial().Has(s.Name) {
			continue
		}
		back = false
		t.of(s).Files.Wanted(s.Hash())
		t.lanes.give(Order{Action: Apply, For: ForReturn, Set: s})
	}
	if back {
		t.runs.Back.Done()
	}
}

// returned has what came of putting a set back.
func (t trials) returned(now time.Time, done Done) {
	if errors.Is(done.Err, reload.ErrCannotCheck) && !t.missed(done.Set.Name) {
		t.of(done.Set).Files.NotNeeded()
		t.runs.Back.Done()
		return
	}
	t.note(now, done)
	if done.Err != nil {
		t.log.Error("what was before is not back yet: trying again", "set", done.Set.Name, "error", done.Err)
		return
	}
	t.log.Info("what was before is back", "set", done.Set.Name, "state", done.Result.State.String())
	t.runs.Back.Begun(now)
}
