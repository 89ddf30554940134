package bgp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
)

// TestCovering has routes of node n1 cover what it must reach. It is 10.77.0.1 in
// 10.77.0.0/24.
func TestCovering(t *testing.T) {
	block := func(cidr string) func(*backends.State) {
		return func(s *backends.State) {
			set(s, &backends.BlockAffinity{Name: "b", Node: "n1", CIDR: netip.MustParsePrefix(cidr), State: "confirmed"})
		}
	}
	services := func(cidr string) func(*backends.State) {
		return func(s *backends.State) {
			set(s, &backends.BGPConfiguration{Name: "default", ServiceExternalIPs: []netip.Prefix{netip.MustParsePrefix(cidr)}})
		}
	}
	all := func(changes ...func(*backends.State)) func(*backends.State) {
		return func(s *backends.State) {
			for _, c := range changes {
				c(s)
			}
		}
	}
	peerAt := func(p *backends.BGPPeer) func(*backends.State) {
		return func(s *backends.State) { p.Name = "p"; set(s, p) }
	}
	for name, test := range map[string]struct {
		change  func(*backends.State)
		options Options
		statics []string
		problem string
	}{
		"elsewhere":    {change: block("10.128.0.0/26"), statics: []string{"10.128.0.0/26"}},
		"no addresses": {change: all(block("10.77.0.64/26"), services("10.77.0.128/25")), statics: []string{"10.77.0.64/26", "10.77.0.128/25"}},
		"a block over nodes": {change: block("10.77.0.0/26"),
			problem: "the blackhole route for 10.77.0.0/26 is left out: it would cut this node off from node n2, 10.77.0.2"},
		"services over nodes, besides a block": {change: all(block("10.128.0.0/26"), services("10.77.0.0/25")), statics: []string{"10.128.0.0/26"},
			problem: "10.77.0.0/25 is left out: it would cut this node off from node n2"},
		"no longer than its own network": {change: services("10.77.0.0/16"), statics: []string{"10.77.0.0/16"}},
		"but over a node elsewhere": {change: all(services("10.77.0.0/16"), func(s *backends.State) {
			set(s, &backends.Node{Name: "n9", IPv4: at("10.77.5.9")})
		}), problem: "node n9, 10.77.5.9"},
		"without a network": {change: all(services("10.77.0.0/16"), func(s *backends.State) {
			set(s, &backends.Node{Name: "n1", IPv4: at("10.77.0.1")})
		}), problem: "node n2, 10.77.0.2"},
		"one address": {change: all(services("10.77.0.0/16"), func(s *backends.State) {
			set(s, &backends.Service{Namespace: "n", Name: "s", Type: "ClusterIP", IPv4: true, Local: true,
				ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}, ExternalIPs: []netip.Addr{netip.MustParseAddr("10.77.0.2")}})
			set(s, &backends.EndpointSlice{Namespace: "n", Name: "e", Service: "s", Ready: true, Nodes: []string{"n1"}})
		}), statics: []string{"10.77.0.0/16"}, problem: "the blackhole route for 10.77.0.2/32 is left out"},
		"this node's own address": {change: all(services("10.77.0.0/16"), func(s *backends.State) {
			set(s, &backends.Service{Namespace: "n", Name: "s", Type: "ClusterIP", IPv4: true, Local: true,
				ClusterIPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}, ExternalIPs: []netip.Addr{netip.MustParseAddr("10.77.0.1")}})
			set(s, &backends.EndpointSlice{Namespace: "n", Name: "e", Service: "s", Ready: true, Nodes: []string{"n1"}})
		}), statics: []string{"10.77.0.0/16", "10.77.0.1/32"}},
		"a peer": {change: all(block("192.0.2.0/26"), peerAt(&backends.BGPPeer{PeerIP: netip.MustParseAddr("192.0.2.9"), ASNumber: 65000})),
			problem: "the peer of BGPPeer p, 192.0.2.9"},
		"the gateway to a peer": {change: all(block("192.0.2.0/26"), peerAt(&backends.BGPPeer{
			PeerIP: netip.MustParseAddr("198.51.100.9"), ASNumber: 65000, ReachableBy: netip.MustParseAddr("192.0.2.1")})),
			statics: []string{"198.51.100.9/32"}, problem: "the gateway to the peer of BGPPeer p, 192.0.2.1"},
		"a peer with a gateway": {change: all(block("192.0.2.0/26"), peerAt(&backends.BGPPeer{
			PeerIP: netip.MustParseAddr("192.0.2.9"), ASNumber: 65000, ReachableBy: netip.MustParseAddr("10.77.0.2")})),
			statics: []string{"192.0.2.0/26", "192.0.2.9/32"}},
		"a workload that is a peer": {change: all(block("10.128.0.0/26"), func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "w", LocalWorkloadSelector: "all()", ASNumber: 65000})
			set(s, &backends.EndpointStatus{Name: "w", Interface: "cali1", IPv4: netip.MustParseAddr("10.128.0.5"), BGPPeer: "w"})
		}), statics: []string{"10.128.0.0/26"}},
		"the datastore": {change: block("203.0.113.0/24"), options: Options{Datastore: []netip.Addr{netip.MustParseAddr("::ffff:203.0.113.7")}},
			problem: "the datastore, 203.0.113.7"},
		"the datastore is a Service": {change: services("203.0.113.0/24"), options: Options{Datastore: []netip.Addr{netip.MustParseAddr("203.0.113.7")}},
			statics: []string{"203.0.113.0/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := backends.NewState()
			for _, x := range []struct{ name, address string }{{"n1", "10.77.0.1/24"}, {"n2", "10.77.0.2/24"}, {"n3", "10.77.0.3/24"}} {
				p := netip.MustParsePrefix(x.address)
				set(s, &backends.Node{Name: x.name, IPv4: backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}})
			}
			set(s, &backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("0.0.0.0/0")})
			test.change(s)
			test.options.Node = "n1"
			c, err := Compute(s, test.options)
			if err != nil {
				t.Fatal(err)
			}
			var statics []string
			for _, r := range c.IPv4.Statics {
				statics = append(statics, r.Net.String())
			}
			if diff := cmp.Diff(test.statics, statics, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			var problems []string
			for _, p := range c.Problems {
				if p.LeftOut {
					problems = append(problems, p.Text)
				}
			}
			if got := strings.Join(problems, "\n"); !strings.Contains(got, test.problem) || test.problem == "" && got != "" || len(problems) > 1 {
				t.Errorf("problems: %s", got)
			}
			for _, b := range c.IPv4.Export.Blocks {
				if strings.Contains(test.problem, b.String()) {
					t.Errorf("peers are told of %s, and of nothing in it", b)
				}
			}
		})
	}
}
