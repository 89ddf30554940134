package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
)

// staticsAndPolicies works out, per family, what this node announces, what it
// tells its peers, and what goes into its kernel.
func (c *computer) staticsAndPolicies() {
	blocks := c.blocks()
	ranges := c.serviceRanges()
	services := c.serviceRoutes(ranges)
	pools := slices.SortedFunc(maps.Values(c.state.IPPools), comparePools)
	programs := c.programs()
	for _, f := range c.config.Families() {
		ofFamily := func(p netip.Prefix) bool { return VersionOf(p.Addr()) == f.Version }
		f.Export.Services = filter(services, func(r StaticRoute) bool { return ofFamily(r.Net) })
		c.addBlocks(f, blocks)
		f.Statics = append(f.Statics, f.Export.Services...)
		f.addGateways()
		f.sortStatics()

		f.Export.RejectTunnel = !programs.ipip
		f.Export.Communities = filter(c.advertisements(), func(a Advertisement) bool { return ofFamily(a.CIDR) })
		f.Kernel.RejectServices = sortedPrefixes(filter(ranges.routes(), ofFamily))
		f.Kernel.RejectBlackholes = f.Kernel.otherServices(f.Export.Services)
		if c.me.ClusterID.IsValid() {
			f.Export.ReflectedServices = sortedPrefixes(filter(slices.Concat(ranges.loadBalancer, ranges.external), ofFamily))
		}
		f.Kernel.RejectNextHops = c.wireguardPeers(f.Version)
		c.dropCovering(f)
		for _, p := range pools {
			if ofFamily(p.CIDR) {
				f.addPool(p, programs)
			}
		}
	}
	c.compareWithFelix(pools, programs)
}

// otherServices are the nets of service routes that lie in none of the ranges which
// are kept from the kernel as a whole, sorted.
func (k *KernelPolicy) otherServices(routes []StaticRoute) []netip.Prefix {
	var nets []netip.Prefix
	for _, r := range routes {
		if !k.rejectsService(r.Net) {
			nets = append(nets, r.Net)
		}
	}
	return nets
}

// rejectsService says whether net is kept from the kernel as a service address.
func (k *KernelPolicy) rejectsService(net netip.Prefix) bool {
	return slices.ContainsFunc(k.RejectServices, func(s netip.Prefix) bool { return within(net, s) }) || slices.Contains(k.RejectBlackholes, net)
}

// comparePools puts the most specific first, so that of pools that overlap its
// rule counts.
func comparePools(a, b *backends.IPPool) int {
	return cmp.Or(cmp.Compare(b.CIDR.Bits(), a.CIDR.Bits()), a.CIDR.Addr().Compare(b.CIDR.Addr()), cmp.Compare(a.Name, b.Name))
}

// blocks are this node's blocks, by net.
func (c *computer) blocks() []*backends.BlockAffinity {
	if c.options.UsePodCIDR {
		return c.podBlocks()
	}
	mine := filter(slices.Collect(maps.Values(c.state.BlockAffinities)), func(b *backends.BlockAffinity) bool {
		return b.Node == c.me.Name && !b.Deleted && b.State != "pending"
	})
	slices.SortFunc(mine, func(a, b *backends.BlockAffinity) int {
		return cmp.Or(comparePrefixes(a.CIDR, b.CIDR), cmp.Compare(a.Name, b.Name))
	})
	return mine
}

// podBlocks are the nets that Kubernetes gave to this node, as blocks.
func (c *computer) podBlocks() []*backends.BlockAffinity {
	var blocks []*backends.BlockAffinity
	for _, net := range sortedPrefixes(slices.Clone(c.me.PodCIDRs)) {
		blocks = append(blocks, &backends.BlockAffinity{Name: c.me.Name + "/" + net.String(), Node: c.me.Name, CIDR: net, State: "confirmed"})
	}
	return blocks
}

func (c *computer) addBlocks(f *Family, blocks []*backends.BlockAffinity) {
	for _, b := range blocks {
		if VersionOf(b.CIDR.Addr()) != f.Version {
			continue
		}
		if !b.CIDR.IsSingleIP() {
			f.Statics = append(f.Statics, StaticRoute{Net: b.CIDR, Reason: Reason{Object: b.ResourceKey(), Text: "block of this node"}})
		}
		if b.State == "" || b.State == "confirmed" {
			f.Export.Blocks = append(f.Export.Blocks, b.CIDR)
		}
	}
	f.Export.Blocks = slices.Compact(f.Export.Blocks)
}

// addGateways adds the routes to neighbors that are reachable by a gateway.
func (f *Family) addGateways() {
	for _, s := range f.Sessions {
		if s.ReachableBy.IsValid() {
			f.Statics = append(f.Statics, StaticRoute{Net: netip.PrefixFrom(s.Neighbor, s.Neighbor.BitLen()), Via: s.ReachableBy, Reason: s.Reason})
		}
	}
}

// sortStatics sorts the static routes; of several for one net the first stays.
func (f *Family) sortStatics() {
	slices.SortStableFunc(f.Statics, func(a, b StaticRoute) int { return comparePrefixes(a.Net, b.Net) })
	f.Statics = slices.CompactFunc(f.Statics, func(a, b StaticRoute) bool { return a.Net == b.Net })
}

