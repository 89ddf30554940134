package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"confd/backends"
)

// cluster is what a datastore holds.
type cluster map[backends.Key]backends.Resource

func (c cluster) add(resources ...backends.Resource) {
	for _, r := range resources {
		c[r.ResourceKey()] = r
	}
}

// generator makes clusters. Names and addresses come from small sets, so that
// objects refer to each other, clash, and return changed in the next cluster.
type generator struct{ *rand.Rand }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// some is a pointer to one of the values, or nil.
func some[T any](g generator, from ...T) *T {
	if g.chance(60) {
		return nil
	}
	v := pick(g, from...)
	return &v
}

// subset keeps some of a list, in a random order.
func subset[T any](g generator, from ...T) []T {
	g.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:g.IntN(len(from)+1)]
}

func addr(format string, args ...any) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf(format, args...))
}

func net1(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func (g generator) cluster() cluster {
	c := cluster{}
	for i := 1; i <= 6; i++ {
		if i == 1 && g.chance(95) || i > 1 && g.chance(70) {
			c.add(g.node(i))
		}
	}
	for _, name := range subset(g, "node.node-1", "node.node-2") {
		c.add(&backends.BGPConfiguration{Name: name, ListenPort: pick(g, uint16(0), 1790), LogSeverity: pick(g, "", "Debug", "Fatal"),
			PrefixAdvertisements: g.advertisements()})
	}
	if g.chance(90) {
		c.add(g.configuration())
	}
	for i := range 12 {
		if g.chance(50) {
			c.add(g.peer(fmt.Sprintf("p%d", i)))
		}
	}
	for i := range 4 {
		if g.chance(60) {
			c.add(g.filter(fmt.Sprintf("f%d", i)))
		}
	}
	g.addPools(c)
	g.addServices(c)
	for _, name := range subset(g, "default", "node.node-1", "node.node-2") {
		c.add(&backends.FelixConfiguration{Name: name, ProgramClusterRoutes: pick(g, "", backends.RoutesEnabled, backends.RoutesDisabled)})
	}
	for _, name := range subset(g, "s0", "s1", "s2") {
		data := map[string]string{}
		for _, key := range subset(g, "k0", "k1") {
			data[key] = pick(g, "first", "second", `a"b`, "", strings.Repeat("x", 81))
		}
		c.add(&backends.Secret{Namespace: "kube-system", Name: name, Data: data})
	}
	g.oddly(c)
	return c
}

func (g generator) node(i int) *backends.Node {
	n := &backends.Node{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{"rack": pick(g, "a", "b")}}
	address := func(a netip.Addr, bits int) backends.NodeAddress {
		out := backends.NodeAddress{Addr: a}
		if g.chance(80) {
			out.Subnet = netip.PrefixFrom(a, bits).Masked()
		}
		return out
	}
	if g.chance(90) {
		n.IPv4 = address(addr("10.1.%d.%d", g.IntN(2), pick(g, i, i, i, i, i+1)), 24)
	}
	if g.chance(60) {
		n.IPv6 = address(addr("fd01::%x", i), pick(g, 64, 112))
	}
	if g.chance(30) {
		n.ASNumber = pick[uint32](g, 64513, 4200000001)
	}
	if g.chance(25) {
		n.ClusterID = addr("192.0.2.%d", 1+g.IntN(2))
	}
	if g.chance(30) {
		n.WireguardIPv4 = addr("10.3.0.%d", i)
	}
	if g.chance(20) {
		n.WireguardIPv6 = addr("fd03::%x", i)
	}
	if g.chance(30) {
		n.Labels["edge"] = ""
	}
	if g.chance(15) {
		n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = pick(g, "true", "false")
	}
	return n
}

func (g generator) advertisements() []backends.PrefixAdvertisement {
	switch {
	case g.chance(50):
		return nil
	case g.chance(20):
		return []backends.PrefixAdvertisement{}
	}
	return []backends.PrefixAdvertisement{{
		CIDR:        net1(pick(g, "10.8.0.0/16", "fd08::/48")),
		Communities: subset(g, "named", "65000:1", "65000:2:3", "nobody"),
	}}
}

func (g generator) configuration() *backends.BGPConfiguration {
	return &backends.BGPConfiguration{
		Name: "default", ASNumber: pick[uint32](g, 0, 64513, 65000), NodeToNodeMesh: some(g, true, false),
		ListenPort: pick(g, uint16(0), 0, 1179), LogSeverity: pick(g, "", "Info", "Debug", "Error"),
		ServiceClusterIPs:         pick(g, nil, []netip.Prefix{net1("10.0.0.0/16"), net1("fd00::/112")}, []netip.Prefix{net1("10.0.0.52/32")}),
		ServiceExternalIPs:        subset(g, net1("192.0.2.0/24"), net1("198.51.100.1/32"), net1("2001:db8::/64")),
		ServiceLoadBalancerIPs:    subset(g, net1("203.0.113.0/24"), net1("203.0.113.9/32")),
		NoLoadBalancerAggregation: g.chance(40),
		Communities:               pick(g, nil, []backends.NamedCommunity{{Name: "named", Value: backends.Community{A: 65000, B: 7}}}),
		PrefixAdvertisements:      g.advertisements(),
		NodeMeshPassword:          some(g, g.secretRef()),
		NodeMeshMaxRestartTime:    some(g, time.Minute, 2*time.Minute),
		BindNodeIP:                g.chance(20),
		IgnoredInterfaces:         subset(g, "lo1", `odd"name`),
		ProgramClusterRoutes:      pick(g, "", backends.RoutesEnabled, backends.RoutesDisabled, backends.RoutesEnabledIPIPOnly),
		IPv4NormalPriority:        some[uint32](g, 100, 2000),
		IPv6NormalPriority:        some[uint32](g, 100, 2000),
	}
}

func (g generator) secretRef() backends.SecretKeyRef {
	return backends.SecretKeyRef{Name: pick(g, "s0", "s1", "s2", "missing"), Key: pick(g, "k0", "k1")}
}

// peer makes any sort of BGPPeer, some of which make no sense.
func (g generator) peer(name string) *backends.BGPPeer {
	p := &backends.BGPPeer{
		Name: name, LocalASNumber: pick[uint32](g, 0, 0, 64999), KeepOriginalNextHop: g.chance(20),
		NextHopMode: pick(g, "", "", backends.NextHopAuto, backends.NextHopSelf, backends.NextHopKeep),
		Password:    some(g, g.secretRef()), NoSourceAddress: g.chance(20), MaxRestartTime: some(g, time.Minute),
		KeepaliveTime: some(g, 10*time.Second, 1500*time.Millisecond), NumAllowedLocalAS: some[uint32](g, 1, 3),
		TTLSecurity: pick(g, uint8(0), 0, 2), NoReversePeering: g.chance(20),
	}
	if filters := subset(g, "f0", "f1", "f2", "f3"); g.chance(50) && len(filters) > 0 {
		p.Filters = filters
	}
	switch g.IntN(4) {
	case 0:
		p.Node = pick(g, "node-1", "node-1", "node-2")
	case 1:
		p.NodeSelector = pick(g, "rack == 'a'", "has(edge)", "all()", "rack == ")
	}
	switch g.IntN(6) {
	case 0:
		p.PeerSelector = pick(g, "rack == 'b'", "has(edge)", "!has(edge)")
	case 1:
		p.LocalWorkloadSelector = "all()"
	case 2:
		p.PeerSelector, p.PeerIP = "all()", addr("10.1.0.9") // two remote sides
	default:
		p.PeerIP = pick(g, addr("10.1.0.%d", 1+g.IntN(6)), addr("172.16.0.%d", 1+g.IntN(4)), addr("fd01::%x", 1+g.IntN(8)))
		p.ASNumber = pick[uint32](g, 0, 64512, 64513, 65010)
		p.Port = pick(g, uint16(0), 0, 1790)
		if p.PeerIP.Is4() && g.chance(30) {
			p.ReachableBy = addr("10.1.0.254")
		}
	}
	return p
}

func (g generator) filter(name string) *backends.BGPFilter {
	return &backends.BGPFilter{Name: name, ImportV4: g.rules(false), ExportV4: g.rules(false), ImportV6: g.rules(true), ExportV6: g.rules(true)}
}

func (g generator) rules(v6 bool) []backends.FilterRule {
	if g.chance(40) {
		return nil
	}
	rules := make([]backends.FilterRule, 1+g.IntN(3))
	for i := range rules {
		r := &rules[i]
		*r = backends.FilterRule{
			RemotePeers: g.chance(20), Interface: pick(g, "", "", "eth*", `odd"*`), PeerType: pick(g, "", backends.PeerExternal, backends.PeerInternal),
			Community: some(g, backends.Community{A: 65000, B: 1}, backends.Community{Large: true, A: 1, B: 2, C: 3}),
			Priority:  some[uint32](g, 10, 1024), Accept: g.chance(50),
		}
		if g.chance(50) {
			r.CIDR, r.Match = net1("10.8.0.0/16"), pick(g, backends.MatchEqual, backends.MatchNotEqual, backends.MatchIn, backends.MatchNotIn)
			if v6 {
				r.CIDR = net1("fd08::/48")
			}
			if g.chance(40) {
				r.PrefixLength = &backends.LengthRange{Min: uint8(r.CIDR.Bits()), Max: uint8(r.CIDR.Bits() + g.IntN(8))}
			}
		}
		if g.chance(20) {
			r.ASPathPrefix = []uint32{65001, 65002}[:1+g.IntN(2)]
		}
		if number := uint32(g.IntN(100)); r.Accept && g.chance(40) {
			r.Operations = []backends.Operation{{SetPriority: &number}, {PrependASPath: []uint32{65009}}}
		}
	}
	return rules
}

// addPools adds pools, and blocks of this node and of others.
func (g generator) addPools(c cluster) {
	pools := []string{"10.8.0.0/16", "10.9.0.0/16", "10.10.0.0/16", "fd08::/48", "fd09::/48"}
	for i, cidr := range pools {
		if g.chance(40) {
			continue
		}
		p := &backends.IPPool{Name: fmt.Sprintf("pool-%d", i), CIDR: net1(cidr), DisableBGPExport: g.chance(20), Disabled: g.chance(20), NATOutgoing: g.chance(50)}
		encap := pick(g, backends.EncapNever, backends.EncapAlways, backends.EncapCrossSubnet)
		if p.CIDR.Addr().Is4() && g.chance(30) {
			p.IPIP = encap
		} else if g.chance(50) {
			p.VXLAN = encap
		}
		c.add(p)
	}
	for _, cidr := range subset(g, "10.8.0.0/26", "10.8.0.64/26", "10.9.0.0/26", "10.9.1.1/32", "fd08::/122", "fd09::40/122", "fd08::9/128") {
		node := pick(g, "node-1", "node-1", "node-1", "node-2", "node-10")
		c.add(&backends.BlockAffinity{Name: affinityName(node, cidr), Node: node, CIDR: net1(cidr),
			State: pick(g, "", "confirmed", "confirmed", "pending", "pendingDeletion"), Deleted: g.chance(15)})
	}
}

// affinityName says whose the block is, and which, in what a name may have.
func affinityName(node, cidr string) string {
	return node + "." + strings.NewReplacer(".", "-", ":", "z", "/", "--").Replace(cidr)
}

// affinityCIDR undoes the latter.
func affinityCIDR(text string) netip.Prefix {
	address, bits, _ := strings.Cut(text, "--")
	return net1(strings.NewReplacer("-", ".", "z", ":").Replace(address) + "/" + bits)
}

// addServices adds Services, of which each always has the same families and
// cluster IPs, and slices.
func (g generator) addServices(c cluster) {
	for i := range 8 {
		if g.chance(65) {
			c.add(g.service(i))
		}
	}
	for i := range 12 {
		if g.chance(60) {
			c.add(g.slice(i))
		}
	}
}

func (g generator) service(i int) *backends.Service {
	s := &backends.Service{Namespace: "default", Name: fmt.Sprintf("svc-%d", i), Type: pick(g, "ClusterIP", "NodePort", "LoadBalancer")}
	s.IPv4, s.IPv6 = i%3 != 1, i%3 != 0
	if s.IPv4 {
		s.ClusterIPs = append(s.ClusterIPs, addr("10.0.0.%d", 50+i))
	}
	if s.IPv6 {
		s.ClusterIPs = append(s.ClusterIPs, addr("fd00::%x", 50+i))
	}
	if i == 7 {
		s.Type, s.ClusterIPs = "ClusterIP", nil // headless
	}
	if external := subset(g, addr("192.0.2.1"), addr("192.0.2.2"), addr("198.51.100.1"), addr("2001:db8::1")); len(external) > 0 {
		s.ExternalIPs = external // shared with other Services
	}
	s.Local = g.chance(50) && (s.Type != "ClusterIP" || len(s.ExternalIPs) > 0)
	if s.Type == "LoadBalancer" && g.chance(70) {
		s.LoadBalancerIPs = []netip.Addr{addr("203.0.113.%d", pick(g, 1, 2, 9))}
	}
	return s
}

func (g generator) slice(i int) *backends.EndpointSlice {
	s := &backends.EndpointSlice{Namespace: "default", Name: fmt.Sprintf("slice-%d", i), Service: fmt.Sprintf("svc-%d", g.IntN(8)), IPv6: i%2 == 1}
	if g.chance(30) {
		return s
	}
	s.Ready = true
	if g.chance(80) {
		s.Nodes = slices.Sorted(slices.Values(subset(g, "node-1", "node-2", "node-3")))
	}
	return s
}

// changesTo is a way from one cluster to the next, with detours: objects that
// come and go, and some that have been yet otherwise.
func (g generator) changesTo(from, to cluster) []change {
	var all []change
	detour := g.cluster()
	keys := cluster{}
	for _, c := range []cluster{from, to, detour} {
		maps.Copy(keys, c)
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), backends.Key.Compare) {
		if g.chance(25) {
			all = append(all, change{k, detour[k]})
		}
		if g.chance(10) {
			all = append(all, change{key: k})
		}
		all = append(all, change{k, to[k]})
	}
	return all
}
