package bgp

import (
	"fmt"
	"net/netip"
	"testing"

	"confd/backends"
)

// benchState is a cluster of n nodes: a mesh, or racks of 100 with two
// reflectors each.
func benchState(n int, reflectors bool) *backends.State {
	s := backends.NewState()
	put := func(r backends.Resource) { s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r}) }
	for i := range n {
		nd := node(fmt.Sprintf("n%05d", i), "", "", fmt.Sprintf("rack=r%d", i/100))
		nd.IPv4 = address(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String() + "/8")
		if reflectors && i%100 < 2 {
			nd.Labels["rr"], nd.ClusterID = "yes", netip.MustParseAddr("1.1.1.1")
		}
		put(nd)
	}
	if reflectors {
		put(meshOff())
		for r := range n / 100 {
			put(&backends.BGPPeer{
				Name: fmt.Sprintf("rack-%d", r), NodeSelector: fmt.Sprintf("rack == 'r%d' && !has(rr)", r), PeerSelector: fmt.Sprintf("rack == 'r%d' && has(rr)", r),
			})
		}
		put(&backends.BGPPeer{Name: "reflectors", NodeSelector: "has(rr)", PeerSelector: "has(rr)"})
	}
	return s
}

func BenchmarkCompute(b *testing.B) {
	for _, reflectors := range []bool{false, true} {
		for _, n := range []int{100, 1000, 5000} {
			s := benchState(n, reflectors)
			b.Run(fmt.Sprintf("nodes=%d/reflectors=%v", n, reflectors), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Compute(s, Options{Node: "n00000"}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// What a change costs that has nothing to do with the node, and one that has.
func BenchmarkMemory(b *testing.B) {
	s, labels := benchState(5000, false), map[bool]*backends.Node{}
	for _, odd := range []bool{false, true} {
		labels[odd] = node("n00007", "10.0.0.7/8", "", fmt.Sprintf("odd=%v", odd))
	}
	for name, change := range map[string]func(i int) backends.Resource{
		"label": func(i int) backends.Resource { return labels[i%2 == 0] },
		"block": func(i int) backends.Resource {
			return &backends.BlockAffinity{Name: "b", Node: "n00000", CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, 0, byte(i), 0}), 26)}
		},
		"node": func(i int) backends.Resource { return node("n05000", fmt.Sprintf("10.9.0.%d/8", i%200), "") },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var m Memory
			for i := 0; b.Loop(); i++ {
				set(s, change(i))
				if _, err := m.Compute(s, Options{Node: "n00000"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What an endpoint that comes or goes on this node costs, with 2,000 Services.
func BenchmarkMemoryServices(b *testing.B) {
	s := benchState(5000, false)
	set(s, &backends.BGPConfiguration{Name: "default", ServiceExternalIPs: []netip.Prefix{netip.MustParsePrefix("192.0.0.0/16")}})
	for i := range 2000 {
		ip := netip.AddrFrom4([4]byte{192, 0, byte(i / 250), byte(1 + i%250)})
		set(s, &backends.Service{
			Namespace: "ns", Name: fmt.Sprint("s", i), Type: "NodePort", IPv4: true, Local: true,
			ClusterIPs: []netip.Addr{ip}, ExternalIPs: []netip.Addr{ip},
		})
	}
	slice := func(i, node int) *backends.EndpointSlice {
		return &backends.EndpointSlice{Namespace: "ns", Name: fmt.Sprint("e", i), Service: fmt.Sprint("s", i/5), Ready: true, Nodes: []string{fmt.Sprintf("n%05d", node)}}
	}
	for i := range 10_000 {
		set(s, slice(i, i%5000))
	}
	for name, node := range map[string]int{"here": 0, "elsewhere": 4000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var m Memory
			for i := 0; b.Loop(); i++ {
				set(s, slice(9000, node+i%2))
				if _, err := m.Compute(s, Options{Node: "n00000"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
