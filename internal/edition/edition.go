// Package edition knows which templates are in use, and which to go back to. It is
// a machine without a clock and without files: it is told what was read, and how
// what the templates made has fared.
//
//	state    event                    next     in use
//	missing  Changed                  settled  the changed ones
//	settled  Changed (nothing runs)   settled  the changed ones
//	settled  Changed                  trying   the changed ones; those before are kept
//	trying   Changed                  trying   the changed ones; what is kept stays
//	trying   Worked (those in use)    settled  the same
//	trying   Worked (others)          trying   the same; those that worked are kept
//	trying   Refused                  refused  those that were kept
//	trying   FailedTrial              settled  those that were kept
//	refused  Retry                    trying   the refused ones
//	refused  Changed                  trying   the changed ones
//	refused  Unreadable, Unchanged    settled  the same; the refused ones are given up
//	settled  Unreadable, Unchanged    settled  the same
//	trying   Unreadable, Unchanged    trying   the same
//	missing  Unreadable, Unchanged    missing  none
package edition

import "confd/internal/plan"

// State is where the templates stand.
type State int

// The states.
const (
	Missing State = iota // there are none that can be read
	Settled              // there are none to go back to, or no need to
	Trying               // those in use have not worked yet; others have
	Refused              // changed ones did not work; they are tried again with the next change
)

// String is the state in one word.
func (s State) String() string { return [...]string{"missing", "settled", "trying", "refused"}[s] }

// Edition is the templates in use. The zero value has none.
type Edition struct {
	state State
	inUse plan.Templates
	// other are those to go back to (Trying), or to try again (Refused).
	other plan.Templates
	// why the templates that are there now are not those in use; empty: they are.
	why string
}

// New makes the Edition of a start: templates that were read, or why they could
// not be.
func New(t plan.Templates, err error) *Edition {
	if err != nil {
		return &Edition{why: err.Error()}
	}
	return &Edition{state: Settled, inUse: t}
}

// State is where the templates stand.
func (e *Edition) State() State { return e.state }

// InUse are the templates to render with; none in state Missing.
func (e *Edition) InUse() plan.Templates { return e.inUse }

// Why is what is wrong with the templates that are there now; empty where they
// are those in use.
func (e *Edition) Why() string { return e.why }

// MadeBy says whether the templates in use are those of another edition.
func (e *Edition) MadeBy(t plan.Templates) bool { return e.inUse.Engine == t.Engine }

// Changed takes changed templates into use. running says whether something runs
// that those before have made.
func (e *Edition) Changed(t plan.Templates, running bool) {
	switch {
	case e.state == Missing || e.state == Settled && !running:
		e.state = Settled
	case e.state == Settled, e.state == Refused:
		e.state, e.other = Trying, e.inUse
	}
	e.inUse, e.why = t, ""
}

// Unreadable notes that the templates that are there now cannot be used. Those in
// use stay.
func (e *Edition) Unreadable(why string) {
	if e.state == Refused {
		e.settle()
	}
	e.why = why
}

// Unchanged notes that what is there now are the templates in use, after all.
func (e *Edition) Unchanged() {
	if e.state == Refused {
		e.settle()
	}
	e.why = ""
}

// Worked notes that BIRD runs what templates have made.
func (e *Edition) Worked(t plan.Templates) {
	switch {
	case e.state != Trying:
	case e.MadeBy(t):
		e.settle()
	default:
		e.other = t
	}
}

// Refused goes back to the templates that worked: what those in use make cannot
// be rendered, or BIRD refuses it. It says whether there were others.
func (e *Edition) Refused(why string) bool {
	if e.state != Trying {
		return false
	}
	e.state, e.inUse, e.other, e.why = Refused, e.other, e.inUse, why
	return true
}

// FailedTrial goes back as Refused does, for good: what has failed a trial is
// tried again only when it has changed.
func (e *Edition) FailedTrial(why string) bool {
	if !e.Refused(why) {
		return false
	}
	e.settle()
	return true
}

// Retry takes refused templates into use once more: what was wrong may have been
// an object that has changed since, or BIRD's version.
func (e *Edition) Retry() {
	if e.state == Refused {
		e.state, e.inUse, e.other, e.why = Trying, e.other, e.inUse, ""
	}
}

// settle has no templates besides those in use.
func (e *Edition) settle() { e.state, e.other = Settled, plan.Templates{} }
