package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"confd/internal/lab"
)

// lent is an address of each family of n1's blocks, which a pod elsewhere has.
func lent() []string { return []string{"10.244.1.40", "fd00:f4:0:1::28"} }

// single is the route to an address alone.
func single(address string) string {
	a := netip.MustParseAddr(address)
	return netip.PrefixFrom(a, a.BitLen()).String()
}

// TestBorrowedAddress: a pod has addresses of blocks that are another node's, one of
// each family. Each has a route of its own, which the blackhole of the block's owner
// does not swallow.
func TestBorrowedAddress(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	l.AddSubnet("rack", "10.0.1.0/24", "fd00:1::/64")
	l.Store.Apply(rackPool + "\n---" + rackPool6)
	var hosts []*lab.Host
	for i, version := range []string{"", "2.17.6", "3.1.8"} {
		hosts = append(hosts, l.AddHost(lab.HostConfig{Name: fmt.Sprintf("n%d", i+1), BIRD: version,
			Addresses: []string{fmt.Sprintf("10.0.1.1%d/24", i+1), fmt.Sprintf("fd00:1::1%d/64", i+1)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i+1), fmt.Sprintf("fd00:f4:0:%d::/122", i+1)}}))
	}
	pods := []*lab.Workload{hosts[0].AddWorkload("10.244.1.2", "fd00:f4:0:1::2"), hosts[1].AddWorkload(lent()...), hosts[2].AddWorkload("10.244.3.2", "fd00:f4:0:3::2")}
	l.Start()
	l.AwaitPings(pods...)
	for _, h := range []*lab.Host{hosts[0], hosts[2]} {
		for _, address := range lent() {
			awaitRoute(l, h.Machine, single(address), hosts[1].IPv4().String(), hosts[1].IPv6().String(), linkLocal(t, hosts[1].Machine, "eth0"))
		}
	}
	awaitBlackholes(l, hosts[0])

	before := l.Moment()
	pods[1].Remove()
	for _, h := range hosts {
		for _, address := range lent() {
			awaitRoute(l, h.Machine, single(address), "")
		}
	}
	before.NoFlap(nil)
}

// awaitBlackholes waits until the host's kernel drops what goes to its own blocks and
// to no workload.
func awaitBlackholes(l *lab.Lab, h *lab.Host) {
	for _, block := range h.Blocks {
		l.Await("the blackhole on "+h.Name, func() error {
			routes, err := h.RoutesTo(block.String())
			if err == nil && (len(routes) != 1 || routes[0].Type != "blackhole") {
				err = fmt.Errorf("the routes to %s are %v", block, routes)
			}
			return err
		})
	}
}

// TestBorrowedAddressAcrossRacks: the node that has the addresses, one of each family,
// is in another AS than the blocks' owner, and the router between them passes nothing
// down but default routes. The owner's pods reach the addresses once it passes single
// addresses, too.
func TestBorrowedAddressAcrossRacks(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	pods := twoRacks(l, localAS)
	spine := startSpine(t, l, ownAS, downward(l))
	borrower := l.Hosts[3].AddWorkload(lent()...) // blocks of the other rack's n1
	l.Start()
	awaitSpine(l)
	l.AwaitPings(pods...) // by way of the default routes
	l.Await("the way to the borrowed addresses from where their blocks are not", func() error { return pods[2].Ping(borrower) })
	awaitBlackholes(l, l.Hosts[0])
	for _, address := range borrower.Addresses {
		if pods[0].PingAddress(address) == nil {
			t.Errorf("the owner reaches %s, which it lends, and has no route to it", address)
		}
	}

	configure(t, spine, documentedFRR(t, "Borrowed addresses"))
	for _, address := range lent() {
		awaitBySpine(t, l, l.Hosts[0], single(address))
	}
	l.AwaitPings(pods[0], borrower)
	for _, block := range l.Hosts[3].Blocks { // which stay above
		awaitRoute(l, l.Hosts[0].Machine, block.String(), "")
	}
}

// downward is FRR's configuration to tell the nodes nothing but a default route of each
// family.
func downward(l *lab.Lab) string {
	var b strings.Builder
	b.WriteString("ip prefix-list down seq 5 permit 0.0.0.0/0\nipv6 prefix-list down seq 5 permit ::/0\n")
	fmt.Fprintf(&b, "router bgp %d\n", spineAS)
	for _, h := range l.Hosts {
		for family, address := range map[string]netip.Addr{"ipv4": h.IPv4(), "ipv6": h.IPv6()} {
			fmt.Fprintf(&b, " address-family %s unicast\n  neighbor %s default-originate\n  neighbor %[2]s prefix-list down out\n exit-address-family\n", family, address)
		}
	}
	return b.String()
}

// configurer is a router whose configuration can be changed while it runs.
type configurer interface{ Configure(lines ...string) error }

func configure(t *testing.T, r any, text string) {
	t.Helper()
	c, ok := r.(configurer)
	if !ok {
		t.Fatal(errors.New("this router cannot be configured while it runs"))
	}
	if err := c.Configure(strings.Split(text, "\n")...); err != nil {
		t.Fatal(err)
	}
}

// documentedFRR are the lines of FRR's configuration below a heading of the docs.
func documentedFRR(t *testing.T, heading string) string {
	t.Helper()
	return fenced(t, "neighbors.md", heading, "frr")
}
