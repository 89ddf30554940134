package bgp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

// TestMemoryOfMesh: whatever came before, a mesh is what it is to who sees it for the
// first time, also where it grows beyond what is advised, and shrinks again; and of
// sessions that stay each is the very same.
func TestMemoryOfMesh(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := stateOf(node("n0", "10.0.0.1/16", ""))
	var m Memory
	var last *Config
	large := map[bool]int{}
	for step := range 2000 {
		i := r.IntN(largeMesh + 10)
		address := byte(i)
		if r.IntN(30) == 0 { // another node's
			address++
		}
		n := &backends.Node{Name: fmt.Sprint("n", 1+i), IPv4: backends.NodeAddress{Addr: netip.AddrFrom4([4]byte{10, 0, 1, address})}}
		switch r.IntN(25) {
		case 0:
			s.Apply(backends.Event{Key: n.ResourceKey()})
		case 1:
			n.ClusterID = netip.MustParseAddr("1.0.0.1")
			fallthrough
		default:
			s.Apply(backends.Event{Key: n.ResourceKey(), Resource: n})
		}
		got, err := m.Compute(s, Options{Node: "n0"})
		if err != nil {
			t.Fatal(err)
		}
		want := compute(t, s, "n0")
		if diff := cmp.Diff(want, got, compareAddresses()); diff != "" {
			t.Fatalf("step %d: %s", step, diff)
		}
		for _, is := range got.IPv4.Sessions {
			if last != nil {
				if was := SessionNamed(&last.IPv4, is.Name); was != nil && was != is && was.Equal(is) {
					t.Fatalf("step %d: %s is another one, and the same", step, is.Name)
				}
			}
		}
		last = got
		large[slices.ContainsFunc(want.Problems, func(p Problem) bool { return p.Code == CodeLargeMesh })]++
	}
	if large[true] < 50 || large[false] < 50 {
		t.Errorf("steps with a large mesh or without: %v", large)
	}
}
