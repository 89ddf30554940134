package templates

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/etc"
	"confd/internal/testenv"
)

// policyBirds are those that say what filters do to routes of no session, as BIRD 1.6
// does not: there paths are what sessions make.
func policyBirds() []string { return []string{"2.0.12", "2.17.6", "3.1.8"} }

// TestPoliciesAsBirdSeesThem has BIRD say which of many routes the filters of
// sessions let through, and with which attributes: bgp.Policies says the same. The
// routes are static ones, so that what is only asked of peers' routes is not seen
// here.
func TestPoliciesAsBirdSeesThem(t *testing.T) {
	for seed := range uint64(60) {
		r := policyTest{rand.New(rand.NewPCG(seed, 5)), int(4 + seed%2*2)}
		c, err := bgp.Compute(r.state(), bgp.Options{Node: "node-1"})
		if err != nil {
			t.Fatal(err)
		}
		var routes []bgp.Route
		for i := range 60 {
			routes = append(routes, r.route(i))
		}
		version := policyBirds()[seed/2%3]
		if comparePolicies(t, version, c, r.family, routes); t.Failed() {
			t.Fatalf("seed %d, BIRD %s:\n%s", seed, version, policyFile(t, c, version, r.family, routes))
		}
	}
}

// TestPoliciesOfConformanceCases does so with the policies of known clusters, and
// random routes among their pools, blocks, services and filters.
func TestPoliciesOfConformanceCases(t *testing.T) {
	folders, err := filepath.Glob("../../shared/conformance/cases/*/data")
	if err != nil || len(folders) == 0 {
		t.Skip("the cases are not here")
	}
	for i, folder := range folders {
		name := filepath.Base(filepath.Dir(folder))
		t.Run(name, func(t *testing.T) {
			s := stateIn(t, folder)
			node := "kube-master"
			if s.Nodes[node] == nil {
				node = slices.Sorted(maps.Keys(s.Nodes))[0]
			}
			c, err := bgp.Compute(s, bgp.Options{Node: node, RouterID: "hash"})
			if err != nil {
				t.Fatal(err)
			}
			if _, needed := c.NeedsTunnel(); needed {
				t.Skip("only Calico's fork of BIRD 1.6 can have this")
			}
			for _, family := range bothFamilies() {
				r := policyTest{rand.New(rand.NewPCG(uint64(i), 7)), family}
				comparePolicies(t, policyBirds()[i%3], c, family, r.routesAmong(netsIn(s, family)))
			}
		})
	}
}

