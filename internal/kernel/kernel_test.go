package kernel_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/kernel"
	"confd/internal/lab"
	"confd/internal/routes"
	"confd/internal/testenv"
	"confd/reload/control"
)

// lookLimit is how long a test waits for what must come.
const lookLimit = time.Minute

func TestMain(m *testing.M) { lab.Main(m) }

// ip runs ip, in the network of the test process alone.
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// network is a machine with two interfaces.
func network(t *testing.T) {
	t.Helper()
	if os.Getenv("CONFD_LAB_INSIDE") != "yes" {
		t.Skip("it takes root, and namespaces")
	}
	ip(t, "link add one type veth peer name two")
	t.Cleanup(func() {
		for _, args := range []string{"link del one", "-4 route flush table main", "-6 route flush table main"} { // blackholes are on no link
			_ = exec.Command("ip", strings.Fields(args)...).Run() // fails where there are none
		}
	})
	for _, args := range []string{
		"link set one up", "link set two up", "addr add 192.0.2.1/24 dev one", "addr add 192.0.2.129/25 dev two",
		"addr add 2001:db8::1/64 dev one nodad",
	} {
		ip(t, args)
	}
}

func hop(via, name string) control.Hop {
	a, _ := netip.ParseAddr(via)
	return control.Hop{Via: a, Interface: name}
}

func TestRoutes(t *testing.T) {
	network(t)
	for _, args := range []string{
		"route add default via 192.0.2.2", "route add 10.1.0.0/24 via 192.0.2.2 proto bird metric 1024", "route add 10.1.0.0/24 via 192.0.2.3 proto bird metric 512",
		"route add blackhole 10.2.0.0/24 proto bird", "route add unreachable 10.3.0.0/24", "route add prohibit 10.4.0.0/24 table 7",
		"route add 10.5.0.0/24 proto bird nexthop via 192.0.2.2 nexthop via 192.0.2.130", "route add 10.6.0.1 dev two",
		"route add 10.8.0.0/24 via 192.0.2.2 proto bird tos 0x10",
		"route add 10.7.0.0/24 via inet6 2001:db8::2 dev one", "route add 2001:db8:1::/64 via 2001:db8::2 proto bird", "route add blackhole 2001:db8:2::/64 metric 77",
	} {
		ip(t, args)
	}
	want := map[int][]routes.Entry{
		4: {
			{Net: netip.MustParsePrefix("0.0.0.0/0"), Target: control.Unicast, Hops: []control.Hop{hop("192.0.2.2", "one")}},
			{Net: netip.MustParsePrefix("10.1.0.0/24"), Metric: 512, BIRD: true, Target: control.Unicast, Hops: []control.Hop{hop("192.0.2.3", "one")}},
			{Net: netip.MustParsePrefix("10.1.0.0/24"), Metric: 1024, BIRD: true, Target: control.Unicast, Hops: []control.Hop{hop("192.0.2.2", "one")}},
			{Net: netip.MustParsePrefix("10.2.0.0/24"), BIRD: true, Target: control.Blackhole},
			{Net: netip.MustParsePrefix("10.3.0.0/24"), Target: control.Unreachable},
			{Net: netip.MustParsePrefix("10.4.0.0/24"), Table: 7, Target: control.Prohibited},
			{Net: netip.MustParsePrefix("10.5.0.0/24"), BIRD: true, Target: control.Unicast, Hops: []control.Hop{hop("192.0.2.2", "one"), hop("192.0.2.130", "two")}},
			{Net: netip.MustParsePrefix("10.6.0.1/32"), Target: control.Unicast, Hops: []control.Hop{hop("", "two")}},
			{Net: netip.MustParsePrefix("10.7.0.0/24"), Target: control.Unicast, Hops: []control.Hop{hop("2001:db8::2", "one")}},
		},
		6: {
			{Net: netip.MustParsePrefix("2001:db8:1::/64"), Metric: 1024, BIRD: true, Target: control.Unicast, Hops: []control.Hop{hop("2001:db8::2", "one")}},
			{Net: netip.MustParsePrefix("2001:db8:2::/64"), Metric: 77, Target: control.Blackhole},
		},
	}
	for version, list := range want {
		got, err := kernel.Routes(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Table == 0 {
				e.Table = 254 // main
			}
			if !slices.ContainsFunc(got, func(g routes.Entry) bool { return reflect.DeepEqual(g, e) }) {
				t.Errorf("no %+v in\n%+v", e, got)
			}
		}
		for _, e := range got {
			switch e.Net.String() {
			case "192.0.2.1/32", "10.8.0.0/24":
				t.Errorf("one of this machine's own addresses, or for one type of service: %+v", e)
			}
		}
	}
}

