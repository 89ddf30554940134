// Package routers runs the BGP routers that stand outside of clusters, in
// network namespaces, for tests: FRR, OpenBGPD, ExaBGP and GoBGP. `make routers`
// fetches them; what is missing makes a test skip.
package routers

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Kind is a maker's router.
type Kind string

// The kinds that there are.
const (
	FRR      Kind = "frr"
	OpenBGPD Kind = "openbgpd"
	ExaBGP   Kind = "exabgp"
	GoBGP    Kind = "gobgp"
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{FRR, OpenBGPD, ExaBGP, GoBGP} }

// String is the route in one line, as tests write what they expect.
func (r Route) String() string {
	line := fmt.Sprintf("%s via %s", r.Prefix, r.NextHop)
	if len(r.ASPath) > 0 {
		line += fmt.Sprintf(" path %d", r.ASPath[0])
		for _, as := range r.ASPath[1:] {
			line += fmt.Sprintf(" %d", as)
		}
	}
	if len(r.Communities) > 0 {
		line += " communities " + strings.Join(r.Communities, " ")
	}
	if r.Stale {
		line += " stale"
	}
	return line
}

// Router is a running router.
type Router interface {
	// Established says whether the session with that neighbor is up.
	Established(neighbor netip.Addr) (bool, error)
	// Routes are the paths of both families that neighbors announce, one line
	// each and sorted. Of several to one prefix, all are named.
	Routes() ([]Route, error)
	// Announce tells all neighbors of the family of a route. Of its next hop
	// only ExaBGP takes notice: that of the others is the router itself.
	Announce(Route) error
	// Withdraw takes that back.
	Withdraw(netip.Prefix) error
	// Kill ends the router at once (SIGKILL), as the end of the test does.
	Kill()
}

// Start runs a router in the network namespace ns and returns once it answers.
// It ends with the test, and what it printed is shown where the test failed.
func Start(tb testing.TB, kind Kind, ns string, c Config) Router {
	tb.Helper()
	switch kind {
	case FRR:
		return startFRR(tb, ns, c)
	case OpenBGPD:
		return startOpenBGPD(tb, ns, c)
	case ExaBGP:
		return startExaBGP(tb, ns, c)
	case GoBGP:
		return startGoBGP(tb, ns, c)
	}
	tb.Fatalf("there is no router of the kind %q", kind)
	return nil
}

// Lines are a router's routes as text, for tests to compare. A router that
// cannot be asked fails the test.
func Lines(tb testing.TB, r Router) []string {
	tb.Helper()
	lines, err := lines(r)
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

func lines(r Router) ([]string, error) {
	routes, err := r.Routes()
	lines := make([]string, 0, len(routes))
	for _, route := range routes {
		lines = append(lines, route.String())
	}
	slices.Sort(lines)
	return lines, err
}

// Await waits until a router has exactly these routes, in any order. One that does not
// answer is asked again: its own client gives up after a second on a busy machine.
func Await(tb testing.TB, r Router, want ...string) {
	tb.Helper()
	want = slices.Sorted(slices.Values(want))
	var got []string
	var err error
	defer func() {
		if tb.Failed() && (err != nil || !slices.Equal(got, want)) {
			tb.Logf("the router has (%v)\n\t%s\nand not\n\t%s", err, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}()
	eventually(tb, patience, "the router's routes", func() bool {
		got, err = lines(r)
		return err == nil && slices.Equal(got, want)
	})
}

// AwaitSession waits until a router's session is up.
func AwaitSession(tb testing.TB, r Router, neighbor netip.Addr) {
	tb.Helper()
	eventually(tb, patience, "the session with "+neighbor.String(), func() bool {
		up, err := r.Established(neighbor)
		return err == nil && up
	})
}
