// Package runs knows what BIRD runs: what was there before this program, what this
// program has put in place, and what is on trial.
//
//	state     event      next      besides
//	nothing   Found      startup   the sets that lay on disk, and that BIRD runs
//	startup   Found      startup   one set more, or a set anew
//	any       Began      the same  it is in doubt what is on disk, until Live
//	any       Live       running   the candidate runs; what lay there before is over
//	any       Try        trial     some sets are on trial; of a whole candidate, or not
//	trial     Passed     trial     that set is confirmed; others are still on trial
//	trial     Passed     as before it was the last set: Live follows where it was a whole
//	trial     Undone     back      that set has failed: what was before must come back
//	trial     Broke      as before nobody knows how the trial has ended
//	back      IsBack     as before each set is what it was before
//	any       Doubt      the same  the next candidate is applied even where it is no news
package runs

import (
	"slices"
	"time"

	"confd/bgp"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/reload"
)

// State is what BIRD runs.
type State int

// The states.
const (
	Nothing State = iota // nothing of ours, as far as is known
	Startup              // files from before this program
	Running              // what this program has put in place
	Trial                // the same, and something is on trial
	Back                 // the same, and something that was undone is not all back
)

// String is the state in one word.
func (s State) String() string {
	return [...]string{"nothing", "startup", "running", "trial", "back"}[s]
}

// Runs is what BIRD runs. The zero value is nothing.
type Runs struct {
	running *plan.Candidate
	startup []reload.Set
	trial   *onTrial
	last    []reload.Set // that were to be put in place last
	asked   *bgp.Config  // what the state asked for last; nil: it is not known yet
	doubt   bool
	back    bool
	backAt  time.Time // not before
}

// onTrial is what runs until further notice.
type onTrial struct {
	whole *plan.Candidate // nil: only some sets of one, or sets from before
	batch inbox.Batch     // what led to it
	sets  []reload.Set    // on trial still
}

// State is what BIRD runs, in a word.
func (r *Runs) State() State {
	switch {
	case r.trial != nil:
		return Trial
	case r.back:
		return Back
	case r.running != nil:
		return Running
	case len(r.startup) > 0:
		return Startup
	}
	return Nothing
}

// Running is what this program has put in place, and what BIRD goes back to where
// a trial fails; nil: nothing yet.
func (r *Runs) Running() *plan.Candidate { return r.running }

// Config is that of Running; nil: there is none.
func (r *Runs) Config() *bgp.Config {
	if r.running == nil {
		return nil
	}
	return r.running.Config
}

// Trying is the candidate on trial; nil: there is none, or no whole one.
func (r *Runs) Trying() *plan.Candidate {
	if r.trial == nil {
		return nil
	}
	return r.trial.whole
}

// OnTrial says whether something is on trial.
func (r *Runs) OnTrial() bool { return r.trial != nil }

// OnTrialSets are the sets on trial.
func (r *Runs) OnTrialSets() []reload.Set {
	if r.trial == nil {
		return nil
	}
	return slices.Clone(r.trial.sets)
}

// IsOnTrial says whether a set is on trial.
func (r *Runs) IsOnTrial(set string) bool { return indexOf(r.OnTrialSets(), set) >= 0 }

// InUse are the sets that BIRD runs, or reads when it starts, as far as is known:
// on trial, ours, or from before.
func (r *Runs) InUse() []reload.Set {
	if t := r.Trying(); t != nil {
		return t.Sets
	}
	return r.Before()
}

// Before are the sets that BIRD goes back to where a trial fails.
func (r *Runs) Before() []reload.Set {
	if r.running != nil {
		return r.running.Sets
	}
	return r.startup
}

// Current are the sets that are in place, or were last to be, or lay there.
func (r *Runs) Current() []reload.Set {
	if t := r.Trying(); t != nil {
		return t.Sets
	}
	switch {
	case r.running != nil:
		return r.running.Sets
	case r.last != nil:
		return r.last
	}
	return r.startup
}

// InPlace is the configuration that lies on disk; nil: that is not known.
func (r *Runs) InPlace() *bgp.Config {
	if t := r.Trying(); t != nil {
		return t.Config
	}
	return r.Config()
}

