package forecast

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/terminal"
)

// TestForecastIsWhatEachNodeDoes compares with the configurations of all nodes, of
// random clusters and changes.
func TestForecastIsWhatEachNodeDoes(t *testing.T) {
	for seed := range uint64(120) {
		a := author{rand.New(rand.NewPCG(seed, 11))}
		before := a.cluster()
		after := before.Clone()
		for range 1 + a.IntN(3) {
			a.change(after)
		}
		q := Question{Before: before, After: after, Options: bgp.Options{Node: "node-0"}, BIRD: 2, Now: time.Unix(1, 0)}
		report, err := Forecast(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		got, want := report.Totals, totalsOf(t, before, after)
		got.Held, want.Held = 0, 0
		if got != want {
			p := &terminal.Page{}
			report.Text(p)
			t.Fatalf("seed %d: got %+v, want %+v\n%s", seed, got, want, p)
		}
	}
}

// totalsOf is what all nodes do, one by one.
func totalsOf(t *testing.T, before, after *backends.State) Totals {
	t.Helper()
	var sum Totals
	names := map[string]bool{}
	for _, s := range []*backends.State{before, after} {
		for name := range s.Nodes {
			names[name] = true
		}
	}
	for name := range names {
		was, errWas := bgp.Compute(before, bgp.Options{Node: name})
		is, errIs := bgp.Compute(after, bgp.Options{Node: name})
		if errIs != nil {
			continue
		}
		c := bgp.Compare(was, is, 2)
		sum.Added += len(c.Added)
		if errWas != nil {
			continue
		}
		sum.Removed += len(c.Removed)
		sum.Remade += len(c.Restarted)
		sum.Refiltered += len(c.Refiltered)
		if sessionsIn(was) > 0 && sessionsIn(is) == 0 {
			sum.Isolated++
		}
		sum.RoutesLost += len(lostOf(was, is))
	}
	return sum
}

// lostOf are the routes of which the peers of an object are told no more: session by
// session.
func lostOf(was, is *bgp.Config) map[string]bool {
	lost := map[string]bool{}
	for i, f := range was.Families() {
		after := is.Families()[i]
		for _, r := range f.Statics {
			if r.Via.IsValid() {
				continue
			}
			before, now := tellers(was, f, r.Net), tellers(is, after, r.Net)
			for object := range before {
				stays := slices.ContainsFunc(after.Sessions, func(s *bgp.Session) bool { return s.Reason.Object.String() == object })
				switch {
				case len(now) == 0:
					lost[r.Net.String()] = true
				case stays && !now[object]:
					lost[r.Net.String()+object] = true
				}
			}
		}
	}
	return lost
}

// tellers are the objects of which sessions tell of a net.
func tellers(c *bgp.Config, f *bgp.Family, net netip.Prefix) map[string]bool {
	out := map[string]bool{}
	if !slices.ContainsFunc(f.Statics, func(r bgp.StaticRoute) bool { return r.Net == net && !r.Via.IsValid() }) {
		return out
	}
	for _, s := range f.Sessions {
		if bgp.PoliciesOf(c, f).Tells(s, bgp.Route{Net: net}, nil) {
			out[s.Reason.Object.String()] = true
		}
	}
	return out
}

// author makes random clusters, and changes of them.
type author struct{ *rand.Rand }

func put(s *backends.State, r backends.Resource) {
	s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
}

func (a author) cluster() *backends.State {
	s := backends.NewState()
	a.configuration(s)
	for i := range 4 + a.IntN(12) {
		a.node(s, i)
	}
	for i := range 1 + a.IntN(4) {
		a.peer(s, i)
	}
	for i := range 2 {
		put(s, &backends.IPPool{Name: fmt.Sprint("pool-", i), CIDR: netip.MustParsePrefix(fmt.Sprintf("10.%d.0.0/16", 128+i)), DisableBGPExport: a.IntN(4) == 0})
		put(s, &backends.BGPFilter{Name: fmt.Sprint("f", i), ExportV4: []backends.FilterRule{{CIDR: netip.MustParsePrefix("10.128.0.0/17"), Match: backends.MatchIn, Accept: a.IntN(2) == 0}}})
	}
	for i := range 6 {
		a.block(s, i)
	}
	for i := range 2 {
		a.service(s, i)
	}
	return s
}

func (a author) configuration(s *backends.State) {
	mesh := a.IntN(2) == 0
	c := &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: &mesh, ASNumber: []uint32{0, 64513}[a.IntN(2)]}
	if a.IntN(3) == 0 {
		c.ServiceExternalIPs = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	}
	if a.IntN(2) == 0 {
		c.ServiceClusterIPs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	}
	put(s, c)
}

