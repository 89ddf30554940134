package main

import "time"

// pace decides when changes are applied: the first one after a quiet time soon,
// together with what belongs to it; and under a storm, once per interval. No
// change waits longer than that (and its splay), and none is dropped: what is
// pending when the time comes is applied together. After a failure it backs off.
type pace struct {
	gather      time.Duration
	minInterval time.Duration
	maxBackOff  time.Duration

	due     time.Time // zero: nothing is pending
	last    time.Time // when changes were applied last
	backOff time.Duration
	splayed bool // what is due was put off at random
}

// changed notes a change that happened at now, and that may be put off by splay
// besides. One that may not brings those before it forward.
func (p *pace) changed(now time.Time, splay time.Duration) {
	if splay > 0 && p.splayed && !p.due.IsZero() {
		return // the earliest of many draws would be no random time
	}
	due := now.Add(p.gather)
	if earliest := p.last.Add(p.minInterval); due.Before(earliest) {
		due = earliest
	}
	due = due.Add(splay)
	if p.due.IsZero() || due.Before(p.due) {
		p.due, p.splayed = due, splay > 0
	}
}

// soon notes something that must not wait at all: BIRD came up.
func (p *pace) soon(now time.Time) {
	if p.due.IsZero() || now.Before(p.due) {
		p.due = now
	}
}

// pending is when changes are to be applied, if any are.
func (p *pace) pending() (time.Time, bool) { return p.due, !p.due.IsZero() }

// begin notes that what is pending has been looked at.
func (p *pace) begin() { p.due = time.Time{} }

// applied notes that BIRD was made to reload, at the time that this began.
func (p *pace) applied(began time.Time) { p.last = began }

// succeeded ends backing off.
func (p *pace) succeeded() { p.backOff = 0 }

// failed plans another try.
func (p *pace) failed(now time.Time) {
	p.backOff = min(max(2*p.backOff, time.Second), p.maxBackOff)
	if due := now.Add(p.backOff); p.due.IsZero() || due.Before(p.due) {
		p.due = due
	}
}
