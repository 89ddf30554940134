package routes

import (
	"errors"
	"testing"
	"time"

	"confd/internal/testenv/statetable"
)

const every = 10 * time.Second

func TestPatrolTable(t *testing.T) {
	statetable.Machine[*Patrol]{
		File: "patrol.go", Type: "Patrol",
		States: map[string]func() *Patrol{
			"idle":    func() *Patrol { return &Patrol{} },
			"looking": func() *Patrol { p := &Patrol{}; p.Begin(morning); return p },
		},
		State: func(p *Patrol) string { return map[bool]string{false: "idle", true: "looking"}[p.looking] },
		Events: map[string]func(*Patrol){
			"Begin":   func(p *Patrol) { p.Begin(morning) },
			"Looked":  func(p *Patrol) { p.Looked(morning, Verdict{At: morning}, 0, every) },
			"Dropped": func(p *Patrol) { p.Dropped(morning, 0, every) },
			"Hurry":   func(p *Patrol) { p.Hurry(morning) },
		},
	}.Test(t)
}

// look is a look that takes a time and shows faults; it returns when the next is due.
func look(p *Patrol, now time.Time, took time.Duration, faults ...Fault) time.Duration {
	p.Begin(now)
	p.Looked(now, Verdict{At: now, Whole: now, Faults: faults}, took, every)
	return p.due.Sub(now)
}

// BIRD gives a small share of its time to looks, and no look is put off for long where
// one took long: that may be the machine's load.
func TestPatrolPace(t *testing.T) {
	f := Fault{Kind: Unreachable, Net: net("10.0.0.0/24")}
	for _, test := range []struct {
		took   time.Duration
		faults []Fault
		want   time.Duration
	}{
		{0, nil, every},
		{250 * time.Millisecond, nil, 25 * time.Second},
		{time.Second, nil, 30 * time.Second},
		{0, []Fault{f}, 3 * time.Second},
		{250 * time.Millisecond, []Fault{f}, 5 * time.Second},
		{time.Second, []Fault{f}, 15 * time.Second},
	} {
		if got := look(&Patrol{}, morning, test.took, test.faults...); got != test.want {
			t.Errorf("took %v with %d faults: again after %v, want %v", test.took, len(test.faults), got, test.want)
		}
		if len(test.faults) == 0 {
			continue
		}
		p := &Patrol{}
		p.Begin(morning)
		if p.Dropped(morning, test.took, every); p.due.Sub(morning) != test.want {
			t.Errorf("dropped, and took %v: again after %v, want %v", test.took, p.due.Sub(morning), test.want)
		}
	}
	slow := &Patrol{}
	slow.Begin(morning)
	if slow.Looked(morning, Verdict{At: morning}, time.Second, time.Minute); slow.due.Sub(morning) != time.Minute {
		t.Errorf("where looks are asked for each minute there is one after %v", slow.due.Sub(morning))
	}
}

// However slow looks are, a fault that has lasted is over a minute after its end.
func TestPatrolSeesTheEnd(t *testing.T) {
	f := Fault{Kind: PeerBlackholed, Session: "Mesh_10_0_0_2"}
	p, now := &Patrol{}, morning
	step := func(faults ...Fault) time.Time {
		now = p.due
		p.Begin(now)
		now = now.Add(5 * time.Second)
		p.Looked(now, Verdict{At: now, Whole: now, Faults: faults}, 5*time.Second, every)
		return now
	}
	p.Hurry(morning)
	for range 4 {
		step(f)
	}
	if len(p.Faults()) != 1 {
		t.Fatal("it is not said")
	}
	cured := now // just after it was seen for the last time
	for len(p.Faults()) > 0 {
		step()
	}
	if after := now.Sub(cured); after > time.Minute {
		t.Errorf("it is over %v after its end", after)
	}
}

