package known

import (
	"errors"
	"testing"
	"time"

	"confd/bgp"
	"confd/internal/testenv/statetable"
	"confd/reload"
	"confd/reload/control"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func done(s reload.State, hash string) func(*Files) {
	return func(f *Files) { f.Done(start, reload.Result{State: s, Hash: hash}, "7") }
}

var errFull = errors.New("no space left on device")

func undone(restored bool) error { return &reload.UndoneError{Hash: "2", Restored: restored} }

func TestFilesTable(t *testing.T) {
	after := func(do ...func(*Files)) func() *Files {
		return func() *Files {
			f := &Files{}
			done(reload.Confirmed, "1")(f) // once
			for _, d := range do {
				d(f)
			}
			return f
		}
	}
	statetable.Machine[*Files]{
		File: "files.go", Type: "Files",
		States: map[string]func() *Files{
			"absent":    after((*Files).NotNeeded),
			"installed": after(done(reload.Installed, "1")),
			"on trial":  after(done(reload.OnTrial, "2")),
			"confirmed": after(),
			"failed":    after(func(f *Files) { f.Erred(errFull) }),
		},
		State: func(f *Files) string { return f.State().String() },
		Events: map[string]func(*Files){
			"Wanted":                      func(f *Files) { f.Wanted("3") },
			"Done (installed)":            done(reload.Installed, "3"),
			"Done (on trial)":             done(reload.OnTrial, "3"),
			"Done (confirmed)":            done(reload.Confirmed, "3"),
			"Done (unchanged)":            done(reload.Unchanged, "3"),
			"Erred":                       func(f *Files) { f.Erred(errFull) },
			"Erred (undone and restored)": func(f *Files) { f.Erred(undone(true)) },
			"Looked":                      func(f *Files) { f.Looked(errFull) },
			"TrialBroke":                  (*Files).TrialBroke,
			"NotNeeded":                   (*Files).NotNeeded,
			"Stays (what is confirmed)":   func(f *Files) { f.installed, f.confirmed = "1", "1"; f.Stays("1") },
			"Stays (something else)":      func(f *Files) { f.Stays("4") },
			"Drifted":                     func(f *Files) { f.Drifted("a file") },
			"Repaired":                    func(f *Files) { f.Repaired(nil) },
		},
	}.Test(t)
}

// TestFiles follows a set through its life.
func TestFiles(t *testing.T) {
	f := &Files{}
	is := func(what, wanted, installed, confirmed string) {
		t.Helper()
		if f.wanted != wanted || f.installed != installed || f.confirmed != confirmed {
			t.Errorf("%s: wanted %q, installed %q, confirmed %q", what, f.wanted, f.installed, f.confirmed)
		}
	}
	f.Wanted("1")
	done(reload.Installed, "1")(f)
	is("installed", "1", "1", "")
	done(reload.Confirmed, "1")(f)
	is("confirmed", "1", "1", "1")
	f.Wanted("2")
	done(reload.OnTrial, "2")(f)
	is("on trial", "2", "2", "1")
	f.Erred(undone(true))
	is("undone", "1", "1", "1")
	f.Wanted("2")
	done(reload.OnTrial, "2")(f)
	f.Erred(undone(false))
	is("undone, and the files stay", "2", "2", "1")
	if f.Err() == "" {
		t.Error("nobody says why")
	}
	f.Stays("1")
	is("what is confirmed is not on disk", "2", "2", "1")
	done(reload.Confirmed, "1")(f)
	f.Wanted("3")
	f.Erred(&reload.CheckError{Set: "bird"})
	f.Stays("1")
	if is("refused, and what runs is right", "1", "1", "1"); f.Err() != "" || f.State() != Confirmed {
		t.Errorf("it is %s: %q", f.State(), f.Err())
	}
	f.NotNeeded()
	is("nobody reads it", "1", "", "1")
}

func TestDrift(t *testing.T) {
	f := &Files{}
	if !f.Drifted("a") || f.Drifted("a") || !f.Drifted("b") {
		t.Error("what is found twice is news, or what is new is none")
	}
	f.Repaired(errFull)
	if f.Drifted("b") || !f.Unrepaired() {
		t.Error("what could not be put right is found anew")
	}
	f.Repaired(nil)
	if !f.Drifted("b") || f.Unrepaired() {
		t.Error("what was put right, and is found again, is no news")
	}
}

func TestBIRDTable(t *testing.T) {
	hung := func(string) string { return "hung" } // as the events of this test have seen it
	states := map[string]func() *BIRD{}
	for _, h := range []control.Health{control.Up, control.Absent, control.Hung, control.Busy} {
		states[h.String()] = func() *BIRD { b := &BIRD{}; b.Answers(h, ""); return b }
	}
	statetable.Machine[*BIRD]{
		File: "bird.go", Type: "BIRD", States: states,
		State: func(b *BIRD) string { return b.Health().String() },
		Events: map[string]func(*BIRD){
			"CameUp":   func(b *BIRD) { b.CameUp(start, "2.0.12") },
			"WentAway": func(b *BIRD) { b.WentAway(start, control.ErrHung) },
			"Answers":  func(b *BIRD) { b.Answers(control.Hung, "") },
			"Failing":  func(b *BIRD) { b.Failing(control.ErrHung) },
			"Told":     func(b *BIRD) { b.Told(reload.Result{State: reload.Confirmed, Version: "2.0.12", Confirmed: start}) },
			"MustRead": (*BIRD).MustRead,
			"HasRead":  (*BIRD).HasRead,
		},
		Next: map[string]func(string) string{"as seen": hung},
	}.Test(t)
}

// TestMustTell: a BIRD must be told that came up after it has confirmed last.
func TestMustTell(t *testing.T) {
	confirmed := func(at time.Time) reload.Result { return reload.Result{State: reload.Confirmed, Confirmed: at} }
	for name, c := range map[string]struct {
		happens func(b *BIRD)
		want    bool
	}{
		"nothing is known":              {func(b *BIRD) {}, false},
		"it came up":                    {func(b *BIRD) { b.CameUp(start, "") }, true},
		"and has confirmed since":       {func(b *BIRD) { b.CameUp(start, ""); b.Told(confirmed(start.Add(1))) }, false},
		"and has confirmed before":      {func(b *BIRD) { b.CameUp(start, ""); b.Told(confirmed(start.Add(-1))) }, true},
		"it is seen up, and has before": {func(b *BIRD) { b.Told(confirmed(start.Add(1))); b.CameUp(start, "") }, false},
		"it was told, and came up":      {func(b *BIRD) { b.Told(confirmed(start)); b.CameUp(start.Add(1), "") }, true},
		"and has read":                  {func(b *BIRD) { b.CameUp(start, ""); b.HasRead() }, false},
		"somebody wants it to":          {func(b *BIRD) { b.MustRead(); b.Told(confirmed(start)) }, true},
		"its commands have run":         {func(b *BIRD) { b.CameUp(start, ""); b.Told(reload.Result{State: reload.Confirmed}) }, true},
	} {
		b := &BIRD{}
		if c.happens(b); b.MustTell() != c.want {
			t.Errorf("%s: must it be told: %v", name, b.MustTell())
		}
	}
}

// TestStarts tells a start from a BIRD that was up already.
func TestStarts(t *testing.T) {
	b := &BIRD{}
	if b.CameUp(start, "") != Running {
		t.Error("the first sight of it is a start")
	}
	if b.CameUp(start, "") != Restarted {
		t.Error("a second time is none")
	}
	b = &BIRD{}
	b.WentAway(start, control.ErrNotRunning)
	if b.CameUp(start, "") != Fresh || b.LostSince(start.Add(-1)) {
		t.Error("one that was not there has been restarted, or lost")
	}
	b.WentAway(start.Add(time.Second), control.ErrNotRunning)
	if !b.LostSince(start) || b.LostSince(start.Add(time.Second)) || b.CameUp(start, "") != Restarted {
		t.Error("one that went away is not known to have")
	}
}

func TestNeeds(t *testing.T) {
	b := &BIRD{}
	if b.Needs("") || !b.Needs("a port") || b.Needs("a port") || !b.Needs("another") || b.Needs("") || !b.Needs("another") {
		t.Error("what it must be restarted for is said twice, or not at all")
	}
}

func TestRow(t *testing.T) {
	var k Sets
	s := k.Of("bird6")
	s.Files.Wanted("2")
	done(reload.Confirmed, "1")(&s.Files)
	s.BIRD.CameUp(start, "1.6.8")
	s.BIRD.StartedWith(&bgp.Config{IPv6: bgp.Family{ListenPort: 1179}})
	daemon := &reload.Daemon{Socket: "/run/bird6.ctl"}
	row := s.Row(reload.Set{Name: "bird6", Daemon: daemon, Files: []reload.File{{Dest: "/etc/bird6.cfg"}}})
	if row.Name != "bird6" || row.State != "up" || row.Version != "1.6.8" || row.Rendered != "2" || row.Confirmed != "1" || row.Revision != "7" ||
		row.Socket != daemon.Socket || len(row.Files) != 1 || row.Started == nil || row.Started.Port != 1179 {
		t.Errorf("the report says %+v", row)
	}
	if s.InStep() || len(k.MustTell()) != 1 || !k.AnyIs(control.Up) || k.AnyIs(control.Hung) {
		t.Error("it is in step, or need not be told, or is not up")
	}
}
