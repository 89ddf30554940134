// Package runs knows what BIRD runs: what was there before this program, what this
// program has put in place, and what is on trial.
//
//	state    event                   next       besides
//	nothing  Found                   startup    the sets that lay on disk, and that BIRD runs
//	startup  Found                   startup    one set more, or a set anew
//	any      Resumed                 trial      a set whose trial a program began that ran here before
//	any      Began                   the same   it is in doubt what is on disk, until Live
//	any      Live                    running    the candidate runs; what lay there before is over
//	running  Same                    running    a later state asks for it, too
//	any      Try                     trial      some sets are on trial; of a whole candidate, or not
//	trial    Passed (not the last)   trial      that set is confirmed; others are still on trial
//	trial    Passed (the last)       as before  Live follows where it was a whole
//	trial    Failed (not the last)   trial      the others go on by themselves
//	trial    Failed (undone)         back       what was before must come back
//	trial    Failed (nobody knows)   as before
//	back     Back.Done               as before  each set is what it was before
//	any      Doubt                   the same   the next candidate is applied even where it is no news
package runs

import (
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/reload"
)

// State is what BIRD runs.
type State int

// The states.
const (
	Nothing   State = iota // nothing of ours, as far as is known
	Startup                // files from before this program
	Running                // what this program has put in place
	Trying                 // the same, and something is on trial
	GoingBack              // the same, and something that was undone is not all back
)

// String is the state in one word.
func (s State) String() string {
	return [...]string{"nothing", "startup", "running", "trial", "back"}[s]
}

// Runs is what BIRD runs. The zero value is nothing.
type Runs struct {
	running *plan.Candidate
	startup []reload.Set
	trial   *Trial       // nil: nothing is on trial
	last    []reload.Set // that were to be put in place last
	asked   *bgp.Config  // what the state asked for last; nil: it is not known yet
	doubt   bool
	// Back is the way back from what was undone.
	Back WayBack
}

// State is what BIRD runs, in a word.
func (r *Runs) State() State {
	switch {
	case r.trial != nil:
		return Trying
	case r.Back.open:
		return GoingBack
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

// OnTrial says whether something is on trial.
func (r *Runs) OnTrial() bool { return r.trial != nil }

// Trial is what is on trial; one without sets where nothing is.
func (r *Runs) Trial() Trial {
	if r.trial == nil {
		return Trial{}
	}
	return *r.trial
}

// InUse are the sets that BIRD runs, or reads when it starts, as far as is known:
// on trial, ours, or from before.
func (r *Runs) InUse() []reload.Set {
	if t := r.Trial().whole; t != nil {
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
	if t := r.Trial().whole; t != nil {
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
	if c := r.running.ConfigOrNil(); c != nil {
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
	r.running, r.startup, r.trial, r.Back, r.doubt = c, nil, nil, WayBack{}, !sure
}

// Same notes that what runs is also what a later state asks for.
func (r *Runs) Same(state *backends.State) {
	running := *r.running
	running.State = state
	r.running = &running
}

// Try notes which sets are on trial: of a whole candidate, or of none.
func (r *Runs) Try(whole *plan.Candidate, batch inbox.Batch, sets []reload.Set) {
	r.trial = &Trial{whole: whole, batch: batch, sets: sets}
}

// Resumed notes a set whose trial a program began that ran here before.
func (r *Runs) Resumed(s reload.Set) {
	if r.trial == nil {
		r.trial = &Trial{}
	}
	r.trial.sets = append(r.trial.sets, s)
}

// Passed notes that a set has passed its trial. Where that was the last one, the
// trial is over, and it returns the candidate that is live by that; nil: none.
func (r *Runs) Passed(set string) *plan.Candidate {
	whole := r.trial.whole
	if !r.trial.end(set) {
		return nil
	}
	r.trial = nil
	return whole
}

// Failed notes that a set is not on trial any more, and did not pass: it was undone,
// or else nobody knows how its trial has ended. It returns the candidate that the set
// is of, and what led to it. The others of that candidate that are on trial go on by
// themselves.
func (r *Runs) Failed(set string, undone bool) (*plan.Candidate, inbox.Batch) {
	whole, batch := r.trial.whole, r.trial.batch
	r.trial.whole, r.trial.batch = nil, inbox.Batch{}
	if r.trial.end(set) {
		r.trial = nil
	}
	r.doubt, r.Back.open = true, r.Back.open || undone && whole != nil
	return whole, batch
}
