package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"

	"confd/backends"
)

// Seed is that of the tests with random input.
func Seed() uint64 { return *seed }

// RandomStore makes random changes of a cluster in etcd, for tests that run the
// program itself.
type RandomStore struct{ g generator }

// StoreChange is a change of one key in etcd. Without a Value the key goes.
type StoreChange struct{ Key, Value string }

// NewRandomStore makes one; the same source gives the same changes.
func NewRandomStore(source rand.Source) *RandomStore {
	return &RandomStore{generator{rand.New(source)}}
}

// Some are changes of n objects, as they are in some cluster.
func (s *RandomStore) Some(n int) []StoreChange {
	c := s.cluster()
	keys := slices.SortedFunc(maps.Keys(c), backends.Key.Compare)
	var all []StoreChange
	for range n {
		k := keys[s.g.IntN(len(keys))]
		if s.g.chance(30) && k.Name != "node-1" {
			all = append(all, inStore(k, nil))
		} else {
			all = append(all, inStore(k, c[k]))
		}
	}
	return all
}

// All is another cluster in place of what there is.
func (s *RandomStore) All() []StoreChange {
	c := s.cluster()
	var all []StoreChange
	for _, change := range s.g.changesTo(s.cluster(), c) {
		all = append(all, inStore(change.key, c[change.key]))
	}
	return all
}

// Own is this node as it should be, with an address of each family.
func (s *RandomStore) Own() StoreChange {
	n := &backends.Node{Name: "node-1"}
	place(n, 1)
	return inStore(n.ResourceKey(), n)
}

// cluster is a random one whose nodes are where the test's network has them, and
// in which most sessions of the mesh can come up.
func (s *RandomStore) cluster() cluster {
	c := s.g.cluster()
	for i := range 6 {
		k := backends.Key{Kind: backends.KindNode, Name: fmt.Sprintf("node-%d", i+1)}
		if n, ok := c[k].(*backends.Node); ok && (i == 0 || s.g.chance(90)) {
			place(n, i+1)
		}
	}
	for _, r := range c {
		if b, ok := r.(*backends.BGPConfiguration); ok && s.g.chance(80) {
			b.ListenPort, b.ASNumber, b.BindNodeIP = 0, 0, false
			if b.NodeToNodeMesh != nil && s.g.chance(80) {
				b.NodeToNodeMesh = nil
			}
		}
	}
	return c
}

// place gives a node its addresses.
func place(n *backends.Node, i int) {
	n.IPv4 = backends.NodeAddress{Addr: addr("10.0.0.%d", i), Subnet: netip.MustParsePrefix("10.0.0.0/24")}
	n.IPv6 = backends.NodeAddress{Addr: addr("fd00::%x", i), Subnet: netip.MustParsePrefix("fd00::/64")}
	n.ASNumber, n.ClusterID = 0, netip.Addr{}
}

func inStore(k backends.Key, r backends.Resource) StoreChange {
	key, value, err := inEtcd(change{k, r})
	if err != nil {
		panic(err) // all that is generated can be encoded
	}
	return StoreChange{key, value}
}
