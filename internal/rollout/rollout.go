// Package rollout takes one candidate through its stages. It is a machine without
// a clock that does nothing itself: what is to be done with a set comes out as
// data, and what came of it is told.
//
//	stage       event                 next        besides
//	idle        Begin                 planning    the state is computed and rendered
//	planning    Planned               surveying   BIRD is asked for its sessions
//	planning    Anew                  planning    with other templates, or a part of it
//	surveying   Anew                  planning    a part of it: without what is held
//	surveying   Pass (several sets)   checking    each is checked by itself first
//	surveying   Pass (one set)        surveying   Install follows: it is checked by that
//	surveying   Install               installing
//	checking    Answered, Late        checking    where it was the last: Install or Search follows
//	checking    Install               installing
//	checking    Search                searching   objects that BIRD refuses are looked for
//	checking    Anew                  planning    with other templates
//	installing  Answered, Late        installing  where it was the last: End or Search follows
//	installing  Search                searching
//	installing  Anew                  planning    with other templates
//	searching   Planned               surveying   without those objects
//	any         End                   idle
package rollout

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/reload"
)

// Stage is where a rollout stands.
type Stage int

// The stages.
const (
	Idle Stage = iota
	Planning
	Surveying
	Checking
	Searching
	Installing
)

// String is the stage in one word.
func (s Stage) String() string {
	return [...]string{"idle", "planning", "surveying", "checking", "searching", "installing"}[s]
}

// ErrLate is why a set's answer is not waited for: what is done with it takes
// longer than with all others.
var ErrLate = errors.New("it has not answered yet (a check, or BIRD, takes long): the others go on without it")

// Rollout is one candidate on its way to BIRD. The zero value is idle.
type Rollout struct {
	stage     Stage
	part      Part
	batch     inbox.Batch
	candidate *plan.Candidate
	answers   map[string]*Answer // by set; nil: it has not answered
	since     time.Time          // from when on a set that has not answered takes longer than the others
}

// Part is how much of what is asked for is rolled out.
type Part int

// The parts.
const (
	Whole         Part = iota
	WithoutFailed      // without what has failed its trial
	WithoutHeld        // without what is held besides
)

// Answer is what came of a set.
type Answer struct {
	Result reload.Result
	Err    error
}

// Stage is where it stands.
func (r *Rollout) Stage() Stage { return r.stage }

// Part is how much of what is asked for it is.
func (r *Rollout) Part() Part { return r.part }

// Batch is what led to it.
func (r *Rollout) Batch() inbox.Batch { return r.batch }

// Candidate is what is rolled out; nil while it is not planned.
func (r *Rollout) Candidate() *plan.Candidate { return r.candidate }

// Begin begins with what has changed.
func (r *Rollout) Begin(b inbox.Batch) { *r = Rollout{stage: Planning, batch: b} }

// Anew goes back to planning: with other templates, or with a part.
func (r *Rollout) Anew(p Part) { *r = Rollout{stage: Planning, batch: r.batch, part: p} }

// Planned has the candidate.
func (r *Rollout) Planned(c *plan.Candidate) {
	r.stage, r.candidate, r.answers = Surveying, c, nil
}

// Pass goes on after the judgement, and returns the sets to check: none where the
// first thing is to install. known are the sets that need no check by themselves.
func (r *Rollout) Pass(now time.Time, known func(reload.Set) bool) []reload.Set {
	if len(r.candidate.Sets) < 2 {
		return nil
	}
	check := slices.DeleteFunc(slices.Clone(r.candidate.Sets), known)
	if len(check) > 0 {
		r.ask(Checking, check)
	}
	if len(check) < len(r.candidate.Sets) { // the others wait already
		r.since = now
	}
	return check
}

// Install has all sets be installed, which it returns.
func (r *Rollout) Install() []reload.Set {
	r.ask(Installing, r.candidate.Sets)
	return r.candidate.Sets
}

// ask waits for an answer from each set.
func (r *Rollout) ask(s Stage, sets []reload.Set) {
	r.stage, r.answers, r.since = s, map[string]*Answer{}, time.Time{}
	for _, set := range sets {
		r.answers[set.Name] = nil
	}
}

// Answered notes a set's answer. One that nobody waits for is passed over: false.
func (r *Rollout) Answered(now time.Time, stage Stage, set string, a Answer) bool {
	was, asked := r.answers[set]
	if !asked || was != nil || r.stage != stage {
		return false
	}
	r.answers[set] = &a
	if r.since.IsZero() {
		r.since = now
	}
	return true
}

// Late ends the wait for sets whose answer takes longer, by patience, than that of
// the first that has answered, or that need not. It returns their names.
func (r *Rollout) Late(now time.Time, patience time.Duration) []string {
	if r.since.IsZero() || now.Sub(r.since) < patience {
		return nil
	}
	var late []string
	for name, a := range r.answers {
		if a == nil {
			late = append(late, name)
			r.answers[name] = &Answer{Err: fmt.Errorf("set %s: %w", name, ErrLate)}
		}
	}
	slices.Sort(late)
	return late
}

// IsDone says whether all sets have answered that were asked.
func (r *Rollout) IsDone() bool {
	for _, a := range r.answers {
		if a == nil {
			return false
		}
	}
	return r.stage == Checking || r.stage == Installing
}

// Answer is what came of a set; the zero value where it was not asked.
func (r *Rollout) Answer(set string) Answer {
	if a := r.answers[set]; a != nil {
		return *a
	}
	return Answer{}
}

// Err is what went wrong with the sets, in their order; nil: nothing.
func (r *Rollout) Err() error {
	var errs []error
	for _, s := range r.candidate.Sets {
		errs = append(errs, r.Answer(s.Name).Err)
	}
	return errors.Join(errs...)
}

// Refused is what a check has refused; nil: nothing.
func (r *Rollout) Refused() error {
	var errs []error
	for _, s := range r.candidate.Sets {
		if err := r.Answer(s.Name).Err; IsRefusal(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Search looks for the objects that BIRD refuses.
func (r *Rollout) Search() { r.stage = Searching }

// End ends it.
func (r *Rollout) End() { *r = Rollout{} }

// IsRefusal says whether err is a check's refusal of a set.
func IsRefusal(err error) bool { return errors.As(err, new(*reload.CheckError)) }
