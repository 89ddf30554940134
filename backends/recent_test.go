package backends

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFollow: a copy that follows what has changed since a moment is the same again.
func TestFollow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := NewState()
	copied, mark := s.Clone(), s.Mark()
	known, forgotten := 0, 0
	for range 3000 {
		for range r.IntN(8) * r.IntN(8) * r.IntN(30) {
			name := fmt.Sprint(r.IntN(20))
			n := &Node{Name: name, ASNumber: uint32(r.IntN(2))}
			e := &EndpointSlice{Namespace: "ns", Name: name, Ready: r.IntN(2) == 0}
			of := []Event{{Key: n.ResourceKey(), Resource: n}, {Key: n.ResourceKey()}, {Key: e.ResourceKey(), Resource: e}, {Key: e.ResourceKey()}}
			s.Apply(of[r.IntN(len(of))])
		}
		keys, ok := s.Since(mark)
		if ok {
			known++
			copied.Follow(s, keys)
		} else {
			forgotten++
			copied = s.Clone()
		}
		mark = s.Mark()
		if !sameTable(copied.Nodes, s.Nodes) || !copied.EndpointSlices.Equal(s.EndpointSlices) {
			t.Fatalf("after %d keys the copy has %v and %v, want %v and %v", len(keys), copied.Nodes, copied.EndpointSlices, s.Nodes, s.EndpointSlices)
		}
	}
	if known == 0 || forgotten == 0 {
		t.Errorf("%d times the changes were known, %d times not: this tests nothing", known, forgotten)
	}
}

func sameTable[K, R comparable](a, b map[K]R) bool {
	for k, r := range a {
		if b[k] != r {
			return false
		}
	}
	return len(a) == len(b)
}

func TestSinceOfOthers(t *testing.T) {
	s := NewState()
	n := &Node{Name: "n"}
	s.Apply(Event{Key: n.ResourceKey(), Resource: n})
	for name, m := range map[string]Mark{"no moment": {}, "one of a copy": s.Clone().Mark()} {
		if keys, ok := s.Since(m); ok {
			t.Errorf("%s: %v changed since", name, keys)
		}
	}
	mark := s.Mark()
	s.Apply(Event{Key: n.ResourceKey(), Resource: &Node{Name: "n"}})
	if keys, ok := s.Since(mark); !ok || len(keys) != 0 {
		t.Errorf("%v changed (%v), though it is written again as it was", keys, ok)
	}
	s.Apply(Event{Key: n.ResourceKey()})
	if keys, ok := s.Since(mark); !ok || len(keys) != 1 || keys[0] != n.ResourceKey() {
		t.Errorf("%v changed (%v), want %v", keys, ok, n.ResourceKey())
	}
}
