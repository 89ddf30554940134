package main

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/settings"
)

// peerName is the session of the BGPPeer in changesState.
const peerName = "Node_10_0_0_50_port_1790"

// changesInput is what a configuration is made from.
type changesInput struct {
	*backends.State
	bgp settings.BGP
}

func (i changesInput) defaults() *backends.BGPConfiguration { return i.BGPConfigurations["default"] }

// changesState is a cluster of two nodes with a mesh, a BGPPeer with all that a
// session can have, a filter, a pool and a block of node-1.
func changesState() changesInput {
	s := backends.NewState()
	for _, r := range []backends.Resource{
		&backends.Node{Name: "node-1", IPv4: nodeAddress("10.0.0.1/24"), IPv6: nodeAddress("fd00::1/64")},
		&backends.Node{Name: "node-2", IPv4: nodeAddress("10.0.0.2/24"), IPv6: nodeAddress("fd00::2/64")},
		&backends.BGPConfiguration{Name: "default"},
		&backends.BGPPeer{Name: "p", Node: "node-1", PeerIP: netip.MustParseAddr("10.0.0.50"), Port: 1790, ASNumber: 64513, Filters: []string{"f"}},
		&backends.BGPFilter{Name: "f", ImportV4: []backends.FilterRule{{RemotePeers: true}}, ExportV4: []backends.FilterRule{{Interface: "x*"}}},
		&backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16")},
		&backends.BlockAffinity{Name: "b", Node: "node-1", CIDR: netip.MustParsePrefix("10.128.0.0/26")},
		&backends.Secret{Namespace: "kube-system", Name: "s", Data: map[string]string{"k": "first", "l": "second"}},
	} {
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return changesInput{State: s}
}

func nodeAddress(text string) backends.NodeAddress {
	p := netip.MustParsePrefix(text)
	return backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
}

// changesCases are changes of a changesState, one after the other; what a later
// one does comes on top.
func changesCases() map[string][]func(changesInput) {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	one := func(change func(changesInput)) []func(changesInput) { return []func(changesInput){change} }
	peer := func(change func(*backends.BGPPeer)) []func(changesInput) {
		return one(func(s changesInput) { change(s.BGPPeers["p"]) })
	}
	defaults := func(change func(*backends.BGPConfiguration)) []func(changesInput) {
		return one(func(s changesInput) { change(s.defaults()) })
	}
	pool := func(change func(*backends.IPPool)) []func(changesInput) {
		return one(func(s changesInput) { change(s.IPPools["pool"]) })
	}
	filter := func(change func(*backends.BGPFilter)) []func(changesInput) {
		return one(func(s changesInput) { change(s.BGPFilters["f"]) })
	}
	passwordOf := func(key string) *backends.SecretKeyRef { return &backends.SecretKeyRef{Name: "s", Key: key} }
	number := func(n uint32) *uint32 { return &n }
	minute := time.Minute
	reflector := func(id string) func(changesInput) {
		return func(s changesInput) {
			s.Nodes["node-1"].ClusterID = addr(id)
			s.BGPPeers["p"].ASNumber = 64512
		}
	}
	ranges := []netip.Prefix{net("10.96.0.0/16"), net("fd96::/112")}
	return map[string][]func(changesInput){
		"AS":             peer(func(p *backends.BGPPeer) { p.ASNumber = 64999 }),
		"local AS":       peer(func(p *backends.BGPPeer) { p.LocalASNumber = 64998 }),
		"equal local AS": peer(func(p *backends.BGPPeer) { p.LocalASNumber = 64512 }),
		"password": {func(s changesInput) { s.BGPPeers["p"].Password = passwordOf("k") },
			func(s changesInput) { s.BGPPeers["p"].Password = passwordOf("l") }},
		"no source":      peer(func(p *backends.BGPPeer) { p.NoSourceAddress = true }),
		"keepalive":      peer(func(p *backends.BGPPeer) { p.KeepaliveTime = &minute }),
		"restart time":   peer(func(p *backends.BGPPeer) { p.MaxRestartTime = &minute }),
		"hops":           peer(func(p *backends.BGPPeer) { p.TTLSecurity = 4 }),
		"allow local AS": peer(func(p *backends.BGPPeer) { p.NumAllowedLocalAS = number(3) }),
		"next hop self":  peer(func(p *backends.BGPPeer) { p.NextHopMode = backends.NextHopSelf }),
		"next hop keep":  peer(func(p *backends.BGPPeer) { p.KeepOriginalNextHop = true }),
		"next hop auto":  peer(func(p *backends.BGPPeer) { p.NextHopMode = backends.NextHopAuto }),
		"port":           peer(func(p *backends.BGPPeer) { p.Port = 1791 }),
		"no filter":      peer(func(p *backends.BGPPeer) { p.Filters = nil }),
		"gateway":        peer(func(p *backends.BGPPeer) { p.ReachableBy = addr("10.0.0.9") }),
		"peer gone":      one(func(s changesInput) { delete(s.BGPPeers, "p") }),
		"peer is a node": one(func(s changesInput) {
			s.Nodes["node-3"] = &backends.Node{Name: "node-3", IPv4: nodeAddress("10.0.0.50/24"), ASNumber: 64513, ClusterID: addr("2.2.2.2")}
		}),
		"another peer's name": one(func(s changesInput) {
			s.BGPPeers["q"] = s.BGPPeers["p"]
			s.BGPPeers["q"].Name = "q"
			delete(s.BGPPeers, "p")
		}),
		"local workload": one(func(s changesInput) {
			s.BGPPeers["w"] = &backends.BGPPeer{Name: "w", LocalWorkloadSelector: "all()", ASNumber: 64555}
			s.EndpointStatuses["e"] = &backends.EndpointStatus{Name: "e", Interface: "cali1", IPv4: addr("10.128.0.5"), BGPPeer: "w"}
		}),
		"import rule":    filter(func(f *backends.BGPFilter) { f.ImportV4[0].Accept = true }),
		"export rule":    filter(func(f *backends.BGPFilter) { f.ExportV4[0].Accept = true }),
		"peer type":      filter(func(f *backends.BGPFilter) { f.ExportV4[0].PeerType = backends.PeerExternal }),
		"unused rule":    filter(func(f *backends.BGPFilter) { f.ExportV6 = []backends.FilterRule{{Accept: true}} }),
		"no such filter": one(func(s changesInput) { delete(s.BGPFilters, "f") }),

		"mesh off":      defaults(func(c *backends.BGPConfiguration) { c.NodeToNodeMesh = new(bool) }),
		"mesh restart":  defaults(func(c *backends.BGPConfiguration) { c.NodeMeshMaxRestartTime = &minute }),
		"mesh password": defaults(func(c *backends.BGPConfiguration) { c.NodeMeshPassword = passwordOf("k") }),
		"listen port":   defaults(func(c *backends.BGPConfiguration) { c.ListenPort = 1179 }),
		"bind":          defaults(func(c *backends.BGPConfiguration) { c.BindNodeIP = true }),
		"cluster AS":    defaults(func(c *backends.BGPConfiguration) { c.ASNumber = 65001 }),
		"cluster AS, and a peer that keeps it": {func(s changesInput) { s.BGPPeers["p"].LocalASNumber = 64512 },
			func(s changesInput) { s.defaults().ASNumber = 65001 }},
		"IPv4 priority":      defaults(func(c *backends.BGPConfiguration) { c.IPv4NormalPriority = number(512) }),
		"IPv6 priority":      defaults(func(c *backends.BGPConfiguration) { c.IPv6NormalPriority = number(512) }),
		"ignored interfaces": defaults(func(c *backends.BGPConfiguration) { c.IgnoredInterfaces = []string{"y*"} }),
		"all routes":         defaults(func(c *backends.BGPConfiguration) { c.ProgramClusterRoutes = backends.RoutesEnabled }),
		"no routes":          defaults(func(c *backends.BGPConfiguration) { c.ProgramClusterRoutes = backends.RoutesDisabled }),
		"cluster IPs":        defaults(func(c *backends.BGPConfiguration) { c.ServiceClusterIPs = ranges }),
		"a service outside of the ranges": {func(s changesInput) { s.defaults().ServiceClusterIPs = ranges }, func(s changesInput) {
			for _, r := range []backends.Resource{
				&backends.Service{Namespace: "n", Name: "s", Type: "NodePort", ClusterIPs: []netip.Addr{addr("10.97.0.1")}, Local: true, IPv4: true},
				&backends.EndpointSlice{Namespace: "n", Name: "s-1", Service: "s", Ready: true, Nodes: []string{"node-1"}},
			} {
				s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
			}
		}},
		"external IPs": defaults(func(c *backends.BGPConfiguration) { c.ServiceExternalIPs = ranges }),
		"load balancer IPs": {func(s changesInput) { s.defaults().ServiceLoadBalancerIPs = ranges },
			func(s changesInput) { s.defaults().NoLoadBalancerAggregation = true }},
		"communities": {func(s changesInput) {
			s.defaults().PrefixAdvertisements = []backends.PrefixAdvertisement{{CIDR: net("10.128.0.0/16"), Communities: []string{"64512:1"}}}
		}, func(s changesInput) {
			s.defaults().PrefixAdvertisements = []backends.PrefixAdvertisement{{CIDR: net("10.128.0.0/16"), Communities: []string{"64512:2:3"}}}
		}},
		"logging": {func(s changesInput) { s.defaults().LogSeverity = "Debug" }, func(s changesInput) { s.defaults().LogSeverity = "Fatal" }},
		"own listen port": one(func(s changesInput) {
			s.BGPConfigurations["node.node-1"] = &backends.BGPConfiguration{Name: "node.node-1", ListenPort: 1180}
		}),
		"BGP's own port": one(func(s changesInput) {
			s.BGPConfigurations["node.node-1"] = &backends.BGPConfiguration{Name: "node.node-1", ListenPort: 179}
		}),
		"the other's listen port": one(func(s changesInput) {
			s.BGPConfigurations["node.node-2"] = &backends.BGPConfiguration{Name: "node.node-2", ListenPort: 1180}
		}),

		"node AS":     one(func(s changesInput) { s.Nodes["node-2"].ASNumber = 65002 }),
		"own AS":      one(func(s changesInput) { s.Nodes["node-1"].ASNumber = 65003 }),
		"node gone":   one(func(s changesInput) { delete(s.Nodes, "node-2") }),
		"own address": one(func(s changesInput) { s.Nodes["node-1"].IPv4 = nodeAddress("10.0.0.3/24") }),
		"own subnet":  one(func(s changesInput) { s.Nodes["node-1"].IPv4 = nodeAddress("10.0.0.1/16") }),
		"no IPv6":     one(func(s changesInput) { s.Nodes["node-1"].IPv6 = backends.NodeAddress{} }),
		"route reflector": {reflector("1.2.3.4"), reflector("1.2.3.5"),
			func(s changesInput) { s.defaults().ServiceExternalIPs = ranges }},
		"WireGuard": one(func(s changesInput) {
			s.Nodes["node-1"].WireguardIPv4, s.Nodes["node-2"].WireguardIPv4 = addr("10.9.0.1"), addr("10.9.0.2")
		}),

		"hidden pool":  pool(func(p *backends.IPPool) { p.DisableBGPExport = true }),
		"VXLAN":        pool(func(p *backends.IPPool) { p.VXLAN = backends.EncapAlways }),
		"IPIP":         pool(func(p *backends.IPPool) { p.IPIP = backends.EncapAlways }),
		"block size":   pool(func(p *backends.IPPool) { p.BlockSize = 28 }),
		"IPv6 pool":    one(func(s changesInput) { s.IPPools["six"] = &backends.IPPool{Name: "six", CIDR: net("fd10::/64")} }),
		"another pool": one(func(s changesInput) { s.IPPools["q"] = &backends.IPPool{Name: "q", CIDR: net("10.129.0.0/16")} }),
		"block": one(func(s changesInput) {
			s.BlockAffinities["c"] = &backends.BlockAffinity{Name: "c", Node: "node-1", CIDR: net("10.128.0.64/26")}
		}),
		"IPv6 block": one(func(s changesInput) {
			s.BlockAffinities["c"] = &backends.BlockAffinity{Name: "c", Node: "node-1", CIDR: net("fd10::/122")}
		}),
	}
}

// changesSettings are those that no resource has: what the environment says.
func changesSettings() map[string]settings.BGP {
	return map[string]settings.BGP{
		"router ID":      {RouterID: "9.9.9.9"},
		"same router ID": {RouterID: "10.0.0.1"},
		"log severity":   {LogSeverity: "debug"},
		"restart wait":   {RestartWait: time.Minute},
		"live migration": {LiveMigration: true},
		"cluster ranges": {ClusterIPs: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}},
	}
}

