package guard_test

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/outline"
)

// BenchmarkJudge judges changes of clusters, with 10,000 routes in BIRD. What runs
// has its outline, as it has once it was judged.
func BenchmarkJudge(b *testing.B) {
	for _, x := range []struct {
		name   string
		before func() *backends.State
		change func(*backends.State)
	}{
		{"a node is new, mesh of 5000", func() *backends.State { return large(5000) }, func(s *backends.State) { put(s, largeNode(6000)) }},
		{"mesh off, mesh of 5000", func() *backends.State { return large(5000) }, off},
		{"AS number, announced, mesh of 5000", func() *backends.State { return large(5000) }, func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", ASNumber: 64600, Intent: backends.Intent{DisruptionUntil: inAnHour}})
		}},
		{"no addresses, mesh of 5000", func() *backends.State { return large(5000) }, func(s *backends.State) {
			for name := range s.Nodes {
				if name != "node-1" {
					change(s.Nodes, name, func(n *backends.Node) { n.IPv4 = backends.NodeAddress{} })
				}
			}
		}},
		{"mesh off, 5000 nodes with reflectors", largeReflected, off},
		{"filters, 100 peers and 5000 nodes", largeFiltered, withFilter(backends.FilterRule{CIDR: netip.MustParsePrefix("10.0.0.0/9"), Match: backends.MatchIn})},
	} {
		b.Run(x.name, func(b *testing.B) {
			before := x.before()
			q := question(b, before, x.change)
			q.Salt = salt()
			q.Running.Outline = outline.Of(q.Running.Config, q.Salt)
			q.History = guard.History{}.Replaced(q.Running.Outline, ago(0), 0, guard.Verdict{})
			for i := range 10000 {
				a := netip.AddrFrom4([4]byte{10, 0 + byte(i>>14), byte(i >> 6), byte(i << 2)})
				q.Routes = append(q.Routes, bgp.Route{Net: netip.PrefixFrom(a, 30), Session: q.Seen[i%len(q.Seen)].Name, Path: []uint32{65000}})
			}
			b.ReportAllocs()
			began := cpuTime(b)
			for b.Loop() {
				guard.Judge(q)
			}
			b.ReportMetric(float64((cpuTime(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// cpuTime is how long this process has worked: others may be at work as well.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func large(n int) *backends.State {
	s := mesh(1, false)
	for i := 2; i <= n; i++ {
		put(s, largeNode(i))
	}
	put(s, affinity("10.128.1.0/26"))
	return s
}

func largeNode(i int) *backends.Node {
	return &backends.Node{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{"rack": fmt.Sprint(i / 50)},
		IPv4: nodeAddress(fmt.Sprintf("172.16.%d.%d/12", i>>8, i&255))}
}

// largeReflected has the mesh still on, and a hundred reflectors besides.
func largeReflected() *backends.State {
	s := large(5000)
	for i := 2; i <= 101; i++ {
		change(s.Nodes, fmt.Sprintf("node-%d", i), func(n *backends.Node) {
			n.ClusterID, n.Labels = netip.AddrFrom4([4]byte{1, 0, 0, byte(i)}), map[string]string{"rr": "yes", "rack": fmt.Sprint(i)}
		})
	}
	for i := range 100 {
		put(s, &backends.BGPPeer{Name: fmt.Sprintf("rack-%d", i), NodeSelector: fmt.Sprintf("rack == '%d' && !has(rr)", i), PeerSelector: fmt.Sprintf("rack == '%d' && has(rr)", i+2)})
	}
	put(s, &backends.BGPPeer{Name: "own", Node: "node-1", PeerSelector: "rack == '2' && has(rr)"})
	put(s, &backends.BGPPeer{Name: "reflectors", NodeSelector: "has(rr)", PeerSelector: "has(rr)"})
	return s
}

// largeFiltered has 100 routers with a filter.
func largeFiltered() *backends.State {
	s := large(5000)
	off(s)
	for i := range 100 {
		p := aPeer(fmt.Sprintf("router-%d", i), fmt.Sprintf("192.0.2.%d", i+1), 65000)
		p.Filters = []string{"rules"}
		put(s, p)
	}
	withFilter(backends.FilterRule{CIDR: netip.MustParsePrefix("203.0.113.0/24"), Match: backends.MatchIn})(s)
	return s
}