// IsRunning says whether a candidate with that hash runs already, as this program
// has put it in place or found it.
func (r *Runs) IsRunning(hash string) bool {
	if r.running != nil {
		return r.running.Hash == hash
	}
	return len(r.startup) > 0 && plan.Hash(r.startup) == hash
}

// Asked notes what the state asks for.
func (r *Runs) Asked(c *bgp.Config) { r.asked = c }

// Needed is what says which BIRDs are needed: what runs or, where nothing does, what
// the state asks for; nil: neither is known.
func (r *Runs) Needed() *bgp.Config {
	if c := r.Config(); c != nil {
		return c
	}
	return r.asked
}

// InDoubt says whether what is on disk may be something else than what runs.
func (r *Runs) InDoubt() bool { return r.doubt }

// Doubt notes that what is on disk may be something else than what runs.
func (r *Runs) Doubt() { r.doubt = true }

// Found notes a set that lay on disk, and that BIRD runs.
func (r *Runs) Found(s reload.Set) {
	r.startup = append(slices.DeleteFunc(slices.Clone(r.startup), func(f reload.Set) bool { return f.Name == s.Name }), s)
}

// Began notes that sets are about to be put in place.
func (r *Runs) Began(sets []reload.Set) { r.last, r.doubt = sets, true }

// Live notes that a candidate runs. sure says that all of it is in place.
func (r *Runs) Live(c *plan.Candidate, sure bool) {
	r.running, r.startup, r.trial, r.back, r.doubt = c, nil, nil, false, !sure
}

// Try notes which sets are on trial: of a whole candidate, or of none.
func (r *Runs) Try(whole *plan.Candidate, batch inbox.Batch, sets []reload.Set) {
	r.trial = &onTrial{whole: whole, batch: batch, sets: sets}
}

// Resumed notes a set whose trial a program began that ran here before.
func (r *Runs) Resumed(s reload.Set) {
	if r.trial == nil {
		r.trial = &onTrial{}
	}
	r.trial.sets = append(r.trial.sets, s)
}

// Passed notes that a set has passed its trial. Where that was the last one, the
// trial is over, and it returns the candidate that is live by that; nil: none.
func (r *Runs) Passed(set string) *plan.Candidate {
	whole := r.trial.whole
	if !r.end(set) {
		return nil
	}
	r.trial = nil
	return whole
}

// Undone notes that a set has failed its trial, and returns the candidate that it
// is of, and what led to it. The others of that candidate that are on trial go on
// by themselves.
func (r *Runs) Undone(set string) (*plan.Candidate, inbox.Batch) {
	return r.fail(set, true)
}

// Broke notes that nobody knows how the trial of a set has ended.
func (r *Runs) Broke(set string) (*plan.Candidate, inbox.Batch) {
	return r.fail(set, false)
}

func (r *Runs) fail(set string, back bool) (*plan.Candidate, inbox.Batch) {
	whole, batch := r.trial.whole, r.trial.batch
	r.trial.whole, r.trial.batch = nil, inbox.Batch{}
	if r.end(set) {
		r.trial = nil
	}
	r.doubt, r.back = true, r.back || back && whole != nil
	return whole, batch
}

// end takes a set off trial, and says whether it was the last one.
func (r *Runs) end(set string) bool {
	if i := indexOf(r.trial.sets, set); i >= 0 {
		r.trial.sets = slices.Delete(slices.Clone(r.trial.sets), i, i+1)
	}
	return len(r.trial.sets) == 0
}

// MustGoBack says whether sets of what was undone are to be put back now.
func (r *Runs) MustGoBack(now time.Time) bool {
	return r.State() == Back && !now.Before(r.backAt)
}

// GoingBack notes that the sets are being put back; they are tried again at a time
// where they are not back by then.
func (r *Runs) GoingBack(again time.Time) { r.backAt = again }

// IsBack notes that all sets are what they were before.
func (r *Runs) IsBack() { r.back, r.backAt = false, time.Time{} }

func indexOf(sets []reload.Set, name string) int {
	return slices.IndexFunc(sets, func(s reload.Set) bool { return s.Name == name })
}