func (a author) node(s *backends.State, i int) {
	address := netip.AddrFrom4([4]byte{10, 0, byte(a.IntN(40) / 39), byte(i + 1)})
	n := &backends.Node{Name: fmt.Sprint("node-", i), Labels: map[string]string{"rack": fmt.Sprint("r", a.IntN(2))}, IPv4: backends.NodeAddress{Addr: address, Subnet: netip.MustParsePrefix("10.0.0.0/16")}}
	if a.IntN(4) == 0 {
		n.Labels["rr"] = "true"
		n.ClusterID = netip.AddrFrom4([4]byte{244, 0, 0, byte(a.IntN(2))})
	}
	if a.IntN(4) == 0 {
		n.ASNumber = 65000 + a.Uint32N(2)
	}
	if a.IntN(3) == 0 {
		n.IPv6 = backends.NodeAddress{Addr: netip.MustParseAddr(fmt.Sprintf("fd00::%d", i+1)), Subnet: netip.MustParsePrefix("fd00::/64")}
	}
	put(s, n)
	if a.IntN(6) == 0 {
		put(s, &backends.BGPConfiguration{Name: "node." + n.Name, ListenPort: 1179})
	}
}

func (a author) peer(s *backends.State, i int) {
	selectors := []string{"", "has(rr)", "!has(rr)", "rack == 'r0'", "all()", "rack == 'r1' && has(rr)"}
	p := &backends.BGPPeer{Name: fmt.Sprint("p", i), NodeSelector: selectors[a.IntN(len(selectors))], NoReversePeering: a.IntN(4) == 0}
	if a.IntN(5) == 0 {
		p.Node, p.NodeSelector = fmt.Sprint("node-", a.IntN(5)), ""
	}
	switch a.IntN(4) {
	case 0:
		p.PeerIP, p.ASNumber = netip.MustParseAddr("10.0.0.250"), 65010
	case 1:
		p.PeerIP, p.ASNumber = netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + a.IntN(5))}), 64512
	default:
		p.PeerSelector = selectors[1+a.IntN(len(selectors)-1)]
	}
	p.Filters = []string{"f0", "f1"}[:a.IntN(3)]
	p.TTLSecurity = uint8(a.IntN(3) / 2)
	put(s, p)
}

func (a author) block(s *backends.State, i int) {
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(128 + a.IntN(3)), byte(i), 0}), []int{26, 26, 32}[a.IntN(3)])
	put(s, &backends.BlockAffinity{Name: fmt.Sprint("b", i), Node: fmt.Sprint("node-", a.IntN(8)), CIDR: cidr, State: []string{"confirmed", "", "pending"}[a.IntN(3)]})
}

// change changes, adds or removes one object.
// service has an endpoint on a node, and is announced there alone.
func (a author) service(s *backends.State, i int) {
	name := fmt.Sprint("s", i)
	put(s, &backends.Service{Namespace: "n", Name: name, Type: "NodePort", Local: a.IntN(4) > 0, IPv4: true, ClusterIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 96, 0, byte(i + 1)})}})
	put(s, &backends.EndpointSlice{Namespace: "n", Name: name, Service: name, Ready: true, Nodes: []string{fmt.Sprint("node-", a.IntN(8))}})
}

