package agent

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/testenv/statetable"
	"confd/templates"
)

var morning = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFinderTable(t *testing.T) {
	there := birds.Daemons{Dir: "/etc/bird", Version: templates.Version{Major: 2}}
	seeking := func() *finder { return &finder{state: birdSeeking} }
	known := func() *finder { f := seeking(); f.found(there); return f }
	statetable.Machine[*finder]{
		File: "finder.go", Type: "finder",
		States: map[string]func() *finder{
			"unknown": func() *finder { return &finder{} }, "seeking": seeking, "known": known,
			"stale": func() *finder { f := known(); f.stale(); return f },
		},
		State: func(f *finder) string { return [...]string{"unknown", "seeking", "known", "stale"}[f.state] },
		Events: map[string]func(*finder){
			"Seek":                    func(f *finder) { f.seek(morning) },
			"Stale":                   (*finder).stale,
			"Found":                   func(f *finder) { f.found(there) },
			"NotFound (never known)":  func(f *finder) { f.notFound(morning, birds.ErrNoVersion) },
			"NotFound (known before)": func(f *finder) { f.found(there); f.state = birdSeeking; f.notFound(morning, birds.ErrNoVersion) },
		},
	}.Test(t)
}

// TestFinderAgain: where a BIRD comes up while it is looked for, it is looked once more,
// and where none is found, a while later.
func TestFinderAgain(t *testing.T) {
	f := &finder{}
	f.seek(morning)
	f.stale()
	if f.found(birds.Daemons{Dir: "/"}); f.known() || !f.seek(morning) {
		t.Error("it is not looked for once more")
	}
	f.notFound(morning, birds.ErrNoVersion)
	if f.seek(morning.Add(finderPause-1)) || !f.seek(morning.Add(finderPause)) {
		t.Error("it is not looked for a while later")
	}
}

func TestFailuresTable(t *testing.T) {
	note := func(text string) func(*failures) {
		return func(f *failures) { f.note(errors.New(text), morning, time.Second) }
	}
	fine := func() *failures { return &failures{log: quiet()} }
	statetable.Machine[*failures]{
		File: "failures.go", Type: "failures",
		States: map[string]func() *failures{
			"fine": fine, "failing": func() *failures { f := fine(); note("a")(f); return f },
		},
		State: func(f *failures) string {
			if f.failing() {
				return "failing"
			}
			return "fine"
		},
		Events: map[string]func(*failures){
			"note": note("a"), "note (another)": note("b"), "note (the same)": note("a"),
			"over": func(f *failures) { f.over(morning) },
		},
	}.Test(t)
}

func TestRecoveryTable(t *testing.T) {
	statetable.Machine[*recovery]{
		File: "recovery.go", Type: "recovery",
		States: map[string]func() *recovery{
			"none": func() *recovery { return &recovery{} },
			"waiting": func() *recovery {
				r := &recovery{}
				r.begin("bird", []string{"a"}, morning.Add(time.Second))
				return r
			},
		},
		State: func(r *recovery) string {
			if len(r.fallen) > 0 {
				return "waiting"
			}
			return "none"
		},
		Events: map[string]func(*recovery){
			"begin":                   func(r *recovery) { r.begin("bird", []string{"a"}, morning) },
			"saw (one of them)":       func(r *recovery) { r.begin("bird6", []string{"b"}, morning); r.saw("bird6", []guard.Seen{{Name: "b"}}) },
			"saw (all of them)":       func(r *recovery) { r.saw("bird", []guard.Seen{{Name: "a"}, {Name: "c"}}) },
			"open (in time)":          func(r *recovery) { r.open(morning) },
			"open (its time is over)": func(r *recovery) { r.open(morning.Add(time.Second)) },
		},
	}.Test(t)
}

// TestFollow has the log follow the datastore, unless somebody gave a level.
func TestFollow(t *testing.T) {
	for _, given := range []bool{false, true} {
		var levels []string
		j := &journal{log: quiet(), level: new(slog.LevelVar), given: given}
		for _, severity := range []string{"Debug", "Warning", "", "trace", "Fatal", "loud", "Critical"} {
			j.follow(severity)
			levels = append(levels, j.level.Level().String())
		}
		want := "DEBUG WARN INFO DEBUG ERROR INFO ERROR"
		if given {
			want = "INFO INFO INFO INFO INFO INFO INFO"
		}
		if got := strings.Join(levels, " "); got != want {
			t.Errorf("given %v: the levels are %s, want %s", given, got, want)
		}
	}
}
