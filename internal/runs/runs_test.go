package runs

import (
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/testenv/statetable"
	"confd/reload"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func set(name, text string) reload.Set {
	return reload.Set{Name: name, Files: []reload.File{{Dest: "/" + name, Data: []byte(text)}}}
}

func candidate(text string) *plan.Candidate {
	c := &plan.Candidate{Config: &bgp.Config{}, Sets: []reload.Set{set("a", text), set("b", text)}}
	c.Hash = plan.Hash(c.Sets)
	return c
}

func running() *Runs {
	r := &Runs{}
	r.Live(candidate("1"), true)
	return r
}

// trial is one of both sets, or of the first.
func trial(sets int) *Runs {
	r, c := running(), candidate("2")
	r.Try(c, inbox.Batch{Since: start}, c.Sets[:sets])
	return r
}

func TestTable(t *testing.T) {
	asBefore := func(string) string { return "running" } // the trials of these tests
	statetable.Machine[*Runs]{
		File: "runs.go",
		States: map[string]func() *Runs{
			"nothing": func() *Runs { return &Runs{} },
			"startup": func() *Runs { r := &Runs{}; r.Found(set("a", "0")); return r },
			"running": running,
			"trial":   func() *Runs { return trial(2) },
			"back":    func() *Runs { r := trial(1); r.Failed("a", true); return r },
		},
		State: func(r *Runs) string { return r.State().String() },
		Events: map[string]func(*Runs){
			"Found":                 func(r *Runs) { r.Found(set("a", "0")) },
			"Resumed":               func(r *Runs) { r.Resumed(set("a", "0")) },
			"Began":                 func(r *Runs) { r.Began(candidate("2").Sets) },
			"Live":                  func(r *Runs) { r.Live(candidate("2"), true) },
			"Same":                  func(r *Runs) { r.Same(backends.NewState()) },
			"Try":                   func(r *Runs) { r.Try(nil, inbox.Batch{}, []reload.Set{set("a", "2")}) },
			"Passed (not the last)": func(r *Runs) { r.Passed("a") },
			"Passed (the last)":     func(r *Runs) { r.Passed("a"); r.Passed("b") },
			"Failed (not the last)": func(r *Runs) { r.Failed("a", true) },
			"Failed (undone)":       func(r *Runs) { r.Passed("a"); r.Failed("b", true) },
			"Failed (nobody knows)": func(r *Runs) { r.Passed("a"); r.Failed("b", false) },
			"Back.Done":             func(r *Runs) { r.Back.Done() },
			"Doubt":                 func(r *Runs) { r.Doubt() },
		},
		Next: map[string]func(string) string{"as before": asBefore},
	}.Test(t)
}

func TestWayBack(t *testing.T) {
	state := func(b *WayBack) string {
		if b.open {
			return "open"
		}
		return "done"
	}
	statetable.Machine[*WayBack]{
		File: "trial.go", Type: "WayBack",
		States: map[string]func() *WayBack{
			"done": func() *WayBack { return &WayBack{} },
			"open": func() *WayBack { return &WayBack{open: true} },
		},
		State: state,
		Events: map[string]func(*WayBack){
			"a trial failed": func(b *WayBack) { r := trial(1); r.Failed("a", true); *b = r.Back },
			"Begun":          func(b *WayBack) { b.Begun(start) },
			"Done":           func(b *WayBack) { b.Done() },
		},
	}.Test(t)
	b := WayBack{open: true}
	if !b.IsDue(start) {
		t.Error("it is not due at once")
	}
	if b.Begun(start.Add(time.Second)); b.IsDue(start) || !b.IsDue(start.Add(time.Second)) {
		t.Error("it is not due again a while later")
	}
}

// TestWhole: a candidate is live when its last set has passed, and not where one has
// failed.
func TestWhole(t *testing.T) {
	r := trial(2)
	if c := r.Passed("a"); c != nil || !r.Trial().Has("b") || r.Trial().Has("a") {
		t.Errorf("with one of two it is %v", c)
	}
	if c := r.Passed("b"); c == nil || c.Hash != candidate("2").Hash {
		t.Errorf("with both it is %v", c)
	}
	r = trial(2)
	if c, batch := r.Failed("a", true); c == nil || !batch.Since.Equal(start) {
		t.Errorf("failed has %v, which came from %v", c, batch)
	}
	if c := r.Passed("b"); c != nil || r.Running().Hash != candidate("1").Hash || !r.InDoubt() || r.State() != GoingBack {
		t.Errorf("with one that failed it is %v", c)
	}
}

// TestSets says which sets are in use, and which are gone back to.
func TestSets(t *testing.T) {
	text := func(sets []reload.Set) string {
		if len(sets) == 0 {
			return ""
		}
		return string(sets[0].Files[0].Data)
	}
	wants := func(what string, r *Runs, inUse, before, current string) {
		t.Helper()
		if a, b, c := text(r.InUse()), text(r.Before()), text(r.Current()); a != inUse || b != before || c != current {
			t.Errorf("%s: in use are %q, before %q, current %q", what, a, b, c)
		}
	}
	r := &Runs{}
	wants("nothing", r, "", "", "")
	r.Found(set("a", "old"))
	r.Found(set("a", "0"))
	wants("files from before", r, "0", "0", "0")
	if !r.IsRunning(plan.Hash([]reload.Set{set("a", "0")})) {
		t.Error("what lies there does not run")
	}
	r.Began(candidate("1").Sets)
	wants("something is put in place", r, "0", "0", "1")
	r.Live(candidate("1"), false)
	wants("it is live", r, "1", "1", "1")
	if !r.InDoubt() {
		t.Error("what is not all in place is not in doubt")
	}
	r.Try(candidate("2"), inbox.Batch{}, candidate("2").Sets)
	wants("something is on trial", r, "2", "1", "2")
	r.Failed("a", false)
	wants("nobody knows how that ended", r, "1", "1", "1")
}
