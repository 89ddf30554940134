package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// foreignFirst finds what BIRD 1.6 tells routers with a path that does not begin with
// the node's AS number: it puts that there before it asks the export filters.
func (p *patient) foreignFirst() []complaint {
	if p.BIRD != 1 {
		return nil
	}
	var out []complaint
	for _, name := range slices.Sorted(maps.Keys(p.State.BGPPeers)) {
		peer := p.State.BGPPeers[name]
		if !peer.PeerIP.IsValid() || p.cluster.IsInside(peer) {
			continue
		}
		nodes, _ := p.cluster.LocalSide(peer) // a selector that cannot be read is said of itself
		for _, as := range p.externalASes(peer, nodes) {
			out = append(out, p.prepended(peer, as)...)
		}
	}
	return out
}

// externalASes are the AS numbers that nodes have to the router of a BGPPeer, where
// it has another.
func (p *patient) externalASes(peer *backends.BGPPeer, nodes []*backends.Node) []uint32 {
	var out []uint32
	its := cmp.Or(peer.ASNumber, p.cluster.ASNumberOf(&backends.Node{}))
	for _, n := range nodes {
		as := cmp.Or(peer.LocalASNumber, p.cluster.ASNumberOf(n))
		if as != its && !slices.Contains(out, as) {
			out = append(out, as)
		}
	}
	return out
}

// prepended are the rules of a BGPPeer's filters that put another number than as first.
func (p *patient) prepended(peer *backends.BGPPeer, as uint32) []complaint {
	var out []complaint
	version := bgp.VersionOf(peer.PeerIP)
	for _, name := range peer.Filters {
		f := p.State.BGPFilters[name]
		if f == nil {
			continue // that is said of itself
		}
		rules := f.ExportV4
		if version == 6 {
			rules = f.ExportV6
		}
		for i, r := range rules {
			if first := firstPrepended(r); first != 0 && first != as && r.PeerType != backends.PeerInternal {
				out = append(out, complaint{object: f.ResourceKey().String(), text: fmt.Sprintf(
					"%s: rule %d prepends %d to what %s's router is told: BIRD 1.6 puts it before the node's own AS number, %d",
					bgp.RuleList(true, version), i+1, first, peer.ResourceKey(), as)})
			}
		}
	}
	return out
}

// firstPrepended is the number that a rule leaves at the front of a path; 0: it
// prepends none.
func firstPrepended(r backends.FilterRule) uint32 {
	for _, o := range slices.Backward(r.Operations) {
		if len(o.PrependASPath) > 0 {
			return o.PrependASPath[0]
		}
	}
	return 0
}
