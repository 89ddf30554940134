package lab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"confd/internal/lab"
)

// TestBorrowedAddress: a pod has an address of a block that is another node's. It
// has a route of its own, which the blackhole of the block's owner does not swallow.
func TestBorrowedAddress(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts := meshOfTwo(l)
	hosts = append(hosts, l.AddHost(lab.HostConfig{Name: "n3", Addresses: []string{"10.0.1.13/24"}, BIRD: "3.1.8", Blocks: []string{"10.244.3.0/26"}}))
	pods := []*lab.Workload{hosts[0].AddWorkload("10.244.1.2"), hosts[1].AddWorkload("10.244.1.40"), hosts[2].AddWorkload("10.244.3.2")}
	l.Start()
	l.AwaitPings(pods...)
	for _, h := range []*lab.Host{hosts[0], hosts[2]} {
		awaitRoute(l, h.Machine, "10.244.1.40/32", "10.0.1.12")
	}
	awaitBlackhole(l, hosts[0], "10.244.1.0/26")

	before := l.Moment()
	pods[1].Remove()
	for _, h := range hosts {
		awaitRoute(l, h.Machine, "10.244.1.40/32", "")
	}
	before.NoFlap(nil)
}

// awaitBlackhole waits until the host's kernel drops what goes to its own block and
// to no workload.
func awaitBlackhole(l *lab.Lab, h *lab.Host, block string) {
	l.Await("the blackhole on "+h.Name, func() error {
		routes, err := h.RoutesTo(block)
		if err == nil && (len(routes) != 1 || routes[0].Type != "blackhole") {
			err = fmt.Errorf("the routes to %s are %v", block, routes)
		}
		return err
	})
}

// TestBorrowedAddressAcrossRacks: the node that has the address is in another AS than
// the block's owner, and the router between them passes nothing down but a default
// route. The owner's pods reach the address once it passes single addresses, too.
func TestBorrowedAddressAcrossRacks(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	pods := twoRacks(l, func(rack int) string { return fmt.Sprintf(", localASNumber: %d", 65100+rack) })
	spine := startSpine(t, l, func(rack byte) uint32 { return 65100 + uint32(rack) }, downward(l, "0.0.0.0/0"))
	borrower := l.Hosts[3].AddWorkload("10.244.1.40") // a block of the other rack's n1
	l.Start()
	awaitSpine(l)
	l.AwaitPings(pods...) // by way of the default route
	l.Await("the way to the borrowed address from where its block is not", func() error { return pods[2].Ping(borrower) })
	awaitBlackhole(l, l.Hosts[0], "10.244.1.0/26")
	if pods[0].Ping(borrower) == nil {
		t.Error("the owner reaches an address that it lends, and has no route to it")
	}

	configure(t, spine, documentedFRR(t, "Borrowed addresses"))
	awaitRoute(l, l.Hosts[0].Machine, "10.244.1.40/32", "10.0.1.1")
	l.AwaitPings(pods[0], borrower)
	awaitRoute(l, l.Hosts[0].Machine, "10.244.4.0/26", "") // blocks stay above
}

// downward is FRR's configuration to tell the nodes nothing but these prefixes, and
// a default route.
func downward(l *lab.Lab, prefixes ...string) string {
	var b strings.Builder
	for i, p := range prefixes {
		fmt.Fprintf(&b, "ip prefix-list down seq %d permit %s\n", 5*(i+1), p)
	}
	fmt.Fprintf(&b, "router bgp %d\n address-family ipv4 unicast\n", spineAS)
	for _, h := range l.Hosts {
		fmt.Fprintf(&b, "  neighbor %s default-originate\n  neighbor %[1]s prefix-list down out\n", h.IPv4())
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