func stateIn(t *testing.T, folder string) *backends.State {
	t.Helper()
	events, err := file.Load(t.Context(), []string{folder}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := backends.NewState()
	for _, e := range events {
		s.Apply(e)
	}
	return s
}

func bothFamilies() []int { return []int{4, 6} }

// netsIn are the nets of a family that something in a state is about.
func netsIn(s *backends.State, family int) []netip.Prefix {
	nets := []netip.Prefix{netip.MustParsePrefix(map[int]string{4: "203.0.113.0/24", 6: "2001:db8:203::/48"}[family])}
	add := func(p netip.Prefix) {
		if p.IsValid() && p.Addr().Is4() == (family == 4) {
			nets = append(nets, p)
		}
	}
	for _, p := range s.IPPools {
		add(p.CIDR)
	}
	for _, b := range s.BlockAffinities {
		add(b.CIDR)
	}
	for _, f := range s.BGPFilters {
		for _, r := range slices.Concat(f.ImportV4, f.ExportV4, f.ImportV6, f.ExportV6) {
			add(r.CIDR)
		}
	}
	if c := s.BGPConfigurations["default"]; c != nil {
		for _, p := range slices.Concat(c.ServiceClusterIPs, c.ServiceExternalIPs, c.ServiceLoadBalancerIPs) {
			add(p)
		}
		for _, a := range c.PrefixAdvertisements {
			add(a.CIDR)
		}
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(nets)
}

// routesAmong are routes to some of the nets, to parts of them, and around them.
func (r policyTest) routesAmong(nets []netip.Prefix) []bgp.Route {
	var out []bgp.Route
	for i := range 60 {
		x := r.route(10)
		x.Net = nets[i%len(nets)]
		if bits := x.Net.Bits(); i >= len(nets) {
			x.Net = netip.PrefixFrom(r.inside(x.Net), max(8, min(x.Net.Addr().BitLen(), bits+r.IntN(9)-1))).Masked()
		}
		out = append(out, x)
	}
	return out
}

// inside is one of the addresses of a net.
func (r policyTest) inside(p netip.Prefix) netip.Addr {
	a := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(a)*8; bit++ {
		a[bit/8] |= byte(r.IntN(2)) << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(a) // as long as it was
	return addr
}

// comparePolicies has a BIRD and bgp.Policies say what becomes of routes in each
// session of a family.
func comparePolicies(t *testing.T, version string, c *bgp.Config, family int, routes []bgp.Route) {
	t.Helper()
	b := testenv.StartBird(t, version, confFile(t, policyFile(t, c, version, family, routes)))
	defer b.Kill()
	data := newData(c, versionOf(t, version), family).Families[0]
	policies := bgp.PoliciesOf(c, data.Family)
	for _, session := range data.Sessions() {
		takes := outcomes(routes, func(x bgp.Route) bgp.Outcome {
			o := policies.TraceImport(session.Session, x)
			if o.Accepted != policies.Takes(session.Session, x) {
				t.Errorf("%s takes %s: the steps say otherwise", session.Name, x.Net)
			}
			return o
		})
		tells := outcomes(routes, func(x bgp.Route) bgp.Outcome {
			o := policies.TraceExport(session.Session, x, nil)
			if o.Accepted != policies.Tells(session.Session, x, nil) {
				t.Errorf("%s tells of %s: the steps say otherwise", session.Name, x.Net)
			}
			return o
		})
		for filter, want := range map[string][]string{session.ImportFilter: takes, session.ExportFilter: tells} {
			text, err := b.Birdc("show route filter " + filter + " all")
			if err != nil && len(want) > 0 {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, shownRoutes(text), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, filter %s (-policies +BIRD):\n%s", session.Name, filter, diff)
			}
		}
	}
}

// policyTest makes random policies, and routes that they are about.
type policyTest struct {
	*rand.Rand
	family int
}

func (r policyTest) net() netip.Prefix {
	return r.netOf([]int{8, 14, 16, 18, 24, 26, 32}[r.IntN(7)])
}

// netOf is a net of so many bits in IPv4; in IPv6 each of its bits has become four,
// of which the last is the bit, so that the nets lie in each other as they did.
func (r policyTest) netOf(bits int) netip.Prefix {
	a := [4]byte{10, byte(r.IntN(2)), byte(r.IntN(4) * 64), byte(r.IntN(4) * 64)}
	if r.family == 4 {
		return netip.PrefixFrom(netip.AddrFrom4(a), bits).Masked()
	}
	wide := [16]byte{}
	for bit := range 32 {
		wide[bit/2] |= a[bit/8] >> (7 - bit%8) & 1 << (4 - bit%2*4)
	}
	wide[0], wide[1] = 0xfd, 0
	return netip.PrefixFrom(netip.AddrFrom16(wide), r.length(bits)).Masked()
}

// length is that of IPv4 nets, or what stands for it in IPv6.
func (r policyTest) length(bits int) int {
	if r.family == 4 {
		return bits
	}
	return bits * 4
}

func (r policyTest) community() backends.Community {
	return backends.Community{Large: r.IntN(2) == 0, A: 1 + r.Uint32N(2), B: 1}
}

func (r policyTest) state() *backends.State {
	s := backends.NewState()
	put := func(x backends.Resource) { s.Apply(backends.Event{Key: x.ResourceKey(), Resource: x}) }
	put(&backends.Node{Name: "node-1", IPv4: backends.NodeAddress{Addr: netip.MustParseAddr("192.0.2.1"), Subnet: netip.MustParsePrefix("192.0.2.0/24")},
		IPv6: backends.NodeAddress{Addr: netip.MustParseAddr("2001:db8::1"), Subnet: netip.MustParsePrefix("2001:db8::/64")}})
	put(&backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ServiceExternalIPs: []netip.Prefix{r.net()},
		PrefixAdvertisements: []backends.PrefixAdvertisement{{CIDR: r.net(), Communities: []string{r.community().String(), "64512:9"}}, {CIDR: r.net(), Communities: []string{r.community().String()}}}})
	for i := range r.IntN(4) {
		put(&backends.IPPool{Name: fmt.Sprint("pool-", i), CIDR: r.net(), DisableBGPExport: r.IntN(3) == 0})
	}
	for i := range r.IntN(3) {
		put(&backends.BlockAffinity{Name: fmt.Sprint(i), Node: "node-1", CIDR: r.net(), State: "confirmed"})
	}
	for i := range 2 {
		f := &backends.BGPFilter{Name: fmt.Sprint("f", i), ImportV4: r.rules(), ExportV4: r.rules()}
		if r.family == 6 {
			f.ImportV4, f.ExportV4, f.ImportV6, f.ExportV6 = nil, nil, f.ImportV4, f.ExportV4
		}
		put(f)
	}
	for i, as := range []uint32{64512, 65000} {
		put(&backends.BGPPeer{Name: fmt.Sprint("p", i), PeerIP: r.peerAt(i), ASNumber: as, Filters: []string{"f0", "f1"}[:r.IntN(3)]})
	}
	return s
}

// peerAt is the address of the i-th peer.
func (r policyTest) peerAt(i int) netip.Addr {
	if r.family == 4 {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(16 + i)})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: byte(16 + i)})
}

