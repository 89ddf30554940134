package bgp

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

// changesConfig is a configuration in which everything that Compare looks at is
// set. Each call makes a new one.
func changesConfig() *Config {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	number := func(n uint32) *uint32 { return &n }
	return &Config{
		Node: "node-1", RouterID: addr("10.0.0.1"), ASNumber: 64512, LogLevel: LogStates, Interfaces: []string{"-cali*", "*"},
		IPv4: Family{
			Version: 4, Address: addr("10.0.0.1"), Subnet: net("10.0.0.0/24"), NormalPriority: 1024,
			Sessions: []*Session{
				{Name: "Mesh_10_0_0_2", Neighbor: addr("10.0.0.2"), AS: 64512, LocalAS: 64512, Internal: true, Source: addr("10.0.0.1"), Reason: Reason{Text: "mesh"}},
				{Name: "Node_10_0_0_3", Neighbor: addr("10.0.0.3"), Port: 1179, AS: 64513, LocalAS: 64512, Password: "one", RRClient: true, ClusterID: addr("1.1.1.1"),
					AllowLocalAS: number(2), Import: []FilterCall{{Filter: "f"}}, Export: []FilterCall{{Filter: "f"}}},
			},
			Statics: []StaticRoute{{Net: net("10.1.0.0/26")}, {Net: net("10.0.9.9/32"), Via: addr("10.0.0.7")}},
			Export:  ExportPolicy{Blocks: []netip.Prefix{net("10.1.0.0/26")}, Pools: []Pool{{Name: "p", CIDR: net("10.1.0.0/16")}}},
			Kernel:  KernelPolicy{Pools: []PoolRoutes{{Pool: Pool{CIDR: net("10.1.0.0/16")}, Action: PoolCrossSubnet}}},
		},
		IPv6: Family{
			Version: 6, Address: addr("fd00::1"), NormalPriority: 1024,
			Sessions: []*Session{{Name: "Mesh_fd00__2", Neighbor: addr("fd00::2"), AS: 64512, LocalAS: 64512, Internal: true, Export: []FilterCall{{Filter: "f"}}}},
		},
		Filters: []*backends.BGPFilter{{Name: "f", ImportV4: []backends.FilterRule{{Accept: true}}, ExportV4: []backends.FilterRule{{}}, ExportV6: []backends.FilterRule{{}}}},
	}
}

