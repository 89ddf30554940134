package inbox

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"confd/backends"
	"confd/internal/testenv/statetable"
)

func TestTrust(t *testing.T) {
	back := func(tr *Trust) { tr.compare("etcd", Store{Revision: "9"}, Store{Revision: "8"}) }
	statetable.Machine[*Trust]{
		File: "doubt.go", Type: "Trust",
		States: map[string]func() *Trust{
			"trusted": func() *Trust { return &Trust{} },
			"doubted": func() *Trust { tr := &Trust{}; back(tr); return tr },
		},
		State: func(tr *Trust) string {
			if tr.Doubt() != "" {
				return "doubted"
			}
			return "trusted"
		},
		Events: map[string]func(*Trust){"a store has gone back or is another": back, "Restore": (*Trust).Restore},
	}.Test(t)
}

// idle is a backend that tells nothing.
type idle struct{}

func (idle) Run(context.Context, chan<- backends.Update) error { return nil }

func two() *Inbox {
	return New([]Source{{Name: "etcd", Backend: idle{}}, {Name: "workload", Backend: idle{}}}, Options{Log: slog.New(slog.DiscardHandler)})
}

func update(source string, at time.Time, inSync bool, nodes ...string) backends.Update {
	u := backends.Update{Source: source, InSync: inSync, At: at}
	if !inSync {
		u.Err = errors.New("away")
	}
	for _, n := range nodes {
		node := &backends.Node{Name: n}
		u.Events = append(u.Events, backends.Event{Key: node.ResourceKey(), Resource: node})
	}
	return u
}

// TestWhole: the state is whole when each source has told all of its own once, and
// stays so while one is away.
func TestWhole(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := two()
	if in.Take(update("etcd", start, false)) || in.Complete() || in.Missing() == nil {
		t.Error("a source that is away has told something")
	}
	if !in.Take(update("etcd", start, true, "a")) || in.Complete() {
		t.Error("one source has told, and it is no news, or all there is")
	}
	if !in.Take(update("workload", start.Add(1), true)) || !in.Complete() || in.Missing() != nil {
		t.Error("both have told, and that is no news, or not all")
	}
	if b := in.Batch(); len(b.Keys) != 0 || !b.Since.Equal(start) {
		t.Errorf("the first state is a change of %v since %v", b.Keys, b.Since)
	}
	if in.Take(update("etcd", start, false)) || !in.Complete() || in.InSync("etcd") {
		t.Error("a source that goes away takes the state along, or is in step")
	}
	if in.Take(update("etcd", start, true, "a")) {
		t.Error("a node that is written again is a change")
	}
}

// TestServersBetween: which revision came through which server is no reason for
// doubt, and the report says which one it is.
func TestServersBetween(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := New([]Source{{Name: "typha", Backend: idle{}}}, Options{Log: slog.New(slog.DiscardHandler)})
	in.Remember(map[string]Store{"typha": {Revision: "9"}})
	for _, revision := range []string{"8", "7"} {
		u := update("typha", start, true, "a")
		u.Revision, u.Server = revision, &backends.Server{Address: "a:" + revision, Version: "v3", Since: start, Lag: 2 * time.Second}
		in.Take(u)
		if in.Trust.Doubt() != "" || in.Revision() != revision {
			t.Errorf("at revision %s: doubt %q, revision %s", revision, in.Trust.Doubt(), in.Revision())
		}
		if got := in.Report()[0].Server; got.String() != "a:"+revision+" (v3) since 2026-01-01T00:00:00Z, 2 s behind" {
			t.Errorf("reported is %s", got)
		}
	}
	in.Take(update("typha", start, false))
	if got := in.Report()[0].Server; got != nil {
		t.Errorf("away, it is still at %s", got)
	}
}

// TestBatch: what was given out and not applied comes back, with when it came.
func TestBatch(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := two()
	in.Take(update("etcd", start, true))
	in.Take(update("workload", start, true))
	in.Batch()
	in.Take(update("etcd", start.Add(1), true, "b", "a"))
	in.Take(update("etcd", start.Add(2), true, "c"))
	first := in.Batch()
	names := func(b Batch) (list []string) {
		for _, k := range b.Keys {
			list = append(list, k.Name)
		}
		return list
	}
	if got := names(first); !slices.Equal(got, []string{"a", "b", "c"}) || !first.Since.Equal(start.Add(1)) {
		t.Errorf("changed are %v since %v", got, first.Since)
	}
	if !in.Since().IsZero() {
		t.Error("what was given out is still here")
	}
	in.Take(update("etcd", start.Add(3), true, "d"))
	in.Return(first)
	if b := in.Batch(); !slices.Equal(names(b), []string{"a", "b", "c", "d"}) || !b.Since.Equal(start.Add(1)) {
		t.Errorf("after it came back changed are %v since %v", names(b), b.Since)
	}
}