// advertisements are this node's prefixAdvertisements, or the cluster's, with
// the names of communities looked up.
func (c *computer) advertisements() []Advertisement {
	from := c.defaults
	if c.own.PrefixAdvertisements != nil {
		from = c.own
	}
	names := communityNames(from)
	var out []Advertisement
	for _, p := range from.PrefixAdvertisements {
		a := Advertisement{CIDR: p.CIDR}
		for _, text := range p.Communities {
			value, ok := names[text]
			if !ok {
				var err error
				if value, err = backends.ParseCommunity(text); err != nil {
					c.problem(from.ResourceKey(), CodeUnknownCommunity, true, "prefixAdvertisements of %s: %q is neither a value nor the name of a community, and is left out", p.CIDR, text)
					continue
				}
			}
			a.Communities = append(a.Communities, value)
		}
		slices.SortFunc(a.Communities, compareCommunities)
		a.Communities = slices.Compact(a.Communities)
		if len(a.Communities) > 0 {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Advertisement) int { return comparePrefixes(a.CIDR, b.CIDR) })
	return out
}

// communityNames are the values of the communities that a resource names; of one
// name the first counts.
func communityNames(b *backends.BGPConfiguration) map[string]backends.Community {
	names := map[string]backends.Community{}
	for _, n := range b.Communities {
		if _, twice := names[n.Name]; !twice {
			names[n.Name] = n.Value
		}
	}
	return names
}

func compareCommunities(a, b backends.Community) int {
	large := func(c backends.Community) int {
		if c.Large {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(large(a), large(b)), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B), cmp.Compare(a.C, b.C))
}

// wireguardPeers are the other nodes that WireGuard reaches from this one.
func (c *computer) wireguardPeers(version int) []netip.Addr {
	if !c.runsWireguard(c.me, version) {
		return nil
	}
	var out []netip.Addr
	for _, n := range c.nodes {
		if a := addressOf(n, version).Addr; n != c.me && c.runsWireguard(n, version) && a.IsValid() {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}

// runsWireguard says whether a node has a WireGuard interface. With podCIDRs that
// needs no address of its own, and a key tells.
func (c *computer) runsWireguard(n *backends.Node, version int) bool {
	address, key := n.WireguardIPv4, n.WireguardKeyIPv4
	if version == 6 {
		address, key = n.WireguardIPv6, n.WireguardKeyIPv6
	}
	return address.IsValid() || c.options.UsePodCIDR && key != ""
}

// programmed says which pools' routes somebody puts into the kernel.
type programmed struct {
	by            backends.ClusterRoutes
	ipip, noEncap bool
}

// programs is what BIRD programs on this cluster's nodes.
func (c *computer) programs() programmed {
	return programmedBy(cmp.Or(c.defaults.ProgramClusterRoutes, backends.RoutesEnabledNoEncapOnly))
}

func programmedBy(r backends.ClusterRoutes) programmed {
	return programmed{
		by:      r,
		ipip:    r == backends.RoutesEnabled || r == backends.RoutesEnabledIPIPOnly,
		noEncap: r == backends.RoutesEnabled || r == backends.RoutesEnabledNoEncapOnly,
	}
}

func (f *Family) addPool(p *backends.IPPool, programs programmed) {
	pool := Pool{Name: p.Name, CIDR: p.CIDR}
	if p.DisableBGPExport {
		f.Export.RejectPools = append(f.Export.RejectPools, pool)
	} else {
		f.Export.Pools = append(f.Export.Pools, pool)
	}
	// On a node without IPv4 Calico cannot tell a tunnel's other end from a
	// neighbor, and leaves IPv4 pools to the rule for everything else.
	if f.Version == 4 && !f.Subnet.IsValid() {
		return
	}
	routes := PoolRoutes{Pool: pool, Action: PoolReject}
	switch {
	case encapsulates(p.VXLAN):
		routes.Text = "VXLAN: Felix programs its routes"
	case encapsulates(p.IPIP):
		routes.Text = fmt.Sprintf("IPIP, and programClusterRoutes is %s", programs.by)
		if programs.ipip {
			routes.Action = tunnelAction(p.IPIP, f.Version)
		}
	default:
		routes.Text = fmt.Sprintf("no encapsulation, and programClusterRoutes is %s", programs.by)
		if programs.noEncap {
			routes.Action = PoolAccept
		}
	}
	f.Kernel.Pools = append(f.Kernel.Pools, routes)
}

func encapsulates(e backends.Encapsulation) bool { return e != "" && e != backends.EncapNever }

func tunnelAction(ipip backends.Encapsulation, version int) PoolAction {
	switch {
	case version == 6:
		return PoolAccept
	case ipip == backends.EncapCrossSubnet:
		return PoolCrossSubnet
	default:
		return PoolTunnel
	}
}

// compareWithFelix reports pools whose routes BIRD and Felix both program, or
// neither does.
func (c *computer) compareWithFelix(pools []*backends.IPPool, bird programmed) {
	felix := FelixRoutes(c.state, c.me.Name)
	theirs := programmedBy(felix)
	for _, p := range pools {
		ours, other := bird.noEncap, theirs.noEncap
		switch {
		case encapsulates(p.VXLAN):
			continue
		case encapsulates(p.IPIP):
			ours, other = bird.ipip, theirs.ipip
		}
		if ours == other {
			who := "nobody programs its routes"
			if ours {
				who = "both BIRD and Felix program its routes"
			}
			c.problem(p.ResourceKey(), CodePoolRoutes, false, "%s: programClusterRoutes is %s in the BGPConfiguration and %s in the FelixConfiguration", who, bird.by, felix)
		}
	}
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func sortedPrefixes(in []netip.Prefix) []netip.Prefix {
	slices.SortFunc(in, comparePrefixes)
	return slices.Compact(in)
}

// filter returns a new slice of what keep accepts.
func filter[T any](in []T, keep func(T) bool) []T {
	var out []T
	for _, x := range in {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}
