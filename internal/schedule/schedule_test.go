package schedule

import (
	"testing"
	"time"

	"confd/internal/testenv/statetable"
)

const (
	gather = 50 * time.Millisecond
	apart  = time.Second
)

func newSchedule() *Schedule {
	return New(Options{Gather: gather, MinInterval: apart, MaxPause: 30 * time.Second})
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTable(t *testing.T) {
	statetable.Machine[*Schedule]{
		File: "schedule.go",
		States: map[string]func() *Schedule{
			"idle":    newSchedule,
			"waiting": func() *Schedule { s := newSchedule(); s.Changed(start, 0); return s },
		},
		State: func(s *Schedule) string { return s.State().String() },
		Events: map[string]func(*Schedule){
			"Changed":   func(s *Schedule) { s.Changed(start, time.Minute) },
			"Soon":      func(s *Schedule) { s.Soon(start) },
			"Failed":    func(s *Schedule) { s.Failed(start) },
			"Begin":     func(s *Schedule) { s.Begin() },
			"Applied":   func(s *Schedule) { s.Applied(start) },
			"Succeeded": func(s *Schedule) { s.Succeeded() },
		},
	}.Test(t)
}

// TestDue has things happen, and looks when what is pending is due.
func TestDue(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(s *Schedule)
		due     time.Duration // after start
	}{
		"a change":                           {func(s *Schedule) { s.Changed(start, 0) }, gather},
		"a change that is spread":            {func(s *Schedule) { s.Changed(start, time.Minute) }, gather + time.Minute},
		"a second one does not begin anew":   {func(s *Schedule) { s.Changed(start, 0); s.Changed(start.Add(gather/2), 0) }, gather},
		"the first spread counts":            {func(s *Schedule) { s.Changed(start, time.Minute); s.Changed(start, time.Second) }, gather + time.Minute},
		"one that must not wait takes along": {func(s *Schedule) { s.Changed(start, time.Hour); s.Changed(start.Add(time.Second), 0) }, gather},
		"a reload just now":                  {func(s *Schedule) { s.Applied(start.Add(-time.Millisecond)); s.Changed(start, 0) }, apart - time.Millisecond},
		"a reload long ago":                  {func(s *Schedule) { s.Applied(start.Add(-time.Hour)); s.Changed(start, 0) }, gather},
		"BIRD came up":                       {func(s *Schedule) { s.Applied(start); s.Changed(start, time.Hour); s.Soon(start) }, 0},
		"a failure":                          {func(s *Schedule) { s.Failed(start) }, firstPause},
		"a failure, and a change":            {func(s *Schedule) { s.Failed(start); s.Changed(start, 0) }, gather},
		"a change far off, and a failure":    {func(s *Schedule) { s.Changed(start, time.Hour); s.Failed(start) }, firstPause},
		"what was looked at is not pending":  {func(s *Schedule) { s.Soon(start); s.Begin(); s.Changed(start.Add(time.Second), 0) }, time.Second + gather},
	} {
		s := newSchedule()
		c.happens(s)
		at := start.Add(c.due)
		if !s.Due().Equal(at) || !s.IsDue(at) || s.IsDue(at.Add(-1)) {
			t.Errorf("%s: due after %s, want %s", name, s.Due().Sub(start), c.due)
		}
	}
	if s := newSchedule(); !s.Due().IsZero() || s.IsDue(start) {
		t.Error("something is due though nothing is pending")
	}
}

func TestPauses(t *testing.T) {
	s := newSchedule()
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		s.Begin()
		if got := s.Failed(start); got != want*time.Second || !s.Due().Equal(start.Add(got)) {
			t.Errorf("a pause of %s, due after %s, want %s", got, s.Due().Sub(start), want*time.Second)
		}
	}
	s.Succeeded()
	if got := s.Failed(start); got != firstPause {
		t.Errorf("after a success a pause of %s, want %s", got, firstPause)
	}
}
