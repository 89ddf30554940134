package backends

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestWithout(t *testing.T) {
	s := NewState()
	fill := func() {
		s.Nodes["a"], s.Nodes["b"] = &Node{Name: "a"}, &Node{Name: "b"}
		s.BGPPeers["p"] = &BGPPeer{Name: "p", Filters: []string{"f"}}
		s.BGPFilters["f"] = &BGPFilter{Name: "f", ImportV4: []FilterRule{{Accept: true}, {RemotePeers: true}}, ExportV6: []FilterRule{{PeerType: PeerExternal, Accept: true}}}
		s.IPPools["i"] = &IPPool{Name: "i", IPIP: EncapCrossSubnet, DisableBGPExport: true}
		s.put(Key{KindService, "web", "x"}, &Service{Namespace: "web", Name: "x"})
		s.Invalid[Key{Kind: KindNode, Name: "z"}] = errors.ErrUnsupported
		pool := Key{Kind: KindIPPool, Name: "i"}
		s.Invalid[pool], s.Stale[pool], s.Warnings[pool] = errors.ErrUnsupported, true, []Warning{{Text: "odd"}}
	}
	fill()
	before := s.Clone()

	got := s.Without(map[Key]string{
		{Kind: KindNode, Name: "b"}: "x:1: no", {Kind: KindBGPPeer, Name: "p"}: "x:2: no", {Kind: KindBGPFilter, Name: "f"}: "x:3: no",
		{Kind: KindIPPool, Name: "i"}: "x:4: no", {KindService, "web", "x"}: "x:5: no", {Kind: KindBGPPeer, Name: "gone"}: "x:6: no",
	})
	if !sameState(before, s) {
		t.Errorf("the state itself has changed: %+v", s)
	}
	want := NewState()
	want.Nodes["a"] = s.Nodes["a"]
	want.BGPFilters["f"] = &BGPFilter{Name: "f", ImportV4: []FilterRule{{}}, ExportV6: []FilterRule{{}}}
	want.IPPools["i"] = &IPPool{Name: "i", IPIP: EncapNever, VXLAN: EncapAlways, DisableBGPExport: true}
	want.Invalid, want.Warnings = got.Invalid, s.Warnings
	if !sameState(want, got) {
		t.Errorf("without them: %+v", got)
	}
	if n := len(got.Invalid); n != 6 || got.Invalid[Key{Kind: KindNode, Name: "b"}].Error() != "quarantined, so nothing is done for it: x:1: no" {
		t.Errorf("invalid: %v", got.Invalid)
	}
}

// sameState says whether two states have resources that say the same.
func sameState(a, b *State) bool {
	x, y := *a, *b
	x.recent, x.lent, y.recent, y.lent = recent{}, 0, recent{}, 0
	same := x.Services.Equal(y.Services) && x.EndpointSlices.Equal(y.EndpointSlices)
	x.Services, x.EndpointSlices = y.Services, y.EndpointSlices
	return same && reflect.DeepEqual(x, y)
}

// TestGet: every kind that Apply stores is found again, and can be left out.
func TestGet(t *testing.T) {
	s := NewState()
	for _, r := range []Resource{
		&Node{Name: "x"}, &BGPConfiguration{Name: "x"}, &BGPPeer{Name: "x"}, &BGPFilter{Name: "x", ExportV4: []FilterRule{{Accept: true}}}, &IPPool{Name: "x"}, &BlockAffinity{Name: "x"},
		&FelixConfiguration{Name: "x"}, &Service{Namespace: "n", Name: "x"}, &EndpointSlice{Namespace: "n", Name: "x"}, &Secret{Namespace: "n", Name: "x"},
		&EndpointStatus{Name: "x"},
	} {
		key := r.ResourceKey()
		s.Apply(Event{Key: key, Resource: r})
		if got, ok := s.Get(key); !ok || got != r {
			t.Errorf("%s: got %v, %v", key, got, ok)
		}
		without := s.Without(map[Key]string{key: "no"})
		if left, ok := without.Get(key); ok && left == r || without.Invalid[key] == nil {
			t.Errorf("%s is still there: %v", key, left)
		}
		if got, ok := s.Get(key); !ok || got != r {
			t.Errorf("%s is gone from the state itself", key)
		}
	}
}

// TestWithoutLeavesWhatIsRemembered: of the state itself it stays known what was changed,
// however much that is.
func TestWithoutLeavesWhatIsRemembered(t *testing.T) {
	const changes = 1024
	s := NewState()
	m := s.Mark()
	name := func(i int) Key {
		return Key{Kind: KindNode, Name: fmt.Sprint("node-", i)}
	}
	for i := range changes {
		s.Apply(Event{Key: name(i), Resource: &Node{Name: name(i).Name}})
	}
	s.Without(map[Key]string{name(3): "no"})
	keys, known := s.Since(m)
	if !known || len(keys) != changes {
		t.Fatalf("%d of %d changes are known (%t)", len(keys), changes, known)
	}
	for i, k := range keys {
		if k != name(i) {
			t.Fatalf("change %d is %v, not %v", i, k, name(i))
		}
	}
}

func TestWithoutWorkloads(t *testing.T) {
	s := NewState()
	if s.WithoutWorkloads() != s {
		t.Error("a state without workloads is another one without them")
	}
	s.EndpointStatuses = map[string]*EndpointStatus{"w": {}}
	if other := s.WithoutWorkloads(); len(other.EndpointStatuses) > 0 || len(s.EndpointStatuses) != 1 {
		t.Error("workloads are left in, or taken from the state itself")
	}
}