func TestChangesOfOneThing(t *testing.T) {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	number := func(n uint32) *uint32 { return &n }
	const nothing = "no change of meaning"
	session := func(change func(*Session)) func(*Config) { return func(c *Config) { change(c.IPv4.Sessions[1]) } }
	const restarted = "1 session restarted"
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
		want1  string // for BIRD 1, where it differs
	}{
		"nothing":            {change: func(*Config) {}, want: nothing},
		"neighbor":           {session(func(s *Session) { s.Neighbor = addr("10.0.0.4") }), restarted, ""},
		"AS":                 {session(func(s *Session) { s.AS++ }), restarted, ""},
		"local AS":           {session(func(s *Session) { s.LocalAS++ }), restarted, ""},
		"password":           {session(func(s *Session) { s.Password = "two" }), restarted, ""},
		"source":             {session(func(s *Session) { s.Source = addr("10.0.0.1") }), restarted, ""},
		"port":               {session(func(s *Session) { s.Port = 1180 }), restarted, ""},
		"its usual port":     {func(c *Config) { c.IPv4.Sessions[0].Port = 179 }, nothing, ""},
		"passive":            {session(func(s *Session) { s.Passive = true }), restarted, ""},
		"hops":               {session(func(s *Session) { s.TTLHops = 3 }), restarted, ""},
		"no client":          {session(func(s *Session) { s.RRClient = false }), restarted, ""},
		"cluster ID":         {session(func(s *Session) { s.ClusterID = addr("2.2.2.2") }), restarted, ""},
		"allow local AS":     {session(func(s *Session) { s.AllowLocalAS = nil }), restarted, ""},
		"equal number":       {session(func(s *Session) { s.AllowLocalAS = number(2) }), nothing, ""},
		"restart time":       {session(func(s *Session) { s.GracefulRestartTime = number(60) }), restarted, ""},
		"usual restart time": {session(func(s *Session) { s.GracefulRestartTime = number(120) }), nothing, ""},
		"keepalive":          {session(func(s *Session) { s.KeepaliveTime = number(20) }), restarted, ""},
		"next hop":           {session(func(s *Session) { s.NextHop = NextHopSelf }), "1 session refiltered", restarted},
		"fewer filters":      {session(func(s *Session) { s.Import = nil }), "1 session refiltered", ""},
		"reason": {session(func(s *Session) {
			s.Reason, s.PeerNode, s.PeerClusterID, s.NextHopMode = Reason{Text: "other", Reverse: true}, "n", addr("3.3.3.3"), backends.NextHopAuto
		}), nothing, ""},
		"name":                {session(func(s *Session) { s.Name = "Node_10_0_0_9" }), "1 session added, 1 session removed", ""},
		"both":                {session(func(s *Session) { s.Import, s.AS = nil, 1 }), restarted, ""},
		"import rules":        {func(c *Config) { c.Filters[0].ImportV4[0].Accept = false }, "1 session refiltered", ""},
		"rules of one family": {func(c *Config) { c.Filters[0].ExportV6[0].RemotePeers = true }, "1 session refiltered", ""},
		"rules nobody uses":   {func(c *Config) { c.Filters[0].ImportV6 = []backends.FilterRule{{}} }, nothing, ""},
		"router ID":           {func(c *Config) { c.RouterID = addr("9.9.9.9") }, "3 sessions restarted, router ID changed", ""},
		"listen port":         {func(c *Config) { c.IPv4.ListenPort = 1179 }, "2 sessions restarted, listening changed", "listening changed"},
		"BGP's own port":      {func(c *Config) { c.IPv4.ListenPort = 179 }, nothing, ""},
		"listen address":      {func(c *Config) { c.IPv4.ListenAddress = addr("10.0.0.1") }, "1 session restarted, listening changed", "listening changed"},
		"priority":            {func(c *Config) { c.IPv4.NormalPriority++ }, "2 sessions refiltered, IPv4 kernel policy changed", ""},
		"pool":                {func(c *Config) { c.IPv6.Export.Pools = []Pool{{CIDR: net("fd10::/48")}} }, "1 session refiltered", ""},
		"name of a pool":      {func(c *Config) { c.IPv4.Export.Pools[0].Name, c.IPv4.Kernel.Pools[0].Text = "q", "because" }, nothing, ""},
		"subnet":              {func(c *Config) { c.IPv4.Subnet = net("10.0.0.0/16") }, "IPv4 kernel policy changed", ""},
		"kernel":              {func(c *Config) { c.IPv6.Kernel.RejectNextHops = []netip.Addr{addr("fd00::9")} }, "IPv6 kernel policy changed", ""},
		"logging":             {func(c *Config) { c.LogLevel = LogAll }, "logging changed", ""},
		"block": {func(c *Config) {
			c.IPv4.Statics = append(c.IPv4.Statics, StaticRoute{Net: net("10.1.0.64/26")})
			c.IPv4.Export.Blocks = []netip.Prefix{net("10.1.0.0/26"), net("10.1.0.64/26")}
		}, "2 sessions refiltered, 1 IPv4 static route gained, 1 IPv4 block gained", ""},
		"gateway":          {func(c *Config) { c.IPv4.Statics[1].Via = addr("10.0.0.8") }, "1 IPv4 static route gained, 1 IPv4 static route lost", ""},
		"reason of routes": {func(c *Config) { c.IPv4.Statics[1].Reason.Text = "other" }, nothing, ""},
	} {
		t.Run(name, func(t *testing.T) {
			new := changesConfig()
			test.change(new)
			for _, bird := range []int{1, 2, 3} {
				want := test.want
				if bird == 1 && test.want1 != "" {
					want = test.want1
				}
				got := Compare(changesConfig(), new, bird)
				if got.String() != want || got.Empty() != (want == nothing) {
					t.Errorf("BIRD %d: got %q, empty %t, want %q", bird, got, got.Empty(), want)
				}
			}
		})
	}
}

