package templates

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/bgp"
	"confd/internal/testenv"
)

// TestPoliciesOfSessions has BIRDs of each version take routes from an internal and
// an external peer, and tell them on: bgp.Policies says what they take, what they
// tell, and with which attributes. The routes of peers have what only BGP gives, and
// those that are told have what a version adds before it asks its filters.
func TestPoliciesOfSessions(t *testing.T) {
	for _, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		for _, family := range bothFamilies() {
			t.Run(fmt.Sprintf("%s, IPv%d", version, family), func(t *testing.T) {
				for seed := range uint64(3) {
					r := policyTest{rand.New(rand.NewPCG(seed, uint64(family))), family}
					newExchange(t, r, version).compare(t)
				}
			})
		}
	}
}

// exchange is a node with two peers, all of them with routes of their own.
type exchange struct {
	c        *bgp.Config
	data     Family
	policies bgp.Policies
	// own are the node's routes, told those of each session's peer, as they arrive.
	own  []bgp.Route
	told map[string][]bgp.Route
	node *testenv.BirdDaemon
	file string
}

func newExchange(t *testing.T, r policyTest, version string) *exchange {
	t.Helper()
	c, err := bgp.Compute(r.state(), bgp.Options{Node: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange{c: c, data: newData(c, versionOf(t, version), r.family).Families[0], told: map[string][]bgp.Route{}}
	x.policies = bgp.PoliciesOf(c, x.data.Family)
	if x.data.Bird.Major == 1 {
		x.policies = x.policies.InBIRD1()
	}
	sessions := x.data.Sessions()
	var routes []bgp.Route
	for i := range 90 {
		routes = append(routes, r.route(i))
	}
	fed := map[string][]bgp.Route{}
	for i, route := range firstOfEach(routes) {
		if i%3 == 0 {
			x.own = append(x.own, bgp.Route{Net: route.Net, Interface: route.Interface})
			continue
		}
		s := sessions[i%3-1]
		fed[s.Name] = append(fed[s.Name], route)
		x.told[s.Name] = append(x.told[s.Name], arrived(s.Session, route))
	}

	subnet := []netip.Prefix{netip.PrefixFrom(x.data.Address, map[int]int{4: 24, 6: 64}[r.family])}
	peers := make([]netip.Prefix, len(sessions))
	for i, s := range sessions {
		peers[i] = netip.PrefixFrom(s.Neighbor, subnet[0].Bits())
	}
	lab := testenv.NewLab(t, testenv.Host{Name: "node", Addrs: subnet}, testenv.Host{Name: "peers", Addrs: peers})
	testenv.StartBird(t, "2.17.6", confFile(t, peersFile(x.data, fed)), testenv.InNetns(lab.NS("peers")))
	options := []testenv.BirdOption{testenv.InNetns(lab.NS("node"))}
	if x.data.Bird.Major == 1 && r.family == 6 {
		options = append(options, testenv.AsBird6())
	}
	x.file = policiesText(t, c, version, r.family) + x.nodeFile()
	x.node = testenv.StartBird(t, version, confFile(t, x.file), options...)
	return x
}

func confFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// arrived is a route of a peer's as the node sees it before its filters.
func arrived(s *bgp.Session, r bgp.Route) bgp.Route {
	usual := uint32(100) // RFC 4271 leaves it to the router; all BIRDs say 100
	in := bgp.Route{Net: r.Net, Session: s.Name, Interface: "eth0", NextHop: s.Neighbor, LocalPref: &usual, Path: r.Path, Communities: r.Communities}
	switch {
	case !s.Internal:
		in.Path = append([]uint32{s.AS}, r.Path...)
	case r.LocalPref != nil:
		in.LocalPref = r.LocalPref
	}
	return in
}

// peersFile is the file of the BIRD that plays the peers, a table for each.
func peersFile(f Family, fed map[string][]bgp.Route) string {
	var b strings.Builder
	b.WriteString("router id 192.0.2.16;\nprotocol device { }\n")
	for i, s := range f.Sessions() {
		fmt.Fprintf(&b, "ipv%d table t%d;\nprotocol static { ipv%[1]d { table t%[2]d; };\n", f.Version, i)
		for _, r := range fed[s.Name] {
			r.Interface = ""
			b.WriteString(staticText(r))
		}
		fmt.Fprintf(&b, "}\nprotocol bgp { local %s as %d; neighbor %s as %d; passive; ipv%d { table t%d; import all; export all; next hop self; }; }\n",
			s.Neighbor, s.AS, f.Address, s.LocalAS, f.Version, i)
	}
	return b.String()
}

// nodeFile has the node's protocols.
func (x *exchange) nodeFile() string {
	var b strings.Builder
	channel := func(text string) string { return fmt.Sprintf("ipv%d { %s };", x.data.Version, text) }
	if x.data.Bird.Major == 1 {
		channel = func(text string) string { return text }
	}
	fmt.Fprintf(&b, "protocol static { %s\n", channel(""))
	for _, r := range x.own {
		b.WriteString(staticText(r))
	}
	b.WriteString("}\n")
	for _, s := range x.data.Sessions() {
		fmt.Fprintf(&b, "protocol bgp %s { local %s as %d; neighbor %s as %d; direct; connect delay time 1;\n  %s }\n", s.Name, x.data.Address, s.LocalAS, s.Neighbor, s.AS,
			channel("gateway direct; import filter "+s.ImportFilter+"; export filter "+s.ExportFilter+";"))
	}
	return b.String()
}

// compare waits until BIRD has what bgp.Policies says that it takes and tells.
func (x *exchange) compare(t *testing.T) {
	t.Helper()
	routes, from := slices.Clone(x.own), map[string]*bgp.Session{}
	for _, s := range x.data.Sessions() {
		from[s.Name] = s.Session
		x.await(t, "show route protocol "+s.Name+" all", outcomes(x.told[s.Name], func(r bgp.Route) bgp.Outcome {
			o := x.policies.TraceImport(s.Session, r)
			if o.Accepted {
				routes = append(routes, o.Route)
			}
			return o
		}))
	}
	for _, s := range x.data.Sessions() {
		x.await(t, "show route export "+s.Name+" all", outcomes(routes, func(r bgp.Route) bgp.Outcome {
			return x.policies.TraceExport(s.Session, r, from[r.Session])
		}))
	}
	x.await(t, fmt.Sprintf("show route filter calico_to_kernel%d all", x.data.Version), outcomes(routes, x.policies.TraceKernel))
}

// await waits until BIRD shows the routes, and no others.
func (x *exchange) await(t *testing.T, question string, want []string) {
	t.Helper()
	var diff string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text, err := x.node.Birdc(question)
		if diff = cmp.Diff(want, shownRoutes(text), cmpopts.EquateEmpty()); diff == "" {
			return
		}
		if err != nil {
			diff = err.Error() // the session is not up yet, or no route is there
		}
	}
	t.Fatalf("%s (-policies +BIRD):\n%s\n%s", question, diff, x.file)
}
