// Package schedule decides when the state is looked at and applied. The first
// change after a quiet time is applied soon, together with what belongs to it;
// under a storm there is one reload an interval. No change waits longer than that
// (and its spread), and none is dropped: what is pending when the time comes is
// applied together. After a failure it backs off.
//
//	state    event                next     what is due
//	idle     Changed              waiting  after Gather, and MinInterval after the last reload
//	idle     Soon                 waiting  now
//	idle     Failed               waiting  after the pause, which doubles each time
//	waiting  Changed              waiting  the earlier of the two; of two that are spread, the first
//	waiting  Soon, Again, Failed  waiting  the earlier of the two
//	idle     Again                waiting  then
//	waiting  Begin                idle     nothing
//	any      Applied              the same what changes next is MinInterval after this
//	any      Succeeded            the same the pause after the next failure is the first one again
package schedule

import "time"

// firstPause is the pause after a first failure.
const firstPause = time.Second

// Options are the times of a Schedule.
type Options struct {
	Gather      time.Duration // what comes within it after a change is applied with it
	MinInterval time.Duration // between two reloads because of changes
	MaxPause    time.Duration // between two tries of what fails
}

// State is where a Schedule stands.
type State int

// The states.
const (
	Idle    State = iota // nothing is pending
	Waiting              // something is pending: Due says until when
)

// String is the state in one word.
func (s State) String() string { return [...]string{"idle", "waiting"}[s] }

// Schedule says when what is pending is to be applied. It has no clock: each event
// says when it was.
type Schedule struct {
	opts   Options
	due    time.Time // zero: nothing is pending
	last   time.Time // when the last reload began
	pause  time.Duration
	spread bool // what is due was put off at random
}

// New makes a Schedule with nothing pending.
func New(o Options) *Schedule { return &Schedule{opts: o} }

// State is where it stands.
func (s *Schedule) State() State {
	if s.due.IsZero() {
		return Idle
	}
	return Waiting
}

// Due is when what is pending is to be applied; zero where nothing is pending.
func (s *Schedule) Due() time.Time { return s.due }

// IsDue says whether the time of what is pending has come.
func (s *Schedule) IsDue(now time.Time) bool { return !s.due.IsZero() && !now.Before(s.due) }

// Pause is the time until the next try of what has failed; 0: nothing has.
func (s *Schedule) Pause() time.Duration { return s.pause }

// Changed notes a change that came at now, and that may be put off by spread
// besides. One that may not be brings those before it forward.
func (s *Schedule) Changed(now time.Time, spread time.Duration) {
	if spread > 0 && s.spread && !s.due.IsZero() {
		return // the earliest of many draws would be no random time
	}
	due := now.Add(s.opts.Gather)
	if earliest := s.last.Add(s.opts.MinInterval); due.Before(earliest) {
		due = earliest
	}
	if s.bringForward(due.Add(spread)) {
		s.spread = spread > 0
	}
}

// Soon notes something that must not wait at all: BIRD came up.
func (s *Schedule) Soon(now time.Time) { s.bringForward(now) }

// Again plans a look at a time that no event will tell of.
func (s *Schedule) Again(at time.Time) { s.bringForward(at) }

// bringForward has what is pending be due at a time, or earlier where it is.
func (s *Schedule) bringForward(at time.Time) bool {
	if !s.due.IsZero() && !at.Before(s.due) {
		return false
	}
	s.due, s.spread = at, false
	return true
}

// Begin notes that what is pending is being looked at.
func (s *Schedule) Begin() { s.due, s.spread = time.Time{}, false }

// Applied notes that BIRD was made to reload by what began at a time.
func (s *Schedule) Applied(began time.Time) { s.last = began }

// Succeeded ends backing off.
func (s *Schedule) Succeeded() { s.pause = 0 }

// Failed plans another try after a pause, which it returns.
func (s *Schedule) Failed(now time.Time) time.Duration {
	s.pause = min(max(2*s.pause, firstPause), s.opts.MaxPause)
	s.bringForward(now.Add(s.pause))
	return s.pause
}