// A neighbor is asked for its routes again where they are taken otherwise, and loses its
// session where it cannot send them.
func TestReasked(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"fewer filters":   {func(c *Config) { c.IPv4.Sessions[1].Import = nil }, []string{"Node_10_0_0_3"}},
		"import rules":    {func(c *Config) { c.Filters[0].ImportV4[0].Accept = false }, []string{"Node_10_0_0_3"}},
		"fewer exports":   {func(c *Config) { c.IPv4.Sessions[1].Export = nil }, nil},
		"priority":        {func(c *Config) { c.IPv4.NormalPriority++ }, []string{"Mesh_10_0_0_2", "Node_10_0_0_3"}},
		"pool":            {func(c *Config) { c.IPv4.Export.Pools = nil }, nil},
		"another AS, too": {func(c *Config) { c.IPv4.Sessions[1].Import, c.IPv4.Sessions[1].AS = nil, 1 }, nil},
	} {
		new := changesConfig()
		test.change(new)
		got := Compare(changesConfig(), new, 2)
		if !slices.Equal(got.Reasked, test.want) {
			t.Errorf("%s: %q, want %q", name, got.Reasked, test.want)
		}
		other := Compare(changesConfig(), new, 2)
		other.WithoutRefresh(func(session string) bool { return session == "Node_10_0_0_3" })
		if !slices.Contains(test.want, "Node_10_0_0_3") {
			if diff := cmp.Diff(got, other, compareAddresses()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			continue
		}
		for _, list := range [][]string{other.Refiltered, other.Reasked, other.Reimporting} {
			if slices.Contains(list, "Node_10_0_0_3") {
				t.Errorf("%s: %+v", name, other)
			}
		}
		if !slices.Equal(other.Restarted, []string{"Node_10_0_0_3"}) || len(got.Refiltered) != len(other.Refiltered)+1 {
			t.Errorf("%s: %+v, before %+v", name, other, got)
		}
	}
}

// Sessions that are the very same ones in both are compared at less cost, and alike.
func TestChangesAroundTheVerySameSessions(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"nothing":        func(*Config) {},
		"router ID":      func(c *Config) { c.RouterID = c.RouterID.Next() },
		"listen address": func(c *Config) { c.IPv4.ListenAddress = c.IPv4.Address },
		"listen port":    func(c *Config) { c.IPv4.ListenPort = 1179 },
		"block":          func(c *Config) { c.IPv4.Export.Blocks = nil },
		"priority":       func(c *Config) { c.IPv4.NormalPriority++ },
		"import rules":   func(c *Config) { c.Filters[0].ImportV4[0].Accept = false },
	} {
		for _, bird := range []int{1, 2} {
			old, shared, fresh := changesConfig(), changesConfig(), changesConfig()
			shared.IPv4.Sessions, shared.IPv6.Sessions = old.IPv4.Sessions, old.IPv6.Sessions
			change(shared)
			change(fresh)
			if diff := cmp.Diff(Compare(old, fresh, bird), Compare(old, shared, bird), compareAddresses()); diff != "" {
				t.Errorf("%s, BIRD %d: %s", name, bird, diff)
			}
		}
	}
}

func TestChangesFromAndToNothing(t *testing.T) {
	all := []string{"Mesh_10_0_0_2", "Node_10_0_0_3", "Mesh_fd00__2"}
	first := Compare(nil, changesConfig(), 2)
	if diff := cmp.Diff(all, first.Added); diff != "" {
		t.Error(diff)
	}
	empty := &Config{IPv4: Family{Version: 4}, IPv6: Family{Version: 6}}
	last := Compare(changesConfig(), empty, 2)
	if diff := cmp.Diff(all, last.Removed); diff != "" || len(last.Families[0].StaticsLost) != 2 || len(last.Families[0].BlocksLost) != 1 {
		t.Errorf("%s%+v", diff, last.Families)
	}
}
