package hold

import (
	"testing"
	"time"

	"confd/internal/clock/clocktest"
	"confd/internal/report"
	"confd/internal/testenv/statetable"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const limit = 10 * time.Minute

func holding(hash string) *Hold {
	h := New(limit)
	h.Keep(start, report.Held{Hash: hash})
	return h
}

func TestTable(t *testing.T) {
	statetable.Machine[*Hold]{
		File: "hold.go",
		States: map[string]func() *Hold{
			"none":     func() *Hold { return New(limit) },
			"held":     func() *Hold { return holding("a") },
			"approved": func() *Hold { h := holding("a"); h.Approve(); return h },
		},
		State: func(h *Hold) string { return h.State().String() },
		Events: map[string]func(*Hold){
			"Keep":               func(h *Hold) { h.Keep(start, report.Held{Hash: "a"}) },
			"Keep (the same)":    func(h *Hold) { h.Keep(start, report.Held{Hash: "a"}) },
			"Keep (another)":     func(h *Hold) { h.Keep(start, report.Held{Hash: "b"}) },
			"Approve":            func(h *Hold) { h.Approve() },
			"Expire (time over)": func(h *Hold) { h.Expire(start.Add(limit)) },
			"Over":               func(h *Hold) { h.Over() },
		},
	}.Test(t)
}

// TestSinceWhen: the same hold keeps its name and its times; another one has its own.
func TestSinceWhen(t *testing.T) {
	h := holding("a")
	first := *h.Current()
	if first.Token == "" || !first.Since.Equal(start) || !first.Until.Equal(start.Add(limit)) {
		t.Fatalf("held as %+v", first)
	}
	if h.Keep(start.Add(time.Minute), report.Held{Hash: "a", Why: "in other words"}) {
		t.Error("the same is news")
	}
	if is := *h.Current(); is.Token != first.Token || !is.Since.Equal(first.Since) || !is.Until.Equal(first.Until) || is.Why != "in other words" {
		t.Errorf("held again as %+v, and was %+v", is, first)
	}
	if !h.Keep(start.Add(time.Minute), report.Held{Hash: "b"}) {
		t.Error("another one is no news")
	}
	if is := *h.Current(); is.Token == first.Token || !is.Since.Equal(start.Add(time.Minute)) {
		t.Errorf("another one is held as %+v", is)
	}
	h.Over()
	h.Keep(start, report.Held{Hash: "a"})
	if h.Current().Token == first.Token {
		t.Error("held again later it has the same name: an approval of the first one would approve it")
	}
}

// TestInherit: what the program before held goes on with its name and its times.
func TestInherit(t *testing.T) {
	before := report.Held{Hash: "a", Token: "t", Since: start.Add(-9 * time.Minute), Until: start.Add(time.Minute)}
	h := New(limit)
	h.Inherit(&before)
	h.Keep(start, report.Held{Hash: "a"})
	if is := h.Current(); is.Token != "t" || !is.Since.Equal(before.Since) || !is.Until.Equal(before.Until) {
		t.Errorf("it goes on as %+v", is)
	}
	if h.Expire(start.Add(time.Minute-1)) || !h.Expire(start.Add(time.Minute)) || !h.Allows("a") || h.Allows("b") {
		t.Error("it does not go on when its time is over, which the start has not begun anew")
	}
	h.Over()
	h.Live()
	h.Keep(start, report.Held{Hash: "a"})
	if h.Before() != nil || h.Current().Token == "t" {
		t.Error("what was over is gone on with")
	}
	h = New(limit)
	h.Inherit(&before)
	h.Keep(start, report.Held{Hash: "b"})
	if h.Current().Token == "t" || !h.Current().Since.Equal(start) {
		t.Error("another one goes on with what the program before held")
	}
}

// TestClock: what somebody approves is approved, and what has no limit waits for that,
// however the clock is set.
func TestClock(t *testing.T) {
	h := New(0)
	h.Keep(start, report.Held{Hash: "a"})
	if h.Expire(start.Add(1000 * time.Hour)) {
		t.Error("it goes on by itself")
	}
	if !h.Approve() || h.ApprovedHash() != "a" || h.Current() != nil {
		t.Error("it is not approved")
	}
	h = holding("a")
	if h.Keep(start.Add(-time.Hour), report.Held{Hash: "a"}); !h.Current().Since.Equal(start) {
		t.Error("a clock that was set back has it begin anew")
	}
}

// TestClockWhileHeld has the clock be set: what has a limit goes on after as long as ever,
// also where the program before this one held it.
func TestClockWhileHeld(t *testing.T) {
	for _, by := range []time.Duration{0, 20 * time.Hour, -20 * time.Hour} {
		began := clocktest.Now()
		at := func(d time.Duration) time.Time { return clocktest.Set(began.Add(d), by) }
		before := report.Held{Hash: "a", Since: began.Round(0).Add(-time.Minute), Until: began.Round(0).Add(limit - time.Minute)}
		h, inherited := New(limit), New(limit)
		inherited.Inherit(&before)
		for _, h := range []*Hold{h, inherited} {
			h.Keep(began, report.Held{Hash: "a"})
			if h.Expire(at(limit - time.Minute - time.Second)) {
				t.Errorf("set by %v: it goes on early", by)
			}
			if !h.Expire(at(limit)) {
				t.Errorf("set by %v: it goes on late", by)
			}
		}
	}
}
