package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/rollout"
	"confd/reload"
)

// patience is for how much longer a set may take to answer than the others.
const patience = 2 * time.Second

// installer has the sets of a candidate checked and installed that may go live.
type installer struct{ *outcomes }

// pass goes on after the judgement: several sets are checked first, so that one
// that is refused keeps the others from getting what the objects at fault ask for.
func (c *installer) pass(now time.Time) {
	check := c.rollout.Pass(now, func(s reload.Set) bool { return c.of(s).Files.IsInstalled(s.Hash()) })
	for _, s := range check {
		c.lanes.queue(Order{Action: Check, For: ForRollout, Set: s})
	}
	if len(check) == 0 {
		c.install()
	}
}

// install has each set installed, and BIRD read it.
func (c *installer) install() {
	sets := c.rollout.Install()
	again := c.runs.Running() != nil && c.runs.IsRunning(c.rollout.Candidate().Hash) && !c.runs.InDoubt()
	c.runs.Began(sets)
	for _, s := range sets {
		c.metrics.Sets(s.Name)
		c.of(s).Files.Wanted(s.Hash())
		c.lanes.queue(Order{Action: Apply, For: ForRollout, Set: s, Again: again, Tell: s.Daemon != nil && c.of(s).BIRD.MustTell()})
	}
	c.news = true
}

// answered has a set's answer. It returns what a check refuses, where that is the
// last one.
func (c *installer) answered(now time.Time, done Done) error {
	stage := rollout.Checking
	if done.Action == Apply {
		stage = rollout.Installing
		done = c.installed(now, done)
	} else if rollout.IsRefusal(done.Err) {
		c.note(now, done)
	}
	if c.rollout.Answered(now, stage, done.Set.Name, rollout.Answer{Result: done.Result, Err: done.Err}) && c.rollout.IsDone() {
		return c.allAnswered(now)
	}
	return nil
}

// installed notes what came of installing a set. That nobody could check what nobody
// would read is no failure.
func (c *installer) installed(now time.Time, done Done) Done {
	s := done.Set
	if errors.Is(done.Err, reload.ErrCannotCheck) && c.rollout.Candidate() != nil && !c.missedFor(c.rollout.Candidate().Config, s.Name) {
		c.count(done)
		c.of(s).Files.NotNeeded()
		done.Result, done.Err = reload.Result{State: reload.Installed}, nil // without a hash: what is on disk is not s
		return done
	}
	c.note(now, done)
	if done.Again && done.Err == nil && len(done.Result.Changed) > 0 { // found while BIRD was told again
		c.care.drifted(s, reload.Drift{Files: done.Result.Changed})
	}
	if done.Err == nil && s.Daemon != nil {
		c.children.InPlace(s.Daemon.Socket)
		if done.Tell {
			c.of(s).BIRD.HasRead()
		}
	}
	if candidate := c.rollout.Candidate(); candidate != nil && (done.Err != nil || len(done.Result.Changed) > 0 || done.Tell) {
		c.schedule.Applied(candidate.Times.Began)
	}
	return done
}

// late ends the wait for sets that take longer than the others.
func (c *installer) late(now time.Time) error {
	if stage := c.rollout.Stage(); stage != rollout.Checking && stage != rollout.Installing {
		return nil
	}
	if late := c.rollout.Late(now, patience); len(late) > 0 {
		level := slog.LevelWarn
		if c.failures.failing() { // it was said already
			level = slog.LevelDebug
		}
		c.log.Log(context.Background(), level, "a set takes long: the others go on without it", "sets", few(late), "stage", c.rollout.Stage().String())
		return c.allAnswered(now)
	}
	return nil
}

// allAnswered has the answer of each set, and returns what a check refuses.
func (c *installer) allAnswered(now time.Time) error {
	switch refused := c.rollout.Refused(); {
	case refused != nil:
		return refused
	case c.rollout.Stage() == rollout.Checking:
		// What else is wrong than a refusal shows when the set is installed.
		c.install()
	default:
		c.finish(now)
	}
	return nil
}

// finish ends a rollout whose sets are all installed, or have failed.
func (c *installer) finish(now time.Time) {
	candidate, err := c.rollout.Candidate(), c.rollout.Err()
	c.journal.applied(candidate, &c.rollout, c.runs.Running())
	onTrial := c.onTrial(candidate)
	if err == nil && !c.runs.IsRunning(candidate.Hash) {
		c.after.applied(now, candidate, c.runs.Running(), c.sessions.established())
	}
	switch {
	case err != nil && len(onTrial) > 0:
		// A set that is on trial already goes on; it is no trial of the whole.
		c.runs.Try(nil, inbox.Batch{}, onTrial)
	case err != nil && !c.daemonsDone(candidate):
	case len(onTrial) > 0:
		c.journal.left(candidate, c.runs.Running())
		c.runs.Try(candidate, c.rollout.Batch(), onTrial)
	default:
		c.journal.left(candidate, c.runs.Running())
		c.live(candidate, err == nil)
	}
	switch {
	case err != nil:
		c.stop(now, err)
	case candidate.IsRest():
		c.restDone(now)
	default:
		c.succeeded(now)
	}
}

// onTrial are the sets of a candidate that are on trial now.
func (c *installer) onTrial(candidate *plan.Candidate) []reload.Set {
	return slices.DeleteFunc(slices.Clone(candidate.Sets), func(s reload.Set) bool {
		a := c.rollout.Answer(s.Name)
		return a.Err != nil || a.Result.State != reload.OnTrial
	})
}

// daemonsDone says whether each BIRD has what it should: what else has failed are
// files that no BIRD reads.
func (c *installer) daemonsDone(candidate *plan.Candidate) bool {
	return !slices.ContainsFunc(candidate.Sets, func(s reload.Set) bool {
		return s.Daemon != nil && c.rollout.Answer(s.Name).Err != nil
	})
}
