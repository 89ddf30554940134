package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, prefix(p))
	}
	return out
}

func addresses(s ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range s {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func statics(c *Config) []string {
	var out []string
	for _, f := range c.Families() {
		for _, r := range f.Statics {
			text := r.Net.String()
			if r.Via.IsValid() {
				text += " via " + r.Via.String()
			}
			out = append(out, text)
		}
	}
	return out
}

func TestBlocks(t *testing.T) {
	block := func(node, cidr, state string) *backends.BlockAffinity {
		return &backends.BlockAffinity{Name: node + "/" + cidr, Node: node, CIDR: prefix(cidr), State: state}
	}
	gone := block("n1", "10.5.0.0/26", "confirmed")
	gone.Deleted = true
	c := compute(t, stateOf(node("n1", "10.0.0.1/8", ""), meshOff(),
		block("n1", "10.2.0.0/26", "confirmed"), block("n1", "10.1.0.0/26", ""), block("n1", "10.3.0.0/26", "pending"), block("n1", "10.4.0.1/32", ""),
		block("n1", "10.6.0.0/26", "pendingDeletion"), block("n10", "10.7.0.0/26", ""), block("n1", "fd01::/122", ""), gone,
		&backends.BGPPeer{Name: "far", PeerIP: netip.MustParseAddr("10.9.9.9"), ASNumber: 1, ReachableBy: netip.MustParseAddr("10.0.0.254")},
		node("far", "10.8.0.1/24", "", "far=yes"),
		&backends.BGPPeer{Name: "nodes", Node: "n1", PeerSelector: "has(far)", ReachableBy: netip.MustParseAddr("10.0.0.254")},
	), "n1")
	if diff := cmp.Diff([]string{"10.1.0.0/26", "10.2.0.0/26", "10.6.0.0/26", "10.8.0.1/32 via 10.0.0.254", "10.9.9.9/32 via 10.0.0.254", "fd01::/122"}, statics(c)); diff != "" {
		t.Error("static routes:\n" + diff)
	}
	if diff := cmp.Diff(prefixes("10.1.0.0/26", "10.2.0.0/26", "10.4.0.1/32"), c.IPv4.Export.Blocks, compareAddresses()); diff != "" {
		t.Error("exported blocks:\n" + diff)
	}
}

func TestPools(t *testing.T) {
	pool := func(name, cidr string, ipip, vxlan backends.Encapsulation) *backends.IPPool {
		return &backends.IPPool{Name: name, CIDR: prefix(cidr), IPIP: ipip, VXLAN: vxlan}
	}
	hidden := pool("hidden", "10.5.0.0/16", "", "")
	hidden.DisableBGPExport = true
	pools := []backends.Resource{
		pool("plain", "10.4.0.0/16", "", backends.EncapNever), pool("always", "10.1.0.0/16", backends.EncapAlways, ""),
		pool("cross", "10.2.0.0/16", backends.EncapCrossSubnet, ""), pool("vxlan", "10.3.0.0/16", "", backends.EncapAlways), hidden,
		pool("six", "fd01::/64", "", ""),
	}
	tests := []struct {
		routes   backends.ClusterRoutes
		kernel   string
		tunnel   bool // BIRD programs tunl0
		problems int  // Felix programs IPIP by default
	}{
		{"", "reject reject reject accept accept | accept", false, 0},
		{backends.RoutesEnabled, "tunnel cross-subnet reject accept accept | accept", true, 2},
		{backends.RoutesEnabledIPIPOnly, "tunnel cross-subnet reject reject reject | reject", true, 5},
		{backends.RoutesDisabled, "reject reject reject reject reject | reject", false, 3},
	}
	for _, tt := range tests {
		d := meshOff()
		d.ProgramClusterRoutes = tt.routes
		c := compute(t, stateOf(append(pools, d, node("n1", "10.0.0.1/24", ""))...), "n1")
		var actions []string
		for i, f := range c.Families() {
			if i > 0 {
				actions = append(actions, "|")
			}
			for _, p := range f.Kernel.Pools {
				actions = append(actions, string(p.Action))
			}
		}
		if got := strings.Join(actions, " "); got != tt.kernel {
			t.Errorf("%s: kernel pools %q, want %q", tt.routes, got, tt.kernel)
		}
		if c.IPv4.Export.RejectTunnel == tt.tunnel {
			t.Errorf("%s: RejectTunnel is %v", tt.routes, c.IPv4.Export.RejectTunnel)
		}
		if _, needs := c.NeedsTunnel(); needs != tt.tunnel {
			t.Errorf("%s: NeedsTunnel is %v", tt.routes, needs)
		}
		if len(c.Problems) != tt.problems {
			t.Errorf("%s: problems %q, want %d", tt.routes, problemTexts(c), tt.problems)
		}
		if got := fmt.Sprint(c.IPv4.Export.RejectPools, len(c.IPv4.Export.Pools)); got != "[{hidden 10.5.0.0/16}] 4" {
			t.Errorf("%s: exported pools: %s", tt.routes, got)
		}
	}
	c := compute(t, stateOf(append(pools, node("n1", "", "fd00::1/64"))...), "n1")
	if len(c.IPv4.Kernel.Pools) != 0 || len(c.IPv6.Kernel.Pools) != 1 {
		t.Errorf("without IPv4: kernel pools %v, %v", c.IPv4.Kernel.Pools, c.IPv6.Kernel.Pools)
	}
}

// TestFelixRoutes: a node's own FelixConfiguration wins where it says something.
func TestFelixRoutes(t *testing.T) {
	felix := func(name string, routes backends.ClusterRoutes) *backends.FelixConfiguration {
		return &backends.FelixConfiguration{Name: name, ProgramClusterRoutes: routes}
	}
	d := meshOff()
	d.ProgramClusterRoutes = backends.RoutesDisabled
	bare := []backends.Resource{
		d, node("n1", "10.0.0.1/24", ""), &backends.IPPool{Name: "plain", CIDR: prefix("10.4.0.0/16")},
		&backends.IPPool{Name: "ipip", CIDR: prefix("10.5.0.0/16"), IPIP: backends.EncapAlways}, &backends.IPPool{Name: "vxlan", CIDR: prefix("10.6.0.0/16"), VXLAN: backends.EncapAlways},
	}
	tests := []struct {
		name   string
		felix  []backends.Resource
		want   backends.ClusterRoutes
		theirs string // the pools that Felix programs; BIRD programs none
	}{
		{"none", nil, backends.RoutesEnabledIPIPOnly, "ipip vxlan"},
		{"default alone", []backends.Resource{felix("default", backends.RoutesEnabledNoEncapOnly)}, backends.RoutesEnabledNoEncapOnly, "plain vxlan"},
		{"the node's alone", []backends.Resource{felix("node.n1", backends.RoutesDisabled)}, backends.RoutesDisabled, "vxlan"},
		{"the node's before default", []backends.Resource{felix("node.n1", backends.RoutesEnabled), felix("default", backends.RoutesDisabled)}, backends.RoutesEnabled, "ipip plain vxlan"},
		{"the node's says nothing", []backends.Resource{felix("node.n1", ""), felix("default", backends.RoutesEnabled)}, backends.RoutesEnabled, "ipip plain vxlan"},
		{"neither says anything", []backends.Resource{felix("node.n1", ""), felix("default", "")}, backends.RoutesEnabledIPIPOnly, "ipip vxlan"},
		{"another node's", []backends.Resource{felix("node.n10", backends.RoutesDisabled), felix("n1", backends.RoutesDisabled)}, backends.RoutesEnabledIPIPOnly, "ipip vxlan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(append(slices.Clone(bare), tt.felix...)...)
			if got := FelixRoutes(s, "n1"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			var theirs []string
			left := map[string]bool{}
			for _, p := range compute(t, s, "n1").Problems {
				left[p.Object.Name] = left[p.Object.Name] || p.Code == CodePoolRoutes
			}
			for _, name := range slices.Sorted(maps.Keys(s.IPPools)) {
				programs := FelixPrograms(s, "n1", s.IPPools[name])
				if programs {
					theirs = append(theirs, name)
				}
				if left[name] == programs {
					t.Errorf("%s: nobody programs its routes: %v, Felix programs them: %v", name, left[name], programs)
				}
			}
			if got := strings.Join(theirs, " "); got != tt.theirs {
				t.Errorf("Felix programs %q, want %q", got, tt.theirs)
			}
		})
	}
}

func TestCommunities(t *testing.T) {
	d := meshOff()
	d.Communities = []backends.NamedCommunity{{Name: "c", Value: backends.Community{A: 100, B: 1}}}
	d.PrefixAdvertisements = []backends.PrefixAdvertisement{
		{CIDR: prefix("10.2.0.0/16"), Communities: []string{"100:1:2", "c", "100:1", "typo"}}, {CIDR: prefix("fd00::/64"), Communities: []string{"c"}},
	}
	s := stateOf(d, node("n1", "10.0.0.1/24", ""), node("n2", "10.0.0.2/24", ""),
		&backends.BGPConfiguration{
			Name: "node.n2", PrefixAdvertisements: []backends.PrefixAdvertisement{{CIDR: prefix("10.3.0.0/16"), Communities: []string{"c", "own", "100:1"}}},
			Communities: []backends.NamedCommunity{{Name: "own", Value: backends.Community{A: 100, B: 2}}, {Name: "own", Value: backends.Community{A: 100, B: 3}}},
		}, node("n3", "10.0.0.3/24", ""), &backends.BGPConfiguration{Name: "node.n3", PrefixAdvertisements: []backends.PrefixAdvertisement{}})
	c := compute(t, s, "n1")
	if got := fmt.Sprint(c.IPv4.Export.Communities, c.IPv6.Export.Communities); got != "[{10.2.0.0/16 [100:1 100:1:2]}] [{fd00::/64 [100:1]}]" {
		t.Error(got)
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, `"typo"`) {
		t.Errorf("problems: %q", problemTexts(c))
	}
	c = compute(t, s, "n2")
	if got := fmt.Sprint(c.IPv4.Export.Communities); got != "[{10.3.0.0/16 [100:1 100:2]}]" {
		t.Error(got)
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, `"c" is neither`) {
		t.Errorf("problems: %q", problemTexts(c))
	}
	if got := compute(t, s, "n3").IPv4.Export.Communities; len(got) != 0 {
		t.Errorf("an empty list does not override: %v", got)
	}
}

func TestWireguard(t *testing.T) {
	n1, n2, n3 := node("n1", "10.0.0.1/24", ""), node("n2", "10.0.0.2/24", ""), node("n3", "10.0.0.3/24", "")
	n1.WireguardIPv4, n2.WireguardIPv4 = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")
	s := stateOf(n1, n2, n3)
	if got := fmt.Sprint(compute(t, s, "n1").IPv4.Kernel.RejectNextHops); got != "[10.0.0.2]" {
		t.Error(got)
	}
	if got := compute(t, s, "n3").IPv4.Kernel.RejectNextHops; got != nil {
		t.Error(got)
	}
}

func TestServices(t *testing.T) {
	service := func(name string, change func(*backends.Service)) *backends.Service {
		s := &backends.Service{Namespace: "ns", Name: name, Type: "LoadBalancer", IPv4: true, ClusterIPs: addresses("10.96.0.1")}
		change(s)
		return s
	}
	slice := func(service, name string, six, ready bool, nodes ...string) *backends.EndpointSlice {
		return &backends.EndpointSlice{Namespace: "ns", Name: name, Service: service, IPv6: six, Ready: ready, Nodes: nodes}
	}
	ranges := func() *backends.BGPConfiguration {
		d := meshOff()
		d.ServiceClusterIPs, d.ServiceExternalIPs, d.ServiceLoadBalancerIPs = prefixes("10.96.0.0/12", "fd96::/112"), prefixes("192.0.2.0/24", "198.51.100.7/32"), prefixes("203.0.113.0/24")
		return d
	}
	noAggregation := func() *backends.BGPConfiguration {
		d := ranges()
		d.NoLoadBalancerAggregation = true
		return d
	}
	local := func(s *backends.Service) {
		s.Local, s.ExternalIPs, s.LoadBalancerIPs = true, addresses("192.0.2.5", "9.9.9.9"), addresses("203.0.113.9")
	}
	always := []string{"10.96.0.0/12", "192.0.2.0/24", "203.0.113.0/24", "fd96::/112"}
	tests := []struct {
		name      string
		resources []backends.Resource
		want      []string
	}{
		{"ranges alone", []backends.Resource{ranges()}, always},
		{
			"local with an endpoint here, in one of two slices",
			[]backends.Resource{ranges(), service("a", local), slice("a", "x", false, true, "n2"), slice("a", "other-name", false, true, "n1", "n3")},
			[]string{"10.96.0.0/12", "10.96.0.1/32", "192.0.2.0/24", "192.0.2.5/32", "203.0.113.0/24", "203.0.113.9/32", "fd96::/112"},
		},
		{"local with endpoints elsewhere", []backends.Resource{ranges(), service("a", local), slice("a", "x", false, true, "n2")}, always},
		{"local with an endpoint of another family", []backends.Resource{ranges(), service("a", local), slice("a", "x", true, true, "n1")}, always},
		{
			"cluster, with an address that the configuration names by itself",
			[]backends.Resource{ranges(), service("a", func(s *backends.Service) { s.ExternalIPs = addresses("198.51.100.7") }), slice("a", "x", false, false)},
			[]string{"10.96.0.0/12", "10.96.0.1/32", "192.0.2.0/24", "198.51.100.7/32", "203.0.113.0/24", "fd96::/112"},
		},
		{
			"cluster, with such an address, and no slice",
			[]backends.Resource{ranges(), service("a", func(s *backends.Service) { s.ExternalIPs = addresses("198.51.100.7") })},
			always,
		},
		{"cluster, aggregated", []backends.Resource{ranges(), service("a", func(s *backends.Service) {}), slice("a", "x", false, true, "n1")}, always},
		{
			"cluster, without aggregation",
			[]backends.Resource{noAggregation(), service("a", func(s *backends.Service) { s.LoadBalancerIPs = addresses("203.0.113.9") }), slice("a", "x", false, true)},
			[]string{"10.96.0.0/12", "10.96.0.1/32", "192.0.2.0/24", "203.0.113.9/32", "fd96::/112"},
		},
		{
			"without aggregation or endpoints",
			[]backends.Resource{noAggregation(), service("a", func(s *backends.Service) {}), slice("a", "x", false, false)},
			[]string{"10.96.0.0/12", "192.0.2.0/24", "fd96::/112"},
		},
		{
			"headless, and ExternalName",
			[]backends.Resource{
				ranges(), slice("a", "x", false, true, "n1"), slice("b", "x", false, true, "n1"),
				service("a", func(s *backends.Service) { s.Local, s.ClusterIPs = true, nil }), service("b", func(s *backends.Service) { s.Local, s.Type = true, "ExternalName" }),
			},
			always,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := compute(t, stateOf(append(tt.resources, node("n1", "10.0.0.1/24", ""))...), "n1")
			if diff := cmp.Diff(tt.want, statics(c)); diff != "" {
				t.Error(diff)
			}
			if got := len(c.IPv4.Kernel.RejectServices); got != 3 {
				t.Errorf("the kernel rejects %d IPv4 ranges, want 3", got)
			}
		})
	}
	t.Run("a node that is excluded advertises nothing", func(t *testing.T) {
		n := node("n1", "10.0.0.1/24", "", ExcludeLabel+"=true")
		c := compute(t, stateOf(ranges(), n, service("a", local), slice("a", "x", false, true, "n1")), "n1")
		if len(statics(c)) != 0 || len(c.IPv4.Kernel.RejectServices) != 3 {
			t.Errorf("statics %v, kernel rejects %v", statics(c), c.IPv4.Kernel.RejectServices)
		}
	})
	t.Run("an address of two Services goes with the last one", func(t *testing.T) {
		s := stateOf(ranges(), node("n1", "10.0.0.1/24", ""), service("a", local), service("b", local), slice("a", "x", false, true, "n1"), slice("b", "y", false, true, "n1"))
		for _, name := range []string{"a", "b"} {
			if !strings.Contains(fmt.Sprint(statics(compute(t, s, "n1"))), "192.0.2.5/32") {
				t.Error("the address is gone while a Service has it")
			}
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindService, Namespace: "ns", Name: name}})
		}
		if strings.Contains(fmt.Sprint(statics(compute(t, s, "n1"))), "192.0.2.5/32") {
			t.Error("the address is still there")
		}
	})
}
