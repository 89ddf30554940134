package guard

import (
	"net/netip"

	"confd/backends"
	"confd/bgp"
)

// cluster answers questions about the candidate's cluster, each worked out once,
// when somebody asks.
type cluster struct {
	state *backends.State
	// addresses are those of all nodes; without are the families of which a node has
	// none.
	addresses map[netip.Addr]bool
	without   map[int]bool
	few       *bool
	// behind has the nodes that reflectors have the routes of, by family.
	behind map[int]map[string]bool
}

func newCluster(s *backends.State) *cluster {
	return &cluster{state: s, behind: map[int]map[string]bool{}}
}

// mayHave says whether a node has that address, or may: one that is there has none
// in its family.
func (c *cluster) mayHave(a netip.Addr) bool {
	if c.addresses == nil {
		c.addresses, c.without = map[netip.Addr]bool{}, map[int]bool{}
		for _, n := range c.state.Nodes {
			c.addresses[n.IPv4.Addr], c.addresses[n.IPv6.Addr] = true, true
			c.without[4] = c.without[4] || !n.IPv4.Addr.IsValid()
			c.without[6] = c.without[6] || !n.IPv6.Addr.IsValid()
		}
	}
	return c.addresses[a] || c.without[bgp.VersionOf(a)]
}

// fewReflect says whether no more than half of the nodes are route reflectors, or
// two of them.
func (c *cluster) fewReflect() bool {
	if c.few == nil {
		reflectors := 0
		for _, n := range c.state.Nodes {
			if n.ClusterID.IsValid() {
				reflectors++
			}
		}
		few := reflectors <= 2 || 2*reflectors <= len(c.state.Nodes)
		c.few = &few
	}
	return *c.few
}

// reflected are the nodes whose routes come by the reflectors.
func (c *cluster) reflected(family int, reflectors func() []string) map[string]bool {
	if _, ok := c.behind[family]; !ok {
		c.behind[family] = nil
		if names := reflectors(); len(names) > 0 {
			c.behind[family] = bgp.Reflected(c.state, family, names)
		}
	}
	return c.behind[family]
}
