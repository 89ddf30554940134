package routes

import (
	"errors"
	"slices"
	"time"
)

// Patrol is when one BIRD's routes are looked at, and what is known of them.
//
//	state    event    next      besides
//	idle     Begin    looking
//	looking  Looked   idle      the next look is due after a pause
//	looking  Dropped  idle      so it is, after a short one: what should be is another thing by now
//	any      Hurry    the same  the next look is due
type Patrol struct {
	looking bool
	due     time.Time
	turn    int
	verdict Verdict
	steady  Steady
	// blind is since when nothing is known, and err why; zero: something is.
	blind time.Time
	err   error
	// Removed counts routes that were taken out of the kernel.
	Removed int
}

// How much of its time BIRD may be busy with being looked at, as a divisor, and the
// longest pause that may come of it: on a busy machine a look takes long of which BIRD
// has worked little, and what is wrong is to be seen, and its end. So it is while
// something is suspected, and otherwise.
const (
	hurryShare = 20
	hurryMost  = 15 * time.Second
	quietShare = 100
	quietMost  = 30 * time.Second
)

// hurry is the pause while something is suspected, wholeEvery how often whole lists
// are read where nothing tells that they have changed.
const (
	hurry      = 3 * time.Second
	wholeEvery = 10 * time.Minute
)

// patience is how long nothing must be known before that is said.
const patience = 15 * time.Second

// IsDue says whether to look now.
func (p *Patrol) IsDue(now time.Time) bool { return !p.looking && !now.Before(p.due) }

// Begin notes that a look begins. whole says whether whole lists are to be read in any
// case; else where the signature is another than before.
func (p *Patrol) Begin(now time.Time) (whole bool, before Signature, turn int) {
	p.looking = true
	p.turn++
	whole = p.verdict.Whole.IsZero() || now.Sub(p.verdict.Whole) >= wholeEvery || len(p.steady.known) > 0
	return whole, p.verdict.Signature, p.turn
}

// Before is what the last look has shown.
func (p *Patrol) Before() Verdict { return p.verdict }

// Looked takes what a look has shown, which took so long, and returns what is news:
// faults that last, and those that are over. every is the pause between two looks.
func (p *Patrol) Looked(now time.Time, v Verdict, took, every time.Duration) (news, over []Fault) {
	p.looking, p.err = false, v.Unknown
	if v.Unknown != nil {
		p.due = now.Add(every)
		p.sawNothing(now)
		return nil, nil
	}
	p.verdict, p.blind = v, time.Time{}
	news, over = p.steady.Seen(now, v.Faults)
	pause := max(every, min(quietShare*took, quietMost))
	if p.steady.Unsettled() || v.Recovery.InProgress {
		pause = shortPause(took, every)
	}
	p.due = now.Add(pause)
	return news, over
}

// shortPause is the one while something is suspected.
func shortPause(took, every time.Duration) time.Duration {
	return max(min(every, hurry), min(hurryShare*took, hurryMost))
}

// Dropped notes that what a look has shown, which took so long, is of no use. every is
// the pause between two looks.
func (p *Patrol) Dropped(now time.Time, took, every time.Duration) {
	p.looking, p.due = false, now.Add(shortPause(took, every))
}

// Hurry has the next look be due.
func (p *Patrol) Hurry(now time.Time) { p.due = now }

// sawNothing notes that a look has failed. What was known stays so for a while.
func (p *Patrol) sawNothing(now time.Time) {
	if p.blind.IsZero() {
		p.blind = now
	}
	if now.Sub(p.blind) >= patience {
		p.verdict = Verdict{}
		p.steady.Forget()
	}
}

// errNotYet: there was no look yet.
var errNotYet = errors.New("they have not been looked at yet")

// Unknown is why nothing is known, and has not been for a while; nil: something is.
func (p *Patrol) Unknown() error {
	switch {
	case !p.verdict.At.IsZero():
		return nil
	case p.err != nil:
		return p.err
	}
	return errNotYet
}

// Faults are those that last, sorted.
func (p *Patrol) Faults() []Fault { return p.steady.Said() }

// Stale are those of them of which there are routes to be removed, as the last look
// has shown once more.
func (p *Patrol) Stale() []Fault {
	var list []Fault
	for _, k := range p.steady.known {
		if k.said && k.absent.IsZero() && len(k.fault.Stale) > 0 {
			list = append(list, k.fault)
		}
	}
	slices.SortFunc(list, Fault.compare)
	return list
}
