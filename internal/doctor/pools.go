package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"

	"confd/backends"
)

func poolCodes() []Code {
	return []Code{
		{
			ID: id(60), Name: "pools-overlap", Severity: Error, check: (*patient).poolsOverlap,
			Says:        "overlaps IPPool b (10.1.0.0/16)",
			Consequence: "Blocks of one lie in the other: which pool's rules their routes follow depends on which is smaller.",
			Cure:        "Move one of the pools.",
		},
		{
			ID: id(61), Name: "pool-nearly-full", Severity: Warning, check: (*patient).nearlyFull,
			Says:        "1000 of its 1024 blocks are taken",
			Consequence: "Without a free block a node's workloads borrow addresses from blocks of other nodes, whose blackhole routes swallow packets where the single addresses are not told.",
			Cure:        "Add a pool, or make the blocks of a new one smaller.",
		},
		{
			ID: id(62), Name: "block-outside-pools", Severity: Warning, check: (*patient).outsidePools,
			Says:        "10.9.0.0/26 of node a lies in no IPPool",
			Consequence: "Peers are told of the block itself, and of no single address; nobody programs what its pool would say.",
			Cure:        "Restore the pool, or release the block (calicoctl ipam).",
		},
		{
			ID: id(63), Name: "block-of-no-node", Severity: Warning, check: (*patient).orphans,
			Says:        "10.9.0.0/26 is of node a, which is not there",
			Consequence: "Nobody announces the block, and no other node can have it.",
			Cure:        "calicoctl ipam check, and release what has leaked.",
		},
		{
			ID: id(64), Name: "block-twice", Severity: Error, check: (*patient).blocksTwice,
			Says:        "10.9.0.0/26 is of node a and of node b",
			Consequence: "Both announce it: half of the packets go to the wrong one, whose blackhole swallows them.",
			Cure:        "Delete the affinity of the node that does not have the block.",
		},
		{
			ID: id(65), Name: "service-range-in-pool", Severity: Error, check: (*patient).rangesInPools,
			Says:        "the service range 10.1.0.0/24 overlaps IPPool a (10.1.0.0/16)",
			Consequence: "BIRD keeps routes in service ranges out of the kernel: workloads there cannot be reached from other nodes.",
			Cure:        "Move the range or the pool.",
		},
		{
			ID: id(66), Name: "borrowed-addresses", Severity: Warning, check: (*patient).borrowed,
			Says:        "workloads of this node have 3 addresses in blocks of other nodes",
			Consequence: "They are told of one by one; where the owner of the block does not hear of one, its blackhole swallows the packets.",
			Cure:        "See whether the pool has free blocks (BGP061). confd explain pod says who is told of an address.",
		},
		{
			ID: id(67), Name: "needs-krt-tunnel", Severity: Error, check: (*patient).needsTunnel,
			Says:        "routes of an IPIP pool, and BIRD 2 cannot program them",
			Consequence: "Only Calico's fork of BIRD 1.6 has krt_tunnel: BIRD keeps the pool's routes out of the kernel, and confd render ends with an error.",
			Cure:        "Set programClusterRoutes to EnabledNoEncapOnly in the BGPConfiguration, and let Felix program IPIP routes.",
		},
	}
}

func (p *patient) poolsOverlap() []complaint {
	var out []complaint
	pools := p.pools()
	for i, a := range pools {
		for _, b := range pools[i+1:] {
			if a.CIDR.Overlaps(b.CIDR) {
				out = append(out, complaint{object: a.ResourceKey().String(), text: fmt.Sprintf("%s overlaps IPPool %s (%s)", a.CIDR, b.Name, b.CIDR)})
			}
		}
	}
	return out
}

// nearlyFullFrom is the part of its blocks from which on a pool counts as nearly full.
const nearlyFullFrom = 0.9

func (p *patient) nearlyFull() []complaint {
	used := map[string]map[netip.Prefix]bool{}
	for _, b := range p.State.BlockAffinities {
		if pool := p.poolOf(b.CIDR); pool != nil && !b.Deleted {
			if used[pool.Name] == nil {
				used[pool.Name] = map[netip.Prefix]bool{}
			}
			used[pool.Name][b.CIDR] = true
		}
	}
	var out []complaint
	for _, pool := range p.pools() {
		total := math.Ldexp(1, max(0, pool.BlockBits()-pool.CIDR.Bits()))
		n := float64(len(used[pool.Name]))
		if !pool.Disabled && n > 1 && n >= nearlyFullFrom*total {
			out = append(out, complaint{object: pool.ResourceKey().String(), text: fmt.Sprintf("%.0f of its %.0f blocks are taken", n, total)})
		}
	}
	return out
}

