package bgp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"confd/backends"
)

// TestMemoryOfServices: whatever came before, a state gives what it gives to who sees
// it first.
func TestMemoryOfServices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := backends.NewState()
	set(s, node("a", "10.0.0.1/8", ""))
	set(s, node("b", "10.0.0.2/8", ""))
	var m Memory
	same, problems := 0, 0
	last, err := m.Compute(s, Options{Node: "a"})
	if err != nil {
		t.Fatal(err)
	}
	for range 10_000 {
		change(r, s)
		if r.IntN(4) == 0 {
			s = s.Clone()
		}
		got, err := m.Compute(s, Options{Node: "a"})
		if err != nil {
			t.Fatal(err)
		}
		want, err := Compute(s, Options{Node: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("remembered %+v\n%+v\nnew %+v\n%+v", got.IPv4.Statics, got.Problems, want.IPv4.Statics, want.Problems)
		}
		if got == last {
			same++
		}
		last, problems = got, problems+len(got.Problems)
	}
	if same < 2000 || same > 8000 || problems == 0 {
		t.Errorf("%d of 10,000 changes were none for this node, and %d problems were told", same, problems)
	}
}

// change makes one change of a Service, an EndpointSlice, or what is advertised of them.
func change(r *rand.Rand, s *backends.State) {
	pick := func(what string, n int) string { return fmt.Sprint(what, r.IntN(n)) }
	ip := func() []netip.Addr { return []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(8))})} }
	key := backends.Key{Namespace: "n"}
	switch n := r.IntN(100); {
	case n < 10:
		key.Kind, key.Name = backends.KindService, pick("s", 8)
		s.Apply(backends.Event{Key: key})
	case n < 20:
		key.Kind, key.Name = backends.KindEndpointSlice, pick("e", 16)
		s.Apply(backends.Event{Key: key})
	case n < 45:
		service := &backends.Service{Namespace: "n", Name: pick("s", 8), Type: "NodePort", Local: r.IntN(2) == 0, IPv4: r.IntN(4) > 0, IPv6: r.IntN(4) == 0, ClusterIPs: ip(), ExternalIPs: ip()}
		if r.IntN(8) == 0 {
			service.Ignored = []string{"odd"}
		}
		set(s, service)
	case n < 97:
		e := &backends.EndpointSlice{Namespace: "n", Name: pick("e", 16), Service: pick("s", 8), IPv6: r.IntN(4) == 0, Ready: r.IntN(2) == 0}
		if e.Ready {
			e.Nodes = []string{[]string{"a", "b"}[r.IntN(2)]}
		}
		set(s, e)
	case n < 99:
		c := &backends.BGPConfiguration{Name: "default", NoLoadBalancerAggregation: r.IntN(2) == 0}
		for range r.IntN(3) {
			c.ServiceExternalIPs = append(c.ServiceExternalIPs, netip.PrefixFrom(netip.MustParseAddr("192.0.2.0"), 24+r.IntN(2)*8).Masked())
			c.ServiceClusterIPs = append(c.ServiceClusterIPs, netip.PrefixFrom(netip.MustParseAddr("192.0.2.0"), 30))
		}
		set(s, c)
	default:
		set(s, node("a", "10.0.0.1/8", "", fmt.Sprintf("%s=%v", ExcludeLabel, r.IntN(2) == 0)))
	}
}
