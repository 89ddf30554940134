package backends

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// A warning is news once, and again only where it is another one.
func TestStateKnowsWarnings(t *testing.T) {
	s := NewState()
	key := Key{Kind: KindBGPPeer, Name: "p"}
	event := func(texts ...string) Event {
		e := Event{Key: key, Resource: &BGPPeer{Name: "p"}}
		for _, text := range texts {
			e.Warnings = append(e.Warnings, Warning{Code: UnknownField, Text: text})
		}
		return e
	}
	for i, step := range []struct {
		event Event
		news  bool
		count int
	}{
		{event("a"), true, 1}, {event("a"), false, 1}, {event("a", "b"), true, 2}, {event(), true, 0}, {event(), false, 0},
		{Event{Key: key, Warnings: []Warning{{Code: UnknownKind, Text: "k"}}}, true, 1}, {Event{Key: key}, true, 0}, {Event{Key: key}, false, 0},
	} {
		if news := s.Apply(step.event); news != step.news || len(s.Warnings[key]) != step.count {
			t.Errorf("step %d: news %t, %v", i, news, s.Warnings[key])
		}
	}
	s.Apply(event("a"))
	c := s.Clone()
	s.Apply(event())
	if len(c.Warnings[key]) != 1 {
		t.Error("a clone shares its warnings")
	}
}

// TestSnapshots: copies of a state stay as they were, whatever becomes of the state, of
// other copies, and of copies of copies; and each is as one that was made anew.
func TestSnapshots(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type pair struct{ is, want *State } // want shares nothing
	fresh := func(s *State) *State {
		f := NewState()
		for _, kind := range tables() {
			for i := range 12 {
				key := keyOf(kind, i)
				if res, ok := s.Get(key); ok {
					f.put(key, res)
				}
			}
		}
		f.Invalid, f.Stale, f.Warnings = ownMap(s.Invalid), ownMap(s.Stale), ownMap(s.Warnings)
		return f
	}
	states := []pair{{NewState(), NewState()}}
	for step := range 1500 {
		i := r.IntN(len(states))
		switch r.IntN(20) {
		case 0:
			states = append(states, pair{states[i].is.Snapshot(), fresh(states[i].is)})
		case 1:
			states = append(states, pair{states[i].is.Clone(), fresh(states[i].is)})
		case 2:
			key := keyOf(tables()[r.IntN(len(tables()))], r.IntN(12))
			without := states[i].is.Without(map[Key]string{key: "no"})
			states = append(states, pair{without.Clone(), fresh(without)})
		default:
			key := keyOf(tables()[r.IntN(len(tables()))], r.IntN(12))
			e := Event{Key: key}
			if r.IntN(3) > 0 {
				e.Resource = resourceAt(key, r.IntN(2) == 0)
			}
			if got, want := states[i].is.Apply(e), states[i].want.Apply(e); got != want {
				t.Fatalf("step %d: %s is news %t, want %t", step, key, got, want)
			}
		}
		if len(states) > 8 {
			states = states[1:]
		}
		for k, s := range states {
			if !sameState(s.is, s.want) {
				t.Fatalf("step %d: state %d is not what it should be, after a change of state %d", step, k, i)
			}
		}
	}
}

func keyOf(kind Kind, i int) Key {
	k := Key{Kind: kind, Name: fmt.Sprint("x", i)}
	if kind == KindService || kind == KindEndpointSlice || kind == KindSecret {
		k.Namespace = fmt.Sprint("n", i%3)
	}
	return k
}

// resourceAt is a resource of a key, one of two.
func resourceAt(k Key, other bool) Resource {
	switch k.Kind {
	case KindNode:
		return &Node{Name: k.Name, PodCIDRs: nil, ASNumber: map[bool]uint32{true: 1}[other]}
	case KindBGPConfiguration:
		return &BGPConfiguration{Name: k.Name, BindNodeIP: other}
	case KindBGPPeer:
		return &BGPPeer{Name: k.Name, NoReversePeering: other}
	case KindBGPFilter:
		return &BGPFilter{Name: k.Name, ImportV4: []FilterRule{{Accept: other}}}
	case KindIPPool:
		return &IPPool{Name: k.Name, Disabled: other}
	case KindBlockAffinity:
		return &BlockAffinity{Name: k.Name, Deleted: other}
	case KindFelixConfiguration:
		return &FelixConfiguration{Name: k.Name, ProgramClusterRoutes: ClusterRoutes(fmt.Sprint(other))}
	case KindService:
		return &Service{Namespace: k.Namespace, Name: k.Name, Local: other}
	case KindEndpointSlice:
		return &EndpointSlice{Namespace: k.Namespace, Name: k.Name, Ready: other}
	case KindSecret:
		return &Secret{Namespace: k.Namespace, Name: k.Name, Data: map[string]string{"k": fmt.Sprint(other)}}
	default:
		return &EndpointStatus{Name: k.Name, Interface: fmt.Sprint(other)}
	}
}

// TestTable: a table with more resources than parts is as a map.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var table, kept Table[*Service]
	want, then := map[Key]*Service{}, map[Key]*Service{}
	same := func(got Table[*Service], want map[Key]*Service) bool {
		n := 0
		for k, s := range got.All() {
			n++
			if is, ok := got.Get(k); !ok || is != s || want[k] != s {
				return false
			}
		}
		return n == len(want) && got.Len() == n
	}
	for step := range 20_000 {
		k := Key{KindService, fmt.Sprint("n", r.IntN(9)), fmt.Sprint("s", r.IntN(200))}
		if r.IntN(3) == 0 {
			table.remove(k)
			delete(want, k)
		} else {
			s := &Service{}
			table.put(k, s)
			want[k] = s
		}
		if step%500 == 0 {
			kept, then = table, ownMap(want)
			table = table.shared()
		}
		if step%50 == 0 && (!same(table, want) || !same(kept, then)) {
			t.Fatalf("step %d: the table has %d, want %d; the one before has %d, want %d", step, table.Len(), len(want), kept.Len(), len(then))
		}
	}
	for range table.All() {
		return // one can stop
	}
}

// TestLongNames: messages show no more of a name than a name may have.
func TestLongNames(t *testing.T) {
	for name, want := range map[string]string{
		strings.Repeat("x", 300):        "BGPPeer " + strings.Repeat("x", 300),
		strings.Repeat("x", 100_000):    "BGPPeer " + strings.Repeat("x", 300) + "...",
		strings.Repeat("é", 1000) + "x": "BGPPeer " + strings.Repeat("é", 150) + "...",
		"x" + strings.Repeat("é", 1000): "BGPPeer x" + strings.Repeat("é", 149) + "...",
	} {
		if got := (Key{Kind: KindBGPPeer, Name: name}).String(); got != want {
			t.Errorf("got %d bytes, %.20q..., want %d", len(got), got, len(want))
		}
	}
	if got := (Key{Kind: KindBGPPeer, Name: strings.Repeat("\n", 1000)}).String(); len(got) > 330 || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
}
