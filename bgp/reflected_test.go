package bgp

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
)

// TestReflected has two racks: the nodes a1 and a2 with the reflector ra, b1 with
// the reflector rb.
func TestReflected(t *testing.T) {
	racks := func() *backends.State {
		s := backends.NewState()
		withoutMesh(s)
		for i, name := range []string{"a1", "a2", "b1", "ra", "rb"} {
			n := &backends.Node{Name: name, IPv4: backends.NodeAddress{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}, Labels: map[string]string{"rack": name[:1]}}
			if name[0] == 'r' {
				n.Labels = map[string]string{"rr": name[1:]}
				n.ClusterID = netip.AddrFrom4([4]byte{1, 1, 1, byte(i)})
			}
			set(s, n)
		}
		set(s, &backends.BGPPeer{Name: "a", NodeSelector: "rack == 'a'", PeerSelector: "rr == 'a'"})
		set(s, &backends.BGPPeer{Name: "b", NodeSelector: "rr == 'b'", PeerSelector: "rack == 'b'"})
		set(s, &backends.BGPPeer{Name: "rr", NodeSelector: "has(rr)", PeerSelector: "has(rr)"})
		return s
	}
	all := []string{"a1", "a2", "b1", "ra", "rb"}
	for name, test := range map[string]struct {
		change  func(*backends.State)
		version int
		from    []string
		want    []string
	}{
		"all":               {from: []string{"ra"}, want: all},
		"from the other":    {from: []string{"rb"}, want: all},
		"of no node":        {from: []string{"rx"}},
		"no IPv6":           {version: 6, from: []string{"ra"}},
		"not between racks": {change: func(s *backends.State) { unset(s, backends.KindBGPPeer, "rr") }, from: []string{"ra"}, want: []string{"a1", "a2"}},
		"one side alone": {change: func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "rr", NodeSelector: "has(rr)", PeerSelector: "has(rr)", NoReversePeering: true})
		}, from: []string{"ra"}, want: []string{"a1", "a2"}},
		"a bad selector": {change: func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "b", NodeSelector: "rr == 'b'", PeerSelector: "rack =="})
		}, from: []string{"ra"}, want: []string{"a1", "a2", "ra", "rb"}},
		"by address": {change: func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "rr", Node: "ra", PeerIP: s.Nodes["rb"].IPv4.Addr})
		}, from: []string{"ra"}, want: []string{"a1", "a2", "b1", "ra", "rb"}},
		"another AS": {change: func(s *backends.State) {
			n := *s.Nodes["b1"]
			n.ASNumber = 65000
			set(s, &n)
		}, from: []string{"ra"}, want: []string{"a1", "a2", "ra", "rb"}},
		"the same cluster": {change: func(s *backends.State) {
			n := *s.Nodes["rb"]
			n.ClusterID = s.Nodes["ra"].ClusterID
			set(s, &n)
		}, from: []string{"ra"}, want: []string{"a1", "a2", "ra", "rb"}},
		"a node that is none": {change: func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "rr", NodeSelector: "rack == 'a'", PeerSelector: "rack == 'b'"})
		}, from: []string{"ra"}, want: []string{"a1", "a2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := racks()
			if test.change != nil {
				test.change(s)
			}
			got := Reflected(s, max(test.version, 4), test.from)
			if diff := cmp.Diff(test.want, slices.Sorted(maps.Keys(got)), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