// What is removed is that route, and no other one: of those to a net it is told by
// metric, where it leads, and that it is BIRD's.
func TestRemove(t *testing.T) {
	network(t)
	for _, args := range []string{
		"route add 10.1.0.0/24 via 192.0.2.2 proto bird metric 1024", "route add 10.1.0.0/24 via 192.0.2.3 proto bird metric 512",
		"route add 10.2.0.0/24 via 192.0.2.2 proto static metric 512", "route add blackhole 10.3.0.0/24 proto bird metric 0",
		"route add 10.3.0.0/24 via 192.0.2.2 proto bird metric 1024", "route add 2001:db8:1::/64 via 2001:db8::2 proto bird metric 512",
		"route add 2001:db8:1::/64 via 2001:db8::3 proto bird metric 1024",
	} {
		ip(t, args)
	}
	entry := func(to, via string, metric uint32) routes.Entry {
		return routes.Entry{Net: netip.MustParsePrefix(to), Table: 254, Metric: metric, BIRD: true, Target: control.Unicast, Hops: []control.Hop{hop(via, "one")}}
	}
	black := routes.Entry{Net: netip.MustParsePrefix("10.3.0.0/24"), Table: 254, BIRD: true, Target: control.Blackhole}
	for _, e := range []routes.Entry{entry("10.1.0.0/24", "192.0.2.3", 512), black, entry("2001:db8:1::/64", "2001:db8::2", 512)} {
		if err := kernel.Remove(e); err != nil {
			t.Error(err)
		}
	}
	for _, e := range []routes.Entry{entry("10.1.0.0/24", "192.0.2.3", 512), black, entry("10.2.0.0/24", "192.0.2.2", 512), entry("10.1.0.0/24", "192.0.2.9", 1024)} {
		if err := kernel.Remove(e); err == nil {
			t.Errorf("%s is not there, or not BIRD's, and was removed", e)
		}
	}
	left := map[string]uint32{}
	for _, version := range []int{4, 6} {
		got, err := kernel.Routes(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got {
			left[e.Net.String()] += e.Metric
		}
	}
	for to, metric := range map[string]uint32{"10.1.0.0/24": 1024, "10.2.0.0/24": 512, "10.3.0.0/24": 1024, "2001:db8:1::/64": 1024} {
		if left[to] != metric {
			t.Errorf("%s: metrics %d are left, want %d", to, left[to], metric)
		}
	}
}

func TestWays(t *testing.T) {
	network(t)
	for _, args := range []string{
		"route add blackhole 10.2.0.0/24", "route add unreachable 10.3.0.0/24", "route add prohibit 10.4.0.0/24", "route add 10.5.0.0/24 via 192.0.2.2",
		"route add blackhole 2001:db8:2::/64", "route add unreachable 2001:db8:3::/64", "route add prohibit 2001:db8:4::/64",
	} {
		ip(t, args)
	}
	cases := map[string]routes.Way{
		"10.2.0.1": routes.WayBlackhole, "10.3.0.1": routes.WayUnreachable, "10.4.0.1": routes.WayProhibited, "10.5.0.1": routes.WayOpen,
		"10.99.0.1": routes.WayOpen, "192.0.2.7": routes.WayOpen, "2001:db8:2::1": routes.WayBlackhole, "2001:db8:3::1": routes.WayUnreachable,
		"2001:db8:4::1": routes.WayProhibited, "2001:db8::7": routes.WayOpen, "fe80::1%one": routes.WayOpen,
	}
	var all []netip.Addr
	for to := range cases {
		all = append(all, netip.MustParseAddr(to))
	}
	ways := kernel.Ways(all)
	for to, want := range cases {
		if got := ways[netip.MustParseAddr(to)]; got != want {
			t.Errorf("to %s: %q, want %q", to, got, want)
		}
	}
}

func TestChanges(t *testing.T) {
	network(t)
	ctx, cancel := context.WithCancel(t.Context())
	var c kernel.Changes
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	count := func() uint64 { n, _ := c.Count(); return n }
	testenv.Eventually(t, lookLimit, "changes are heard of", func() bool { _, heard := c.Count(); return heard })
	for _, args := range []string{"route add 10.1.0.0/24 via 192.0.2.2", "addr add 192.0.2.7/24 dev one", "link set two down"} {
		before := count()
		ip(t, args)
		testenv.Eventually(t, lookLimit, args, func() bool { return count() > before })
	}
	cancel()
	<-done
	if _, heard := c.Count(); heard {
		t.Error("changes are heard of after the end")
	}
}
