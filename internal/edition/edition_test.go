package edition

import (
	"errors"
	"testing"

	"confd/internal/plan"
	"confd/internal/testenv/statetable"
	"confd/templates"
)

func some() plan.Templates { return plan.Templates{Engine: &templates.Engine{}} }

func settled() *Edition { return New(some(), nil) }

func trying() *Edition {
	e := settled()
	e.Changed(some(), true)
	return e
}

func refused() *Edition {
	e := trying()
	e.Refused("a syntax error")
	return e
}

func TestTable(t *testing.T) {
	statetable.Machine[*Edition]{
		File: "edition.go",
		States: map[string]func() *Edition{
			"missing": func() *Edition { return New(plan.Templates{}, errors.New("broken")) },
			"settled": settled, "trying": trying, "refused": refused,
		},
		State: func(e *Edition) string { return e.State().String() },
		Events: map[string]func(*Edition){
			"Changed":                func(e *Edition) { e.Changed(some(), true) },
			"Changed (nothing runs)": func(e *Edition) { e.Changed(some(), false) },
			"Worked (those in use)":  func(e *Edition) { e.Worked(e.InUse()) },
			"Worked (others)":        func(e *Edition) { e.Worked(some()) },
			"Refused":                func(e *Edition) { e.Refused("no") },
			"FailedTrial":            func(e *Edition) { e.FailedTrial("no") },
			"Retry":                  func(e *Edition) { e.Retry() },
			"Unreadable":             func(e *Edition) { e.Unreadable("broken") },
			"Unchanged":              func(e *Edition) { e.Unchanged() },
		},
	}.Test(t)
}

// TestWhatIsInUse follows templates through changes: a, b, and c.
func TestWhatIsInUse(t *testing.T) {
	a, b, c := some(), some(), some()
	e := New(a, nil)
	uses := func(what string, want plan.Templates, why bool) {
		t.Helper()
		if !e.MadeBy(want) || (e.Why() != "") != why {
			t.Errorf("%s: others are in use, or why not is %q", what, e.Why())
		}
	}
	e.Changed(b, true)
	uses("b is tried", b, false)
	e.Changed(c, true)
	uses("c is tried before b has worked", c, false)
	e.Refused("no")
	uses("c is refused", a, true)
	e.Retry()
	uses("c is tried again", c, false)
	e.FailedTrial("sessions went down")
	uses("c fails its trial", a, true)
	e.Retry()
	uses("it is not tried again", a, true)
	e.Changed(b, true)
	e.Worked(b)
	uses("b has worked", b, false)
	e.Changed(c, true)
	e.Refused("no")
	uses("c is refused, and b has worked", b, true)
	e.Changed(a, true)
	e.Worked(b) // a trial of what b made ends
	e.Refused("no")
	uses("a is refused", b, true)
	if e.Refused("again") {
		t.Error("there are others to go back to, though the last good ones are in use")
	}
}
