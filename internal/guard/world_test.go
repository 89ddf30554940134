package guard_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/guard/recall"
)

// world is node-1 over some time: what the datastore says, what BIRD runs, and
// which sessions are established.
type world struct {
	t         testing.TB
	now       time.Time
	store     *backends.State
	running   guard.Side
	history   guard.History
	announced guard.Announcements
	seen      map[string]guard.Seen
	held      *guard.Held
	// first is what was remembered first; nil: nothing was.
	first *recall.Memory
	// unable are sessions whose neighbors cannot send their routes again.
	unable []string
	// ask changes each question.
	ask func(*guard.Question)
}

// newWorld begins with a state that runs since long ago, and all its sessions up.
func newWorld(t testing.TB, store *backends.State) *world {
	t.Helper()
	w := &world{t: t, now: now(), store: store.Clone(), running: side(t, store), seen: map[string]guard.Seen{}}
	w.running.Outline = outline.Of(w.running.Config, salt())
	w.settle()
	return w
}

func salt() outline.Salt { return outline.Salt("of one node") }

// settle brings all sessions up that BIRD has, and those down that it has not.
func (w *world) settle() *world {
	has := map[string]bool{}
	for _, l := range w.running.Outline.Lines {
		has[l.Name] = true
		w.seen[l.Name] = guard.Seen{Name: l.Name, Set: "bird", Established: true, Last: w.now, Counts: w.seen[l.Name].Counts}
	}
	for name := range w.seen {
		if !has[name] {
			w.down(name)
		}
	}
	return w
}

// down takes sessions down; without names all.
func (w *world) down(names ...string) *world {
	for name, s := range w.seen {
		if len(names) == 0 || slices.Contains(names, name) {
			s.Established = false
			w.seen[name] = s
		}
	}
	return w
}

// wait lets time pass.
func (w *world) wait(d time.Duration) *world {
	w.now = w.now.Add(d)
	for name, s := range w.seen {
		if s.Established {
			s.Last = w.now
			w.seen[name] = s
		}
	}
	return w
}

// deaf has neighbors that cannot send their routes again.
func (w *world) deaf(names ...string) *world {
	w.unable = names
	return w
}

// routes gives each session that is up that many routes from its peer.
func (w *world) routes(n int) *world {
	for name, s := range w.seen {
		s.Counts = &guard.Counts{Imported: n, Exported: n}
		w.seen[name] = s
	}
	return w
}

// question asks about what the datastore says now.
func (w *world) question() guard.Question {
	running := w.running
	q := guard.Question{
		Options: options(), Now: w.now, BIRD: 2, Salt: salt(), Running: &running, Candidate: side(w.t, w.store.Clone()),
		History: w.history, Held: w.held, Announced: w.announced,
	}
	for _, s := range w.seen {
		q.Seen = append(q.Seen, s)
	}
	if len(w.unable) > 0 {
		q.Deaf = map[string]bool{}
		for _, s := range q.Seen {
			q.Deaf[s.Name] = slices.Contains(w.unable, s.Name)
		}
	}
	if w.ask != nil {
		w.ask(&q)
	}
	return q
}

// try changes the datastore and judges what comes of it. What is not held goes
// live: the sessions that it remakes are down then.
func (w *world) try(change func(*backends.State)) guard.Verdict {
	w.t.Helper()
	if change != nil {
		w.write(change)
	}
	q := w.question()
	v := guard.Judge(q)
	if v.Held {
		w.held = &guard.Held{Lost: v.Lost}
		return v
	}
	w.held = nil
	w.live(q, v)
	return v
}

// write changes the datastore, and notes what is announced there.
func (w *world) write(change func(*backends.State)) {
	before := w.store.Clone()
	change(w.store)
	for _, k := range guard.ChangedObjects(before, w.store) {
		if r, ok := w.store.Get(k); ok {
			w.announced = w.announced.Noted(r, w.now)
		}
	}
}

func (w *world) live(q guard.Question, v guard.Verdict) {
	if w.running.Outline == nil {
		w.running.Outline = &outline.Outline{}
	}
	then := outline.BookOf(w.running.Outline)
	w.history = w.history.Replaced(w.running.Outline, w.now, q.Window, v)
	w.running = q.Candidate
	w.running.Outline = v.Outline
	now := outline.BookOf(v.Outline)
	for _, l := range then.Lines {
		if f, _ := now.FateOf(l); f != outline.Kept {
			w.down(l.Name)
		}
	}
}

// written is a value as it is written down, and read is one that is read again.
func written(t testing.TB, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func read[T any](t testing.TB, text string) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// announce writes an announcement on a resource.
func announce(r backends.Resource, until string) {
	in := backends.Intent{DisruptionUntil: until}
	switch r := r.(type) {
	case *backends.BGPConfiguration:
		r.Intent = in
	case *backends.BGPPeer:
		r.Intent = in
	case *backends.Secret:
		r.Intent = in
	case *backends.Node:
		r.Intent = in
	}
}

// workload is a route of a workload's that the kernel has.
func workload(cidr string) bgp.Route {
	return bgp.Route{Net: nodeAddress(cidr).Subnet, Interface: "cali1"}
}

// restart ends the program and starts it again, some time later: what it remembers
// has gone through JSON, as a change of what it remembered first.
func (w *world) restart(later time.Duration) *world {
	w.t.Helper()
	q := w.question()
	w.wait(0)
	now := recall.Remember(q)
	if w.first == nil {
		w.first = now
	}
	m, err := read[*recall.Memory](w.t, written(w.t, w.first)).With(read[recall.Change](w.t, written(w.t, now.Since(w.first))))
	if err != nil {
		w.t.Fatal(err)
	}
	if is, want := written(w.t, m), written(w.t, now); is != want {
		w.t.Fatalf("the change has made\n%s\nof what should be\n%s", is, want)
	}
	w.now = w.now.Add(later)
	r, ok := m.Recall("node-1", w.store, w.now, salt())
	if !ok {
		w.t.Fatal("it remembers nothing")
	}
	w.running, w.history, w.announced, w.seen = r.Running, r.History, r.Announced, map[string]guard.Seen{}
	for _, s := range r.Seen {
		w.seen[s.Name] = s
	}
	return w
}
