// Package schedule decides when the state is looked at and applied. The first
// change after a quiet time is applied soon, together with what belongs to it;
// under a storm there is one reload an interval. No change waits longer than that
// (and its spread), and none is dropped: what is pending when the time comes is
// applied together. After a failure it backs off.
//
//	state    event                next     what is due
//	idle     Changed              waiting  after Gather, and MinInterval after the last reload began
//	idle     Soon                 waiting  now
//	idle     Failed               waiting  after the pause, which doubles each time
//	waiting  Changed              waiting  the same; where it may not be put off: without the spread
//	waiting  Soon, Failed         waiting  the earlier of the two
//	waiting  Begin                idle     nothing
//	any      Applied              the same what changes is due MinInterval after that
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
	change time.Time     // when a change that came has been gathered; zero: none has come
	spread time.Duration // for which it is put off besides
	urgent time.Time     // when something else is due; zero: nothing is
	last   time.Time     // when the last reload began
	pause  time.Duration
}

// New makes a Schedule with nothing pending.
func New(o Options) *Schedule { return &Schedule{opts: o} }

// State is where it stands.
func (s *Schedule) State() State {
	if s.Due().IsZero() {
		return Idle
	}
	return Waiting
}

// Due is when what is pending is to be applied; zero where nothing is pending.
func (s *Schedule) Due() time.Time {
	if s.change.IsZero() {
		return s.urgent
	}
	due := s.change
	if earliest := s.last.Add(s.opts.MinInterval); due.Before(earliest) {
		due = earliest
	}
	return earlier(due.Add(s.spread), s.urgent)
}

// earlier is the earlier of two times; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// IsDue says whether the time of what is pending has come.
func (s *Schedule) IsDue(now time.Time) bool {
	due := s.Due()
	return !due.IsZero() && !now.Before(due)
}

// Changed notes a change that came at now, and that may be put off by spread
// besides. One that may not brings those before it forward.
func (s *Schedule) Changed(now time.Time, spread time.Duration) {
	switch {
	case s.change.IsZero():
		s.change, s.spread = now.Add(s.opts.Gather), spread
	case spread == 0: // of two that are spread the first counts: the earlier of many draws would be no random time
		s.spread = 0
	}
}

// Soon notes something that must not wait at all: BIRD came up.
func (s *Schedule) Soon(now time.Time) { s.urgent = earlier(s.urgent, now) }

// Begin notes that what is pending is being looked at.
func (s *Schedule) Begin() { s.change, s.spread, s.urgent = time.Time{}, 0, time.Time{} }

// Applied notes that BIRD was made to reload by what began at a time.
func (s *Schedule) Applied(began time.Time) { s.last = began }

// Succeeded ends backing off.
func (s *Schedule) Succeeded() { s.pause = 0 }

// Failed plans another try after a pause, which it returns.
func (s *Schedule) Failed(now time.Time) time.Duration {
	s.pause = min(max(2*s.pause, firstPause), s.opts.MaxPause)
	s.urgent = earlier(s.urgent, now.Add(s.pause))
	return s.pause
}