func TestPatrolWhole(t *testing.T) {
	p := &Patrol{}
	if whole, _, _ := p.Begin(morning); !whole {
		t.Error("the first look does not read lists")
	}
	p.Looked(morning, Verdict{At: morning, Whole: morning}, 0, every)
	if whole, _, turn := p.Begin(morning); whole || turn != 2 {
		t.Error("lists are read again", turn)
	}
	p.Looked(morning, Verdict{At: morning, Whole: morning, Faults: []Fault{{Kind: NotTold}}}, 0, every)
	if whole, _, _ := p.Begin(morning); !whole {
		t.Error("what is suspected is not looked at again")
	}
	p.Looked(morning, Verdict{At: morning, Whole: morning}, 0, every)
	if whole, _, _ := p.Begin(morning.Add(wholeEvery)); !whole {
		t.Error("lists are never read again")
	}
}

// That nothing can be seen is said after a while, and what was said before is over.
func TestPatrolBlind(t *testing.T) {
	p, now := &Patrol{}, morning
	if p.Unknown() == nil {
		t.Error("all is known before the first look")
	}
	f := Fault{Kind: Unreachable, Net: net("10.0.0.0/24")}
	look(p, now, 0, f)
	now = now.Add(every)
	look(p, now, 0, f)
	if len(p.Faults()) != 1 || p.Unknown() != nil {
		t.Fatal(p.Faults(), p.Unknown())
	}
	blind := errors.New("BIRD does not answer")
	for _, test := range []struct {
		after time.Duration
		known bool
	}{{0, true}, {14 * time.Second, true}, {15 * time.Second, false}} {
		at := now.Add(test.after)
		p.Begin(at)
		p.Looked(at, Verdict{At: at, Unknown: blind}, 0, every)
		if known := p.Unknown() == nil; known != test.known || known != (len(p.Faults()) == 1) {
			t.Errorf("after %v: %v, %v", test.after, p.Unknown(), p.Faults())
		}
	}
}

func TestSteadyTable(t *testing.T) {
	f := Fault{Kind: Unreachable, Net: net("10.0.0.0/24"), Stale: []Entry{{}}}
	late := morning.Add(time.Hour)
	see := func(at time.Time) func(*Steady) { return func(s *Steady) { s.Seen(at, []Fault{f}) } }
	miss := func(at time.Time) func(*Steady) { return func(s *Steady) { s.Seen(at, nil) } }
	made := func(steps ...func(*Steady)) func() *Steady {
		return func() *Steady {
			s := &Steady{}
			for _, step := range steps {
				step(s)
			}
			return s
		}
	}
	said := []func(*Steady){see(morning.Add(-time.Hour)), see(morning)}
	statetable.Machine[*Steady]{
		File: "steady.go", Type: "Steady",
		States: map[string]func() *Steady{
			"none": made(), "suspected": made(see(morning)), "said": made(said...), "leaving": made(append(said, miss(morning))...),
		},
		State: func(s *Steady) string {
			k := s.known[f.id()]
			switch {
			case k == nil:
				return "none"
			case !k.said:
				return "suspected"
			case k.absent.IsZero():
				return "said"
			}
			return "leaving"
		},
		Events: map[string]func(*Steady){
			"seen": see(morning), "seen (its time over)": see(late), "absent": miss(morning), "absent (calm over)": miss(late),
		},
	}.Test(t)
}

// What is news is told once.
func TestSteadyNews(t *testing.T) {
	s := &Steady{}
	f := Fault{Kind: BlockAbsent, Net: net("10.0.0.0/26")}
	for _, test := range []struct {
		after      time.Duration
		seen       bool
		news, over int
		said       int
	}{
		{0, true, 0, 0, 0}, {29 * time.Second, true, 0, 0, 0}, {30 * time.Second, true, 1, 0, 1}, {40 * time.Second, true, 0, 0, 1},
		{50 * time.Second, false, 0, 0, 1}, {55 * time.Second, true, 0, 0, 1}, {60 * time.Second, false, 0, 0, 1}, {70 * time.Second, false, 0, 1, 0},
	} {
		var faults []Fault
		if test.seen {
			faults = append(faults, f)
		}
		news, over := s.Seen(morning.Add(test.after), faults)
		if len(news) != test.news || len(over) != test.over || len(s.Said()) != test.said {
			t.Errorf("after %v: news %v, over %v, said %v", test.after, news, over, s.Said())
		}
	}
}