// changesSequence is what one case goes through, from the base to the base.
func changesSequence(steps []func(changesInput), own settings.BGP) []changesInput {
	all := []changesInput{changesState()}
	for n := range max(1, len(steps)) {
		next := changesState()
		next.bgp = own
		for _, step := range steps[:min(n+1, len(steps))] {
			step(next)
		}
		all = append(all, next)
	}
	return append(all, changesState())
}

// changesSequences are all cases, by name.
func changesSequences() map[string][]changesInput {
	all := map[string][]changesInput{}
	for name, steps := range changesCases() {
		all[name] = changesSequence(steps, settings.BGP{})
	}
	for name, own := range changesSettings() {
		all[name] = changesSequence(nil, own)
	}
	return all
}

// TestChangesLeaveNothingOut holds the cases against the model: each of its
// settings has two values in the course of some case.
func TestChangesLeaveNothingOut(t *testing.T) {
	changed := map[string]bool{}
	differ := func(kind string, a, b any) {
		x, y := reflect.ValueOf(a), reflect.ValueOf(b)
		for i := range x.NumField() {
			name := kind + "." + x.Type().Field(i).Name
			changed[name] = changed[name] || !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface())
		}
	}
	for _, sequence := range changesSequences() {
		var before *bgp.Config
		for _, input := range sequence {
			after := computed(t, input)
			if before != nil {
				differ("Config", *before, *after)
				for i, f := range after.Families() {
					was := before.Families()[i]
					differ("Family", *was, *f)
					differ("ExportPolicy", was.Export, f.Export)
					differ("KernelPolicy", was.Kernel, f.Kernel)
					for _, s := range f.Sessions {
						if j := slices.IndexFunc(was.Sessions, func(o *bgp.Session) bool { return o.Name == s.Name }); j >= 0 {
							differ("Session", *was.Sessions[j], *s)
						}
					}
				}
			}
			before = after
		}
	}
	// What makes the session's name has another session for each value; two are
	// what the configuration is for, and where blocks are from is so for good.
	fixed := []string{"Session.Name", "Session.Kind", "Session.Neighbor", "Session.PortInName", "Config.Node", "Config.PodCIDRs", "Family.Version"}
	for name, yes := range changed {
		if yes == slices.Contains(fixed, name) {
			t.Errorf("%s: changed in some case: %t", name, yes)
		}
	}
}
