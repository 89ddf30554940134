// Package hold knows what is kept back, and whether it may go on. It is a machine
// without a clock: each event says when it was.
//
//	state     event                        next      what becomes of it
//	none      Keep                         held      it is held from then on
//	held      Keep (the same)              held      since when, and until when, stay
//	held      Keep (another)               held      the other one is held
//	held      Approve, Expire (time over)  approved  it may go on, once
//	approved  Keep (the same)              approved  nothing
//	approved  Keep (another)               held      the other one is held; the approval is void
//	any       Over                         none      nothing is held
//
// What a program before this one held, and since when, Inherit tells.
package hold

import (
	"time"

	"confd/internal/clock"
	"confd/internal/report"
)

// State is where what is kept back stands.
type State int

// The states.
const (
	None     State = iota // nothing is kept back
	Held                  // it waits for an approval, or for its time to be over
	Approved              // it may go on
)

// String is the state in one word.
func (s State) String() string { return [...]string{"none", "held", "approved"}[s] }

// Hold is what is kept back.
type Hold struct {
	limit time.Duration // for which something is held; 0: until it is approved
	state State
	held  report.Held
	// before is what the program held that ran here before; nil: nothing, or it is
	// over.
	before *report.Held
}

// New makes a Hold with nothing in it, that lets what it holds go on after limit;
// 0: never.
func New(limit time.Duration) *Hold { return &Hold{limit: limit} }

// State is where it stands.
func (h *Hold) State() State { return h.state }

// Current is what is held; nil where nothing is, or may go on.
func (h *Hold) Current() *report.Held {
	if h.state != Held {
		return nil
	}
	held := h.held
	return &held
}

// Before is what the program held that ran here before, until something is live;
// nil: nothing.
func (h *Hold) Before() *report.Held { return h.before }

// Inherit notes what the program held that ran here before; nil: nothing.
func (h *Hold) Inherit(before *report.Held) { h.before = before }

// Keep keeps something back, named by its Hash, and says whether that is news. It
// fills in since when, until when, and what an approval must say.
func (h *Hold) Keep(now time.Time, held report.Held) bool {
	was, news := h.held, h.state == None || h.held.Hash != held.Hash
	switch {
	case !news && h.state == Approved:
		return false
	case !news:
		held.Since, held.Until, held.Token = was.Since, was.Until, was.Token
	default:
		h.begin(now, &held)
	}
	h.state, h.held = Held, held
	return news
}

// begin has something be held from now on, or since the program before did.
func (h *Hold) begin(now time.Time, held *report.Held) {
	if h.before != nil && h.before.Hash == held.Hash {
		held.Since, held.Until, held.Token = clock.At(h.before.Since, now), clock.At(h.before.Until, now), h.before.Token
	} else {
		held.Since, held.Until = now, time.Time{}
	}
	if h.limit > 0 && held.Until.IsZero() {
		held.Until = held.Since.Add(h.limit)
	}
	if held.Token == "" {
		held.Token = report.NewToken()
	}
}

// Allows says whether what has that hash may go on.
func (h *Hold) Allows(hash string) bool { return h.state == Approved && h.held.Hash == hash }

// Approve lets what is held go on.
func (h *Hold) Approve() bool { return h.let() }

// Expire lets what is held go on where it has been held for as long as it may. It
// says whether it does.
func (h *Hold) Expire(now time.Time) bool {
	if h.state != Held || h.held.Until.IsZero() || now.Before(h.held.Until) {
		return false
	}
	return h.let()
}

func (h *Hold) let() bool {
	if h.state != Held {
		return false
	}
	h.state = Approved
	return true
}

// Over notes that nothing is kept back: it went live, or the input has changed.
// It says what was; nil: nothing.
func (h *Hold) Over() *report.Held {
	if h.state == None {
		return nil
	}
	was := h.held
	h.state, h.held = None, report.Held{}
	return &was
}

// Live notes that something is live which was not held: what the program before
// held back is over.
func (h *Hold) Live() { h.before = nil }

// ApprovedHash is the hash of what may go on; empty: nothing.
func (h *Hold) ApprovedHash() string {
	if h.state != Approved {
		return ""
	}
	return h.held.Hash
}
