package templates

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/bgp"
	"confd/etc"
	"confd/internal/testenv"
)

// TestPoliciesAsBirdSeesThem has BIRD say which of many routes the filters of
// sessions let through: bgp.Policies says the same. The routes are static ones, so
// that what is only asked of peers' routes is not seen here.
func TestPoliciesAsBirdSeesThem(t *testing.T) {
	for seed := range uint64(60) {
		r := policyTest{rand.New(rand.NewPCG(seed, 5))}
		s := r.state()
		c, err := bgp.Compute(s, bgp.Options{Node: "node-1"})
		if err != nil {
			t.Fatal(err)
		}
		var routes []bgp.Route
		for i := range 60 {
			routes = append(routes, r.route(i))
		}
		v := Version{Major: 2, Minor: 0}
		conf := filepath.Join(t.TempDir(), "bird.conf")
		if err := os.WriteFile(conf, []byte(policyFile(t, c, v, routes)), 0o600); err != nil {
			t.Fatal(err)
		}
		b := testenv.StartBird(t, "2.0.12", conf)
		policies := bgp.PoliciesOf(c, &c.IPv4)
		for _, session := range newData(c, v, 4).Families[0].Sessions() {
			takes := accepted(routes, func(x bgp.Route) bool { return policies.Takes(session.Session, x) })
			tells := accepted(routes, func(x bgp.Route) bool { return policies.Tells(session.Session, x, nil) })
			for filter, want := range map[string][]string{session.ImportFilter: takes, session.ExportFilter: tells} {
				text, err := b.Birdc("show route filter " + filter)
				if err != nil && len(want) > 0 {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, netsOf(text), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("seed %d, %s, filter %s (-policies +BIRD):\n%s", seed, session.Name, filter, diff)
				}
			}
		}
		if t.Failed() {
			t.Fatal(policyFile(t, c, v, routes))
		}
		b.Kill()
	}
}

// policyTest makes random policies, and routes that they are about.
type policyTest struct{ *rand.Rand }

func (r policyTest) net() netip.Prefix {
	a := netip.AddrFrom4([4]byte{10, byte(r.IntN(2)), byte(r.IntN(4) * 64), byte(r.IntN(4) * 64)})
	return netip.PrefixFrom(a, []int{8, 14, 16, 18, 24, 26, 32}[r.IntN(7)]).Masked()
}

func (r policyTest) community() backends.Community {
	return backends.Community{Large: r.IntN(2) == 0, A: 1 + r.Uint32N(2), B: 1}
}

func (r policyTest) state() *backends.State {
	s := backends.NewState()
	put := func(x backends.Resource) { s.Apply(backends.Event{Key: x.ResourceKey(), Resource: x}) }
	put(&backends.Node{Name: "node-1", IPv4: backends.NodeAddress{Addr: netip.MustParseAddr("192.0.2.1"), Subnet: netip.MustParsePrefix("192.0.2.0/24")}})
	put(&backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ServiceExternalIPs: []netip.Prefix{r.net()}})
	for i := range r.IntN(4) {
		put(&backends.IPPool{Name: fmt.Sprint("pool-", i), CIDR: r.net(), DisableBGPExport: r.IntN(3) == 0})
	}
	for i := range r.IntN(3) {
		put(&backends.BlockAffinity{Name: fmt.Sprint(i), Node: "node-1", CIDR: r.net(), State: "confirmed"})
	}
	for i := range 2 {
		put(&backends.BGPFilter{Name: fmt.Sprint("f", i), ImportV4: r.rules(), ExportV4: r.rules()})
	}
	for i, as := range []uint32{64512, 65000} {
		put(&backends.BGPPeer{Name: fmt.Sprint("p", i), PeerIP: netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), ASNumber: as, Filters: []string{"f0", "f1"}[:r.IntN(3)]})
	}
	return s
}

func (r policyTest) rules() []backends.FilterRule {
	var rules []backends.FilterRule
	for range r.IntN(5) {
		rule := backends.FilterRule{Accept: r.IntN(2) == 0, PeerType: []backends.PeerType{"", "", backends.PeerInternal, backends.PeerExternal}[r.IntN(4)]}
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
				low := uint8(r.IntN(32))
				rule.PrefixLength = &backends.LengthRange{Min: low, Max: low + uint8(r.IntN(int(33-low)))}
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

// route is the i-th route, the only one for its net.
func (r policyTest) route(i int) bgp.Route {
	number := func(n uint32) *uint32 { return &n }
	x := bgp.Route{Net: netip.PrefixFrom(r.net().Addr(), 19+r.IntN(14)).Masked()}
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

// policyFile has the policies of the built-in templates, and the routes.
func policyFile(t *testing.T, c *bgp.Config, v Version, routes []bgp.Route) string {
	t.Helper()
	folder, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		t.Fatal(err)
	}
	e, err := Load(folder, Options{Node: "node-1", Prefix: "/calico"})
	if err != nil {
		t.Fatal(err)
	}
	files, err := e.Render(context.Background(), Input{Config: c, Version: v})
	if err != nil {
		t.Fatal(err)
	}
	_, policy, _ := strings.Cut(string(files[0].Data), "# ---- IPv4 ----\n")
	policy, _, _ = strings.Cut(policy, "protocol kernel")
	var b strings.Builder
	b.WriteString("router id 192.0.2.1;\nprotocol device { }\n" + policy + "protocol static {\n  ipv4 { import keep filtered; };\n")
	seen := map[netip.Prefix]bool{}
	for _, r := range routes {
		if !seen[r.Net] {
			b.WriteString(staticText(r))
		}
		seen[r.Net] = true
	}
	return b.String() + "}\n"
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

// accepted are the nets of routes for which ok holds: the first route of each net
// counts, sorted.
func accepted(routes []bgp.Route, ok func(bgp.Route) bool) []string {
	var nets []string
	seen := map[netip.Prefix]bool{}
	for _, r := range routes {
		if !seen[r.Net] && ok(r) {
			nets = append(nets, r.Net.String())
		}
		seen[r.Net] = true
	}
	slices.Sort(nets)
	return nets
}

var shownNet = regexp.MustCompile(`(?m)^(?:1007-)?(\d+\.\d+\.\d+\.\d+/\d+) `)

func netsOf(text string) []string {
	var nets []string
	for _, m := range shownNet.FindAllStringSubmatch(text, -1) {
		nets = append(nets, m[1])
	}
	slices.Sort(nets)
	return nets
}
