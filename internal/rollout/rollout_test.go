package rollout

import (
	"errors"
	"slices"
	"testing"
	"time"

	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/testenv/statetable"
	"confd/reload"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func sets(names ...string) []reload.Set {
	var list []reload.Set
	for _, n := range names {
		list = append(list, reload.Set{Name: n})
	}
	return list
}

func none(reload.Set) bool { return false }

// in is a rollout of two sets at a stage.
func in(s Stage) *Rollout {
	r := &Rollout{}
	if s == Idle {
		return r
	}
	r.Begin(inbox.Batch{Since: start})
	if s == Planning {
		return r
	}
	r.Planned(&plan.Candidate{Sets: sets("a", "b")})
	switch s {
	case Checking:
		r.Pass(start, none)
	case Searching:
		r.Pass(start, none)
		r.Search()
	case Installing:
		r.Install()
	}
	return r
}

func TestTable(t *testing.T) {
	states := map[string]func() *Rollout{}
	for s := Idle; s <= Installing; s++ {
		states[s.String()] = func() *Rollout { return in(s) }
	}
	statetable.Machine[*Rollout]{
		File: "rollout.go", States: states,
		State: func(r *Rollout) string { return r.Stage().String() },
		Events: map[string]func(*Rollout){
			"Begin":               func(r *Rollout) { r.Begin(inbox.Batch{}) },
			"Planned":             func(r *Rollout) { r.Planned(&plan.Candidate{Sets: sets("a")}) },
			"Anew":                func(r *Rollout) { r.Anew(WithoutHeld) },
			"Pass (several sets)": func(r *Rollout) { r.Pass(start, none) },
			"Pass (one set)":      func(r *Rollout) { r.Planned(&plan.Candidate{Sets: sets("a")}); r.Pass(start, none) },
			"Install":             func(r *Rollout) { r.Install() },
			"Answered":            func(r *Rollout) { r.Answered(start, r.Stage(), "a", Answer{}) },
			"Late":                func(r *Rollout) { r.Late(start.Add(time.Hour), time.Second) },
			"Search":              func(r *Rollout) { r.Search() },
			"End":                 func(r *Rollout) { r.End() },
		},
	}.Test(t)
}

func TestPass(t *testing.T) {
	for name, c := range map[string]struct {
		sets  []reload.Set
		known []string
		check []string
	}{
		"one set":                  {sets("a"), nil, nil},
		"two":                      {sets("a", "b"), nil, []string{"a", "b"}},
		"two, of which one lies":   {sets("a", "b"), []string{"a"}, []string{"b"}},
		"two, and both lie there":  {sets("a", "b"), []string{"a", "b"}, nil},
		"three, of which one lies": {sets("a", "b", "c"), []string{"b"}, []string{"a", "c"}},
	} {
		r := &Rollout{}
		r.Begin(inbox.Batch{})
		r.Planned(&plan.Candidate{Sets: c.sets})
		var got []string
		for _, s := range r.Pass(start, func(s reload.Set) bool { return slices.Contains(c.known, s.Name) }) {
			got = append(got, s.Name)
		}
		if !slices.Equal(got, c.check) {
			t.Errorf("%s: %v are checked, want %v", name, got, c.check)
		}
	}
}

// TestAnswers has two sets answer, in whatever order.
func TestAnswers(t *testing.T) {
	refusal := &reload.CheckError{Set: "b", Message: "syntax error"}
	r := in(Checking)
	if r.Answered(start, Installing, "a", Answer{}) || r.Answered(start, Checking, "c", Answer{}) {
		t.Error("an answer counts that nobody waits for")
	}
	if !r.Answered(start, Checking, "b", Answer{Err: refusal}) || r.IsDone() || r.Refused() == nil {
		t.Error("b's answer does not count, or is the last one")
	}
	if r.Answered(start, Checking, "b", Answer{}) || r.Answer("b").Err == nil {
		t.Error("a second answer counts")
	}
	if !r.Answered(start, Checking, "a", Answer{Err: reload.ErrCannotCheck}) || !r.IsDone() {
		t.Error("a's answer is not the last one")
	}
	if err := r.Refused(); !errors.Is(err, refusal) || errors.Is(err, reload.ErrCannotCheck) || !errors.Is(r.Err(), reload.ErrCannotCheck) {
		t.Errorf("refused is %v, and wrong %v", err, r.Err())
	}
	if r.End(); r.IsDone() || r.Candidate() != nil || r.Part() != Whole {
		t.Error("something is left of it")
	}
}

// TestLate ends the wait for a set that takes longer than the others.
func TestLate(t *testing.T) {
	const patience = 2 * time.Second
	r := in(Installing)
	if late := r.Late(start.Add(time.Hour), patience); late != nil {
		t.Errorf("%v are late, and nobody has answered", late)
	}
	r.Answered(start, Installing, "a", Answer{})
	if late := r.Late(start.Add(patience-1), patience); late != nil || r.IsDone() {
		t.Errorf("%v are late too early", late)
	}
	if late := r.Late(start.Add(patience), patience); !slices.Equal(late, []string{"b"}) || !r.IsDone() || !errors.Is(r.Err(), ErrLate) {
		t.Errorf("%v are late; %v", late, r.Err())
	}
	if late := r.Late(start.Add(time.Hour), patience); late != nil {
		t.Errorf("%v are late once more", late)
	}
	r = in(Surveying)
	r.Pass(start, func(s reload.Set) bool { return s.Name == "a" }) // which waits for b alone
	if late := r.Late(start.Add(patience), patience); !slices.Equal(late, []string{"b"}) {
		t.Errorf("%v are late, and a has to wait", late)
	}
}