// poolOf is the smallest pool that holds a net; nil: none.
func (p *patient) poolOf(net netip.Prefix) *backends.IPPool {
	var best *backends.IPPool
	for _, pool := range p.State.IPPools {
		if pool.CIDR.Bits() <= net.Bits() && pool.CIDR.Contains(net.Addr()) && (best == nil || pool.CIDR.Bits() > best.CIDR.Bits()) {
			best = pool
		}
	}
	return best
}

func (p *patient) blocks() []*backends.BlockAffinity {
	return slices.SortedFunc(maps.Values(p.State.BlockAffinities), func(a, b *backends.BlockAffinity) int {
		return cmp.Or(a.CIDR.Addr().Compare(b.CIDR.Addr()), cmp.Compare(a.CIDR.Bits(), b.CIDR.Bits()), cmp.Compare(a.Name, b.Name))
	})
}

func (p *patient) outsidePools() []complaint {
	if len(p.State.IPPools) == 0 {
		return nil
	}
	var out []complaint
	for _, b := range p.blocks() {
		if !b.Deleted && p.poolOf(b.CIDR) == nil {
			out = append(out, complaint{object: b.ResourceKey().String(), text: fmt.Sprintf("%s of node %s lies in no IPPool", b.CIDR, b.Node)})
		}
	}
	return out
}

func (p *patient) orphans() []complaint {
	if p.Options.UsePodCIDR {
		return nil
	}
	var out []complaint
	for _, b := range p.blocks() {
		if p.State.Nodes[b.Node] == nil && p.State.Invalid[backends.Key{Kind: backends.KindNode, Name: b.Node}] == nil && !b.Deleted {
			out = append(out, complaint{object: b.ResourceKey().String(), text: fmt.Sprintf("%s is of node %s, which is not there", b.CIDR, b.Node)})
		}
	}
	return out
}

func (p *patient) blocksTwice() []complaint {
	var out []complaint
	var last *backends.BlockAffinity
	for _, b := range p.blocks() {
		if b.Deleted || b.State == "pending" || b.State == "pendingDeletion" {
			continue
		}
		if last != nil && last.CIDR == b.CIDR && last.Node != b.Node {
			out = append(out, complaint{object: b.ResourceKey().String(), text: fmt.Sprintf("%s is of node %s and of node %s", b.CIDR, last.Node, b.Node)})
		}
		last = b
	}
	return out
}

func (p *patient) rangesInPools() []complaint {
	c := p.State.BGPConfigurations["default"]
	if c == nil {
		return nil
	}
	clusterIPs := c.ServiceClusterIPs
	if p.Options.ClusterIPs != nil {
		clusterIPs = p.Options.ClusterIPs
	}
	var out []complaint
	for _, net := range slices.Concat(clusterIPs, c.ServiceExternalIPs, c.ServiceLoadBalancerIPs) {
		for _, pool := range p.pools() {
			if net.Overlaps(pool.CIDR) && !pool.Disabled && (!net.IsSingleIP() || slices.Contains(clusterIPs, net)) {
				out = append(out, complaint{object: c.ResourceKey().String(), text: fmt.Sprintf("the service range %s overlaps IPPool %s (%s)", net, pool.Name, pool.CIDR)})
			}
		}
	}
	return out
}

func (p *patient) borrowed() []complaint {
	if p.Usage == nil || !p.Usage.Addresses || p.Usage.Borrowed == 0 {
		return nil
	}
	return []complaint{{object: "Node " + p.Options.Node, text: fmt.Sprintf("workloads of this node have %d addresses in blocks of other nodes", p.Usage.Borrowed)}}
}

func (p *patient) needsTunnel() []complaint {
	if p.BIRD < 2 || p.tunnelPool == "" {
		return nil
	}
	return []complaint{{object: "IPPool " + p.tunnelPool, text: fmt.Sprintf("programClusterRoutes has BIRD program its routes, an IPIP pool's, and BIRD %d cannot", p.BIRD)}}
}
