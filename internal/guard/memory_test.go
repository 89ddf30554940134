package guard_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/guard/recall"
)

// TestMemoryKeepsNoSecret looks for passwords in what lies on disk.
func TestMemoryKeepsNoSecret(t *testing.T) {
	s := secured()
	const secret = "a secret of ours"
	put(s, password(secret))
	w := newWorld(t, s)
	data, err := json.Marshal(recall.Remember(w.question()))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), secret) || !strings.Contains(string(data), salt().Of(secret)) {
		t.Errorf("%s", data)
	}
	if salt().Of(secret) == outline.Salt("another").Of(secret) || salt().Of(secret) == salt().Of(secret+"s") {
		t.Error("what is made of a secret says nothing, or too much")
	}
	for _, odd := range []string{"", "new\nline", strings.Repeat("x", 81), `quo"te`} {
		once := salt().Of(odd)
		if twice := salt().Of(once); twice != once || odd != "" && once == odd {
			t.Errorf("%q became %q, and %q", odd, once, twice)
		}
	}
}

// TestMemory restarts the program at every point of some histories: what is held is
// the same as if it had gone on.
func TestMemory(t *testing.T) {
	for seed := range uint64(200) {
		h, r := newHistory(t, seed), newHistory(t, seed)
		for step := range 10 {
			what, do := h.something()
			trial := h.store.Clone()
			do(trial)
			if trial.Nodes["node-1"] == nil {
				continue
			}
			r.write(do)
			r.restart(0)
			for name := range r.seen {
				s := r.seen[name]
				s.Established = h.seen[name].Established
				r.seen[name] = s
			}
			v, w := h.try(do), r.try(nil)
			if v.Held != w.Held || v.ID != w.ID {
				t.Fatalf("history %d, step %d, %s: held %t %s (%s) %v; after a restart %t %s (%s) %v", seed, step, what, v.Held, v.ID, v.Why, v.Objects, w.Held, w.ID, w.Why, w.Objects)
			}
			if diff := cmp.Diff(v.Objects, w.Objects, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("history %d, step %d, %s: %s", seed, step, what, diff)
			}
			h.wait(time.Second)
			r.wait(time.Second)
		}
	}
}

func TestRecall(t *testing.T) {
	w := newWorld(t, mesh4())
	q := w.question()
	m := recall.Remember(q)
	if _, ok := m.Recall("node-2", w.store, now(), salt()); ok {
		t.Error("it remembers what another node was")
	}
	if _, ok := (*recall.Memory)(nil).Recall("node-1", w.store, now(), salt()); ok {
		t.Error("nothing is remembered")
	}
	q.Running = nil
	if recall.Remember(q) != nil {
		t.Error("there is nothing to remember")
	}
	r, ok := m.Recall("node-1", w.store, now().Add(time.Hour), salt())
	if !ok || r.Running.State.Nodes["node-2"] != w.store.Nodes["node-2"] {
		t.Error("what is the same is not")
	}
}

func TestRest(t *testing.T) {
	w := newWorld(t, secured())
	off(w.store)
	put(w.store, affinity("10.128.1.0/26"))
	s := guard.Rest(w.question())
	if s == nil || !meshed(s) || s.BlockAffinities["10.128.1.0/26"] == nil {
		t.Error("what is left is not what has nothing to do with sessions")
	}
	w = newWorld(t, secured())
	put(w.store, password("two"))
	if s := guard.Rest(w.question()); s == nil || s.Secrets[password("").ResourceKey()].Data["password"] != "one" {
		t.Error("the password is not as it was")
	}
	w.restart(time.Minute)
	if guard.Rest(w.question()) != nil {
		t.Error("the password that was is not known any more")
	}
	put(w.store, password("one"))
	off(w.store)
	w.restart(0)
	if s := guard.Rest(w.question()); s == nil || !meshed(s) {
		t.Error("the password is the same, and still nothing goes on")
	}
	q := w.question()
	q.Running = nil
	if guard.Rest(q) != nil {
		t.Error("nobody knows what was before")
	}
}

func TestAnnouncements(t *testing.T) {
	var a guard.Announcements
	peer := func(text string) *backends.BGPPeer {
		return &backends.BGPPeer{Name: "x", Intent: backends.Intent{DisruptionUntil: text}}
	}
	for text, want := range map[string]bool{
		"":                          false,
		"tomorrow":                  false,
		"2024-05-01T11:59:59Z":      false,
		"2024-05-01T12:00:01Z":      true,
		"2024-05-02T12:00:00Z":      true,
		"2024-05-02T14:00:00+02:00": true,
		"2024-05-02T13:00:00Z":      false,
	} {
		if got := a.Noted(peer(text), now()); (len(got) == 1) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	a = a.Noted(peer(inAnHour), now()).Noted(peer(inAnHour), now()).Noted(nil, now())
	a = a.Noted(&backends.Node{Name: "n", Intent: backends.Intent{DisruptionUntil: "2024-05-01T15:00:00Z"}}, now().Add(2*time.Hour))
	if len(a) != 1 || a[0].Object.Name != "n" {
		t.Errorf("%v", a)
	}
	for name, test := range map[string]struct {
		change func(*backends.State)
		at     time.Time
		left   int
	}{
		"as it was":      {func(*backends.State) {}, now(), 1},
		"taken away":     {func(s *backends.State) { put(s, peer("")) }, now(), 0},
		"read meanwhile": {func(s *backends.State) { put(s, peer("")) }, ago(time.Second), 1},
		"deleted":        {func(s *backends.State) { drop(s, backends.KindBGPPeer, "x") }, now(), 1},
	} {
		s := backends.NewState()
		put(s, peer(inAnHour))
		test.change(s)
		if left := (guard.Announcements{}).Noted(peer(inAnHour), now()).Settled(s, test.at); len(left) != test.left {
			t.Errorf("%s: %v", name, left)
		}
	}
	w := newWorld(t, mesh4())
	v := w.try(func(s *backends.State) {
		off(s)
		change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { announce(c, "2024-05-09T00:00:00Z") })
	})
	if len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "more than a day ahead") {
		t.Errorf("%v", v.Notes)
	}
}

func TestHistory(t *testing.T) {
	outlines := make([]*outline.Outline, 20)
	var h guard.History
	at := now()
	for i := range outlines {
		outlines[i] = &outline.Outline{}
		h = h.Replaced(outlines[i], at, 0, guard.Verdict{})
		at = at.Add(10 * time.Second)
	}
	if len(h.Past) > 6 || h.Past[0].Outline != outlines[0] {
		t.Errorf("%d are kept, the first is not the oldest", len(h.Past))
	}
	q := guard.Question{Now: now().Add(6*time.Minute - time.Second), History: h}
	if p, ok := q.Oldest(); !ok || p.Outline == outlines[0] {
		t.Error("what ran long ago counts")
	}
	q.Now = at.Add(guard.DefaultWindow)
	if _, ok := q.Oldest(); ok {
		t.Error("what ran long ago counts")
	}
	h = h.Replaced(nil, at, 0, guard.Verdict{Pardoned: []string{"b", "a"}}).Replaced(nil, at, 0, guard.Verdict{Pardoned: []string{"a"}})
	if diff := cmp.Diff([]string{"a", "b"}, h.Past[0].Pardoned); diff != "" {
		t.Error(diff)
	}
}

// meshed says whether the nodes of a cluster have a mesh.
func meshed(s *backends.State) bool {
	c := s.BGPConfigurations["default"]
	return c == nil || c.NodeToNodeMesh == nil || *c.NodeToNodeMesh
}