func (r policyTest) rules() []backends.FilterRule {
	var rules []backends.FilterRule
	for range r.IntN(5) {
		rule := backends.FilterRule{
			Accept: r.IntN(2) == 0, RemotePeers: r.IntN(6) == 0,
			PeerType: []backends.PeerType{"", "", backends.PeerInternal, backends.PeerExternal}[r.IntN(4)],
		}
		switch r.IntN(6) {
		case 0:
			c := r.community()
			rule.Community = &c
		case 1:
			rule.ASPathPrefix = []uint32{1 + r.Uint32N(2)}
		case 2:
			n := 512 * (1 + r.Uint32N(2))
			rule.Priority = &n
		case 3:
			rule.Interface = []string{"lo", "l*", "?o", "eth*"}[r.IntN(4)]
		default:
			rule.CIDR = r.net()
			rule.Match = []backends.MatchOperator{backends.MatchEqual, backends.MatchNotEqual, backends.MatchIn, backends.MatchNotIn}[r.IntN(4)]
			if r.IntN(2) == 0 {
				low := r.IntN(32)
				high := low + r.IntN(33-low)
				rule.PrefixLength = &backends.LengthRange{Min: uint8(r.length(low)), Max: uint8(r.length(high))}
			}
		}
		for range r.IntN(3) {
			if rule.Accept {
				rule.Operations = append(rule.Operations, r.operation())
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

func (r policyTest) operation() backends.Operation {
	switch r.IntN(3) {
	case 0:
		c := r.community()
		return backends.Operation{AddCommunity: &c}
	case 1:
		n := 512 * r.Uint32N(3)
		return backends.Operation{SetPriority: &n}
	}
	return backends.Operation{PrependASPath: []uint32{65000 + r.Uint32N(3), 65010}}
}

// route is the i-th route, the only one for its net.
func (r policyTest) route(i int) bgp.Route {
	number := func(n uint32) *uint32 { return &n }
	x := bgp.Route{Net: r.netOf(19 + r.IntN(14))}
	if i < 4 {
		x.Net = r.net()
	}
	if r.IntN(3) == 0 {
		x.Interface = "lo"
	}
	if r.IntN(3) == 0 {
		x.Metric = number(512 * (1 + r.Uint32N(3)))
	}
	if r.IntN(3) == 0 {
		x.LocalPref = number(2147483647 - 512*(1+r.Uint32N(2)))
	}
	for range r.IntN(3) {
		x.Path = append(x.Path, 1+r.Uint32N(2))
	}
	for range r.IntN(3) {
		x.Communities = append(x.Communities, r.community())
	}
	return x
}

// policyFile has the policies of the built-in templates for a family, and the routes.
func policyFile(t *testing.T, c *bgp.Config, version string, family int, routes []bgp.Route) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%sprotocol static {\n  ipv%d { import keep filtered; };\n", policiesText(t, c, version, family), family)
	for _, r := range firstOfEach(routes) {
		b.WriteString(staticText(r))
	}
	return b.String() + "}\n"
}

// policiesText is the start of a BIRD's file, with the policies of a family.
func policiesText(t *testing.T, c *bgp.Config, version string, family int) string {
	t.Helper()
	folder, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Load(folder, Options{Node: "node-1", Prefix: "/calico"})
	if err != nil {
		t.Fatal(err)
	}
	v := versionOf(t, version)
	files, err := e.Render(context.Background(), Input{Config: c, Version: v})
	if err != nil {
		t.Fatal(err)
	}
	text := string(files[0].Data)
	if v.Major == 1 {
		text = string(files[family/2-2].Data)
	}
	_, text, _ = strings.Cut(text, fmt.Sprintf("IPv%d", family))
	_, text, _ = strings.Cut(text, "# Local preference is")
	text, _, _ = strings.Cut(text, "protocol kernel")
	return "router id 192.0.2.1;\nprotocol device { }\n# Local preference is" + text
}

// firstOfEach leaves the first route of each net.
func firstOfEach(routes []bgp.Route) []bgp.Route {
	var out []bgp.Route
	seen := map[netip.Prefix]bool{}
	for _, r := range routes {
		if !seen[r.Net] {
			out = append(out, r)
		}
		seen[r.Net] = true
	}
	return out
}

func versionOf(t *testing.T, text string) Version {
	t.Helper()
	v, err := ParseVersion(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func staticText(r bgp.Route) string {
	via := "blackhole"
	if r.Interface != "" {
		via = fmt.Sprintf("via %q", r.Interface)
	}
	text := fmt.Sprintf("  route %s %s {", r.Net, via)
	if r.Metric != nil {
		text += fmt.Sprintf(" krt_metric = %d;", *r.Metric)
	}
	if r.LocalPref != nil {
		text += fmt.Sprintf(" bgp_local_pref = %d;", *r.LocalPref)
	}
	for _, as := range slices.Backward(r.Path) {
		text += fmt.Sprintf(" bgp_path.prepend(%d);", as)
	}
	for _, c := range r.Communities {
		text += " " + communityAdd(c)
	}
	return text + " };\n"
}

// outcomes are the routes that are accepted, as shownRoutes has them: the first route
// of each net counts, sorted.
func outcomes(routes []bgp.Route, trace func(bgp.Route) bgp.Outcome) []string {
	var out []string
	for _, r := range firstOfEach(routes) {
		if o := trace(r); o.Accepted {
			out = append(out, outcomeText(r.Net, o.Route))
		}
	}
	slices.Sort(out)
	return out
}

func outcomeText(net netip.Prefix, r bgp.Route) string {
	text := net.String()
	if r.Metric != nil {
		text += fmt.Sprintf(" metric %d", *r.Metric)
	}
	if r.LocalPref != nil {
		text += fmt.Sprintf(" pref %d", *r.LocalPref)
	}
	if len(r.Path) > 0 {
		text += " path " + strings.Trim(fmt.Sprint(r.Path), "[]")
	}
	var communities []string
	for _, c := range r.Communities {
		communities = append(communities, c.String())
	}
	slices.Sort(communities)
	return text + " " + strings.Join(slices.Compact(communities), " ")
}

// shown reads the parts of "show route all" that policies change.
var shown = regexp.MustCompile(`(?m)^(?:1007-|\s*)([0-9a-f.:]+/\d+) |(?:Kernel\.metric|krt_metric): (\d+)|(?:BGP\.|bgp_)local_pref: (\d+)|(?:BGP\.as_path|bgp_path): ([\d ]+)|(?:BGP\.|bgp_)(?:large_)?community:([^\n]*)`)

func shownRoutes(text string) []string {
	var out []string
	var net netip.Prefix
	var r bgp.Route
	end := func() {
		if net.IsValid() {
			out = append(out, outcomeText(net, r))
		}
	}
	number := func(text string) *uint32 {
		n, _ := strconv.ParseUint(text, 10, 32) // the pattern has digits
		v := uint32(n)
		return &v
	}
	for _, m := range shown.FindAllStringSubmatch(text, -1) {
		switch {
		case m[1] != "":
			end()
			net, r = netip.MustParsePrefix(m[1]), bgp.Route{}
		case m[2] != "":
			r.Metric = number(m[2])
		case m[3] != "":
			r.LocalPref = number(m[3])
		case m[4] != "":
			for word := range strings.FieldsSeq(m[4]) {
				r.Path = append(r.Path, *number(word))
			}
		default:
			for part := range strings.SplitSeq(m[5], ")") {
				c, err := backends.ParseCommunity(strings.NewReplacer("(", "", ", ", ":", ",", ":", " ", "").Replace(part))
				if err == nil {
					r.Communities = append(r.Communities, c)
				}
			}
		}
	}
	end()
	slices.Sort(out)
	return out
}