func (a author) change(s *backends.State) {
	switch a.IntN(9) {
	case 0:
		a.configuration(s)
	case 7:
		a.service(s, a.IntN(3))
	case 1:
		a.node(s, a.IntN(20))
	case 2, 3:
		a.peer(s, a.IntN(5))
	case 4:
		a.block(s, a.IntN(8))
	case 5:
		put(s, &backends.IPPool{Name: "pool-0", CIDR: netip.MustParsePrefix("10.128.0.0/16"), DisableBGPExport: a.IntN(2) == 0})
	case 6:
		put(s, &backends.BGPFilter{Name: "f0", ExportV4: []backends.FilterRule{{Accept: a.IntN(2) == 0}}})
	default:
		key := []backends.Key{{Kind: backends.KindBGPPeer, Name: "p0"}, {Kind: backends.KindNode, Name: "node-2"}, {Kind: backends.KindIPPool, Name: "pool-0"}}[a.IntN(3)]
		s.Apply(backends.Event{Key: key})
	}
}

func TestConditions(t *testing.T) {
	before := backends.NewState()
	for i := range 3 {
		put(before, &backends.Node{Name: fmt.Sprint("node-", i), IPv4: backends.NodeAddress{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Subnet: netip.MustParsePrefix("10.0.0.0/24")}})
	}
	put(before, &backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16")})
	put(before, &backends.BlockAffinity{Name: "b", Node: "node-0", CIDR: netip.MustParsePrefix("10.128.0.0/26")})
	for name, test := range map[string]struct {
		change func(*backends.State)
		want   string
	}{
		"nothing": {func(*backends.State) {}, "[]"},
		"no mesh": {func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool)})
		}, "[session-loss isolated-node route-loss held new-error]"},
		"another AS": {func(s *backends.State) { put(s, &backends.BGPConfiguration{Name: "default", ASNumber: 65000}) }, "[session-remade held]"},
		"a node less": {func(s *backends.State) {
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindNode, Name: "node-2"}})
		}, "[]"},
		"an odd peer": {func(s *backends.State) {
			put(s, &backends.BGPPeer{Name: "p", Node: "nod-1", PeerIP: netip.MustParseAddr("10.0.0.9"), ASNumber: 65000})
		}, "[new-warning]"},
		"not told": {func(s *backends.State) {
			put(s, &backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16"), DisableBGPExport: true})
		}, "[route-loss held]"},
		"another node": {func(s *backends.State) {
			put(s, &backends.Node{Name: "node-9", IPv4: backends.NodeAddress{Addr: netip.MustParseAddr("10.0.0.9")}})
		}, "[]"},
	} {
		after := before.Clone()
		test.change(after)
		r, err := Forecast(context.Background(), Question{Before: before, After: after, Options: bgp.Options{Node: "node-0"}, BIRD: 2, Now: time.Unix(1, 0)})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Fails(Conditions())); got != test.want {
			p := &terminal.Page{}
			r.Text(p)
			t.Errorf("%s: got %s, want %s\n%s", name, got, test.want, p)
		}
	}
	if list, err := ParseConditions([]string{"held", "route-loss"}); err != nil || !slices.Equal(list, []Condition{HeldChange, RouteLoss}) {
		t.Error(list, err)
	}
	if _, err := ParseConditions([]string{"sessionloss"}); err == nil || !strings.Contains(err.Error(), "session-loss") {
		t.Error(err)
	}
}

