package agent

import (
	"log/slog"
	"testing"
	"time"

	"confd/internal/report"
)

// The report's file is written where it says something new; a change gets a moment to
// go live before that is said of it.
func TestReportsFile(t *testing.T) {
	folder, at := t.TempDir(), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	o := &observer{log: slog.New(slog.DiscardHandler), group: -1, failed: map[string]string{}}
	base := report.Report{Node: "node-1", Ready: true, Sources: []report.Source{{Name: "etcd", InSync: true, Revision: "7"}}, Sets: []report.Set{{Name: "bird", Rendered: "aa", Revision: "7"}}}
	for _, step := range []struct {
		name     string
		after    time.Duration // since the first
		change   func(*report.Report)
		in, owed bool
	}{
		{"the first", 0, func(*report.Report) {}, true, false},
		{"another revision", time.Second, func(r *report.Report) { r.Sources[0].Revision, r.Sets[0].Revision = "8", "8" }, false, false},
		{"a change", 2 * time.Second, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(1500*time.Millisecond), "bb" }, false, true},
		{"which is live", 2500 * time.Millisecond, func(r *report.Report) { r.Pending = time.Time{} }, true, false},
		{"a change", 10 * time.Second, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(10*time.Second), "cc" }, false, true},
		{"which takes long", 11 * time.Second, func(r *report.Report) { r.Ready = false }, true, false},
		{"the next one, as not all is well", 11200 * time.Millisecond, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(11*time.Second), "dd" }, true, false},
		{"or is held", 11500 * time.Millisecond, func(r *report.Report) { r.Pending, r.Held = at.Add(11*time.Second), &report.Held{Hash: "cc"} }, true, false},
		{"the same", 12 * time.Second, func(*report.Report) {}, false, false},
		{"all is well again", 13 * time.Second, func(r *report.Report) { r.Ready, r.Pending, r.Held = true, time.Time{}, nil }, true, false},
		{"a change", 20 * time.Second, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(20*time.Second), "ee" }, false, true},
		{"right behind it the next one", 20500 * time.Millisecond, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(20300*time.Millisecond), "ff" }, false, true},
		{"and the next one, for as long as that may go on", 21 * time.Second, func(r *report.Report) { r.Pending, r.Sets[0].Rendered = at.Add(20800*time.Millisecond), "ab" }, true, false},
		{"the last one is live", 22 * time.Second, func(r *report.Report) { r.Pending = time.Time{} }, true, false},
		{"a minute later", 82 * time.Second, func(*report.Report) {}, true, false},
		{"a change that BIRD has not confirmed", 90 * time.Second, func(r *report.Report) {
			r.Pending, r.Sets[0].Rendered, r.Ready, r.NotReady = at.Add(90*time.Second), "cd", false, []string{"set bird: BIRD has not confirmed what should run"}
		}, false, true},
		{"and an object that cannot be used, which is another matter", 90500 * time.Millisecond, func(r *report.Report) {
			r.NotReady = append(r.NotReady, "IPPool a cannot be used: it is odd")
		}, true, false},
	} {
		r := base
		r.Sources, r.Sets = append([]report.Source{}, base.Sources...), append([]report.Set{}, base.Sets...)
		step.change(&r)
		base, r.At = r, at.Add(step.after)
		o.intoFile(&r, folder)
		found, err := report.Read(folder)
		if err != nil {
			t.Fatal(err)
		}
		if in := found.At.Equal(r.At); in != step.in || o.owed.IsZero() == step.owed {
			t.Errorf("%s: in the file %v, owed %v: want %v, %v", step.name, in, !o.owed.IsZero(), step.in, step.owed)
		}
	}
}
