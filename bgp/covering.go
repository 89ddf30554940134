package bgp

import (
	"net/netip"
	"slices"

	"confd/backends"
)

// needed is an address that this node must be able to reach, and whose it is.
type needed struct {
	address   netip.Addr
	node      *backends.Node // whose it is; nil: it is the session's peer's, or else the datastore's
	session   *Session
	datastore bool
}

// of says whose the address is.
func (n needed) of() string {
	switch {
	case n.node != nil:
		return "node " + n.node.Name
	case n.datastore:
		return "the datastore"
	case n.session.ReachableBy.IsValid():
		return "the gateway to the peer of " + n.session.Reason.Object.String()
	}
	return "the peer of " + n.session.Reason.Object.String()
}

// dropCovering leaves out blackhole routes that cover what the node must reach: the
// other nodes, peers, and the datastore. BIRD puts a blackhole into the kernel, and
// with it the sessions would die, and the correction might never arrive. A network
// that the node has an interface in stays reachable where the route is no longer
// than its own. The datastore may be a Service: ranges of these never get into the
// kernel. Workloads in a block that is left out are told of one by one.
func (c *computer) dropCovering(f *Family) {
	if !slices.ContainsFunc(f.Statics, func(r StaticRoute) bool { return !r.Via.IsValid() }) {
		return
	}
	all := c.needed(f)
	if len(all) == 0 {
		return
	}
	low, high := all[0].address, all[len(all)-1].address
	f.Statics = slices.DeleteFunc(f.Statics, func(r StaticRoute) bool {
		if r.Via.IsValid() || high.Less(r.Net.Addr()) || r.Net.Addr().Less(low) && !r.Net.Contains(low) {
			return false
		}
		n, ok := covered(f, r.Net, all)
		if ok {
			c.problem(r.Reason.Object, CodeBlackhole, true, "the blackhole route for %s is left out: it would cut this node off from %s, %s", r.Net, n.of(), n.address)
			f.Export.Blocks = slices.DeleteFunc(f.Export.Blocks, func(b netip.Prefix) bool { return b == r.Net })
		}
		return ok
	})
}

// needed are the addresses of a family that this node must be able to reach, sorted: those
// that are remembered, where they are.
func (c *computer) needed(f *Family) []needed {
	known := &c.asked.needed[familyIndex(f)]
	if *known == nil {
		*known = c.neededAddresses(f)
	}
	return *known
}

// neededAddresses works them out.
func (c *computer) neededAddresses(f *Family) []needed {
	all := make([]needed, 0, len(c.nodes))
	for _, n := range c.nodes {
		if a := addressOf(n, f.Version).Addr; a.IsValid() && n != c.me && a != f.Address {
			all = append(all, needed{address: a, node: n})
		}
	}
	for _, s := range f.Sessions {
		if s.Kind == LocalWorkloadSession || s.PeerNode != "" {
			continue
		}
		a := s.Neighbor
		if s.ReachableBy.IsValid() {
			a = s.ReachableBy
		}
		all = append(all, needed{address: a, session: s})
	}
	for _, a := range c.options.Datastore {
		if a = a.Unmap(); VersionOf(a) == f.Version {
			all = append(all, needed{address: a, datastore: true})
		}
	}
	slices.SortStableFunc(all, func(a, b needed) int { return a.address.Compare(b.address) })
	return all
}

// covered is the first address that a blackhole for net would cut off.
func covered(f *Family, net netip.Prefix, all []needed) (needed, bool) {
	near := f.Subnet.IsValid() && net.Bits() <= f.Subnet.Bits()
	service := f.Kernel.rejectsService(net)
	i, _ := slices.BinarySearchFunc(all, net.Addr(), func(n needed, a netip.Addr) int { return n.address.Compare(a) })
	for ; i < len(all) && net.Contains(all[i].address); i++ {
		if n := all[i]; (!near || !f.Subnet.Contains(n.address)) && (!service || !n.datastore) {
			return n, true
		}
	}
	return needed{}, false
}