// That somebody else still hears of a route is no comfort to a router that does not.
func TestOneOfTwoRoutersHearsNothing(t *testing.T) {
	before := backends.NewState()
	for i := range 3 {
		put(before, &backends.Node{Name: fmt.Sprint("node-", i), IPv4: backends.NodeAddress{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), Subnet: netip.MustParsePrefix("10.0.0.0/24")}})
	}
	put(before, &backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16")})
	put(before, &backends.BlockAffinity{Name: "b", Node: "node-2", CIDR: netip.MustParsePrefix("10.128.0.0/26")})
	put(before, &backends.BGPPeer{Name: "tor", PeerIP: netip.MustParseAddr("10.0.0.8"), ASNumber: 65000})
	after := before.Clone()
	put(after, &backends.BGPFilter{Name: "deny", ExportV4: []backends.FilterRule{{}}})
	put(after, &backends.BGPPeer{Name: "tor", PeerIP: netip.MustParseAddr("10.0.0.8"), ASNumber: 65000, Filters: []string{"deny"}})
	r, err := Forecast(context.Background(), Question{Before: before, After: after, Options: bgp.Options{Node: "node-0"}, BIRD: 2, Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	p := &terminal.Page{}
	r.Text(p)
	if r.Totals.RoutesLost != 1 || !strings.Contains(p.String(), "10.128.0.0/26 to peers of BGPPeer tor") {
		t.Errorf("got %+v\n%s", r.Totals, p)
	}
}

// Where import filters change, sessions are remade whose neighbor is known to be unable to
// send its routes again; of others it is said that they are where it is.
func TestForecastWithoutRefresh(t *testing.T) {
	before := backends.NewState()
	put := func(s *backends.State, r backends.Resource) {
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	for i := range 3 {
		a := netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/24", i+1))
		put(before, &backends.Node{Name: fmt.Sprintf("node-%d", i), IPv4: backends.NodeAddress{Addr: a.Addr(), Subnet: a.Masked()}})
	}
	put(before, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool)})
	put(before, &backends.BGPFilter{Name: "f"})
	for i := range 3 {
		put(before, &backends.BGPPeer{Name: fmt.Sprintf("peer-%d", i), PeerIP: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i+1)), ASNumber: 65001, Filters: []string{"f"}})
	}
	after := before.Clone()
	put(after, &backends.BGPFilter{Name: "f", ImportV4: []backends.FilterRule{{CIDR: netip.MustParsePrefix("203.0.113.0/24"), Match: backends.MatchIn}}})
	q := Question{Before: before, After: after, Options: bgp.Options{Node: "node-0"}, BIRD: 2, Now: time.Unix(1, 0)}
	if got, want := q.Reasked(), []string{"Global_192_0_2_1", "Global_192_0_2_2", "Global_192_0_2_3"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	for name, test := range map[string]struct {
		deaf map[string]bool
		want Totals
		text []string
	}{
		"nothing is known": {nil, Totals{Refiltered: 9}, []string{"3 nodes: node-0, node-1, node-2", "each restarts where the neighbor cannot send its routes again"}},
		"one cannot": {
			map[string]bool{"Global_192_0_2_1": true, "Global_192_0_2_2": false}, Totals{Remade: 1, Refiltered: 8},
			[]string{"1 node: node-0", "1 session remade", "Global_192_0_2_1", "2 nodes: node-1, node-2", "each restarts where"},
		},
		"most cannot": {
			map[string]bool{"Global_192_0_2_1": true, "Global_192_0_2_2": true, "Global_192_0_2_3": false}, Totals{Remade: 2, Refiltered: 7, Held: 1},
			[]string{"1 node: node-0", "HELD by the guard", "it would remake 2 of 3 established sessions"},
		},
	} {
		q.Deaf = test.deaf
		report, err := Forecast(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		p := &terminal.Page{}
		report.Text(p)
		text := strings.Join(strings.Fields(fmt.Sprint(p)), " ")
		if report.Totals != test.want {
			t.Errorf("%s: %+v, want %+v", name, report.Totals, test.want)
		}
		for _, part := range test.text {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", name, part, p)
			}
		}
	}
}
