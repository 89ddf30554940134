package explain

import (
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// owners are the affinities of the block that holds a net, the smallest block first;
// among them those that are on their way in or out.
func (a *Asker) owners(net netip.Prefix) []*backends.BlockAffinity {
	var out []*backends.BlockAffinity
	for _, b := range a.state().BlockAffinities {
		if within(net, b.CIDR) {
			out = append(out, b)
		}
	}
	if a.options.UsePodCIDR {
		out = a.podCIDROwners(net)
	}
	slices.SortFunc(out, func(x, y *backends.BlockAffinity) int {
		if c := y.CIDR.Bits() - x.CIDR.Bits(); c != 0 {
			return c
		}
		return strings.Compare(x.Name, y.Name)
	})
	return out
}

func (a *Asker) podCIDROwners(net netip.Prefix) []*backends.BlockAffinity {
	var out []*backends.BlockAffinity
	for _, n := range a.own.Nodes() {
		for _, p := range n.PodCIDRs {
			if within(net, p) {
				out = append(out, &backends.BlockAffinity{Name: n.Name, Node: n.Name, CIDR: p, State: "confirmed"})
			}
		}
	}
	return out
}

func within(net, outer netip.Prefix) bool {
	return outer.Bits() <= net.Bits() && outer.Contains(net.Addr())
}

// poolOf is the smallest pool that holds a net; nil: none does.
func (a *Asker) poolOf(net netip.Prefix) *backends.IPPool {
	var best *backends.IPPool
	for _, p := range a.state().IPPools {
		if within(net, p.CIDR) && (best == nil || p.CIDR.Bits() > best.CIDR.Bits() || p.CIDR.Bits() == best.CIDR.Bits() && p.Name < best.Name) {
			best = p
		}
	}
	return best
}
