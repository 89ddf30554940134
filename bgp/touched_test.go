package bgp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTouched(t *testing.T) {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	// The mesh session is with a neighbor in the node's own network, the other one
	// is not.
	base := func() *Config {
		c := changesConfig()
		c.IPv4.Sessions[1].Name, c.IPv4.Sessions[1].Neighbor = "Node_192_0_2_3", addr("192.0.2.3")
		return c
	}
	const near, far, six = "Mesh_10_0_0_2", "Node_192_0_2_3", "Mesh_fd00__2"
	added := func(neighbor string) func(*Config) {
		return func(c *Config) {
			c.IPv4.Sessions = append(c.IPv4.Sessions, &Session{Name: "Node_" + neighbor, Neighbor: addr(neighbor), Port: 1790})
			slices.SortFunc(c.IPv4.Sessions, func(a, b *Session) int { return a.Neighbor.Compare(b.Neighbor) })
		}
	}
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
		named  []string // where only the changes are known, if that is another list
	}{
		"nothing":                  {change: func(*Config) {}},
		"logging":                  {change: func(c *Config) { c.LogLevel = LogAll }},
		"interfaces":               {change: func(c *Config) { c.Interfaces = []string{"*"} }, want: []string{near, far, six}},
		"the AS number":            {change: func(c *Config) { c.ASNumber++ }, want: []string{near, far, six}},
		"router ID, all restarted": {change: func(c *Config) { c.RouterID = addr("10.0.0.9") }},
		"kernel":                   {change: func(c *Config) { c.IPv4.Kernel.RejectNextHops = []netip.Addr{addr("10.0.0.7")} }, want: []string{near, far}},
		"export":                   {change: func(c *Config) { c.IPv6.Export.RejectTunnel = true }, want: []string{six}},
		"an import filter":         {change: func(c *Config) { c.IPv4.Sessions[0].Import = []FilterCall{{Filter: "g"}} }, want: []string{near, far}},
		"rules of an import":       {change: func(c *Config) { c.Filters[0].ImportV4[0].Accept = false }, want: []string{far}},
		"an export filter":         {change: func(c *Config) { c.IPv4.Sessions[0].Export = []FilterCall{{Filter: "g"}} }, want: []string{near}, named: []string{near, far}},
		"a session remade":         {change: func(c *Config) { c.IPv4.Sessions[0].Password = "new" }, want: []string{far}},
		"a session added":          {change: added("10.0.0.5"), want: []string{far}},
		"one of the same neighbor": {change: added("10.0.0.2"), want: []string{near, far}},
		"a session removed":        {change: func(c *Config) { c.IPv4.Sessions = c.IPv4.Sessions[1:] }, want: []string{far}},
		"a far one removed":        {change: func(c *Config) { c.IPv4.Sessions = c.IPv4.Sessions[:1] }},
		"of the other family":      {change: func(c *Config) { c.IPv6.Sessions = nil }},
		"a blackhole over one": {change: func(c *Config) {
			c.IPv4.Statics = append(c.IPv4.Statics, StaticRoute{Net: net("192.0.2.0/26")})
		}, want: []string{far}},
		"a blackhole elsewhere": {change: func(c *Config) {
			c.IPv4.Statics = append(c.IPv4.Statics, StaticRoute{Net: net("198.51.100.0/26")})
		}},
		"a static that went": {change: func(c *Config) { c.IPv4.Statics = c.IPv4.Statics[:1] }},
		"no network of its own": {change: func(c *Config) {
			c.IPv4.Subnet = netip.Prefix{}
			c.IPv4.Kernel = KernelPolicy{}
			c.IPv4.Sessions = c.IPv4.Sessions[1:]
		}, want: []string{far}},
	} {
		t.Run(name, func(t *testing.T) {
			old, new := base(), base()
			test.change(new)
			c := Compare(old, new, 2)
			if diff := cmp.Diff(test.want, Touched(old, new, c), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s", c, diff)
			}
			if test.named == nil {
				test.named = test.want
			}
			if diff := cmp.Diff(test.named, Touched(nil, new, c), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("by the changes alone: %s: %s", c, diff)
			}
		})
	}
}

func TestParseSessionName(t *testing.T) {
	for _, a := range []string{"10.0.0.2", "fd00::2", "::1", "1:2:3:4:5:6:7:8", "2001:db8::", "1::2"} {
		for _, test := range []struct {
			kind  SessionKind
			port  string
			wants uint16
		}{{MeshSession, "", 0}, {NodeSession, "", 179}, {LocalWorkloadSession, "", 179}, {GlobalSession, "_port_1790", 1790}} {
			name := string(test.kind) + "_" + strings.NewReplacer(".", "_", ":", "_").Replace(a) + test.port
			kind, neighbor, port, ok := ParseSessionName(name)
			if !ok || kind != test.kind || neighbor.String() != a || port != test.wants {
				t.Errorf("%s was read as %s, %s, %d, %t", name, kind, neighbor, port, ok)
			}
		}
	}
	for _, name := range []string{"uplink", "Mesh_of_mine", "Mesh_1_2_3_4_5", "mesh_10_0_0_2", "Node_"} {
		if _, _, _, ok := ParseSessionName(name); ok {
			t.Errorf("%s was taken for one of the model's", name)
		}
	}
}
