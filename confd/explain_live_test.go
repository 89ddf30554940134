package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/explain"
	"confd/internal/settings"
	"confd/internal/testenv"
)

// routersRig is node-1 between two routers, each with a BIRD: one tells it of random
// routes, and both are told by it.
type routersRig struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	node   *testenv.BirdDaemon
	asker  *explain.Asker
	fed    []bgp.Route
}

// TestExplainRouteAsBIRDDoes has routers tell a real BIRD of hundreds of random
// routes: which it takes, with which attributes, and which it tells of, is what
// confd explain route says, with random filters.
func TestExplainRouteAsBIRDDoes(t *testing.T) {
	for i, version := range []string{"2.0.12", "2.17.6"} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s/%d", version, seed), func(t *testing.T) {
				r := &routersRig{t: t, random: rand.New(rand.NewPCG(seed, uint64(i))), dir: t.TempDir()}
				r.start(version)
				taken := 0
				for _, route := range r.fed {
					if r.compare(route) {
						taken++
					}
				}
				if taken == 0 || taken == len(r.fed) {
					t.Errorf("%d of %d routes are taken: the filters say nothing", taken, len(r.fed))
				}
				r.commandLine()
			})
		}
	}
}

func (r *routersRig) start(version string) {
	t := r.t
	lab := testenv.NewLab(t,
		testenv.Host{Name: "n", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}},
		testenv.Host{Name: "r", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.250/24")}},
		testenv.Host{Name: "s", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.251/24")}})
	cluster := r.write("cluster.yaml", r.cluster())
	if c := execute(t, nil, "render", "--data", cluster, "--node", "node-1", "--bird", version, "--output", r.dir, "--log-level", "error"); c.code != exitGood {
		t.Fatal(c.stderr)
	}
	for range 120 {
		r.fed = append(r.fed, r.route())
	}
	slices.SortFunc(r.fed, func(a, b bgp.Route) int { return strings.Compare(a.Net.String(), b.Net.String()) })
	r.fed = slices.CompactFunc(r.fed, func(a, b bgp.Route) bool { return a.Net == b.Net })
	r.node = testenv.StartBird(t, version, filepath.Join(r.dir, "bird.conf"), testenv.InNetns(lab.NS("n")))
	testenv.StartBird(t, version, r.write("r.conf", r.feeder()), testenv.InNetns(lab.NS("r")))
	testenv.StartBird(t, version, r.write("s.conf", router("10.0.0.251", 65001)), testenv.InNetns(lab.NS("s")))
	all := fmt.Sprintf(`Import updates: +%d `, len(r.fed)+1)
	testenv.Eventually(t, time.Minute, "two sessions, and all routes", func() bool {
		text, err := r.node.Birdc("show protocols all")
		came, _ := regexp.MatchString(all, text)
		return err == nil && strings.Count(text, "BGP state:          Established") == 2 && came
	})
	s, err := settings.Load(settings.Layer{"data": {Text: cluster}, "node": {Text: "node-1"}, "socket": {Text: r.node.Socket}, "log-level": {Text: "error"}},
		settings.Surroundings{LookupEnv: func(string) (string, bool) { return "", false }, Hostname: os.Hostname})
	if err != nil {
		t.Fatal(err)
	}
	if r.asker, err = newAsker(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

// compare compares one route, and says whether BIRD takes it.
func (r *routersRig) compare(fed bgp.Route) bool {
	t := r.t
	from, to := r.party("10.0.0.250"), r.party("10.0.0.251")
	imported, err := r.asker.Route(explain.RouteQuestion{Node: "node-1", Route: fed, Given: true, From: &from})
	if err != nil {
		t.Fatal(err)
	}
	r.asker.Live = askBirds(context.Background(), birds.Settings{Socket: r.node.Socket}, birdQuestion{net: fed.Net, sessions: r.asker.SessionsWith("node-1", 4, to)})
	defer func() { r.asker.Live = nil }()
	if r.asker.Live == nil {
		t.Fatal("BIRD does not answer")
	}
	v := imported.Verdicts[0]
	i := slices.IndexFunc(r.asker.Live.Routes, func(x bgp.Route) bool { return x.Session == v.Session })
	if v.Accepted != (i >= 0) {
		t.Fatalf("%+v: taken %t by the resources, and %t by BIRD", fed, v.Accepted, i >= 0)
	}
	if i >= 0 {
		has := r.asker.Live.Routes[i]
		var communities []string
		for _, c := range has.Communities {
			communities = append(communities, c.String())
		}
		want := slices.Sorted(slices.Values(v.Attributes.Communities))
		slices.Sort(communities)
		if !slices.Equal(communities, want) || !slices.Equal(has.Path, v.Attributes.Path) || *has.LocalPref != *v.Attributes.LocalPref {
			t.Errorf("%s: BIRD has path %v, preference %d, communities %v, and by the resources it is %s", fed.Net, has.Path, *has.LocalPref, communities, v.Attributes)
		}
	}
	told, err := r.asker.Route(explain.RouteQuestion{Node: "node-1", Route: bgp.Route{Net: fed.Net}, To: &to})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range told.BIRD.Differences {
		t.Errorf("%s: %s", fed.Net, d)
	}
	return i >= 0
}

func (r *routersRig) party(address string) explain.Party {
	p, err := r.asker.Party(address)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// commandLine asks as people do: what BIRD says is part of the answer.
func (r *routersRig) commandLine() {
	common := []string{"--data", filepath.Join(r.dir, "cluster.yaml"), "--node", "node-1", "--socket", r.node.Socket, "--bird", "2"}
	for question, want := range map[string]string{
		"explain session node-1 10.0.0.250":           "BIRD: up since",
		"explain route 10.99.0.0/24 --to 10.0.0.251":  "from Node_10_0_0_250, the one in use: local preference 100",
		"explain route 10.128.0.0/26 --to 10.0.0.251": "No difference to what the resources say.",
		"explain route 10.128.64.0/26":                "What BIRD has",
		"explain route 10.128.0.0/26":                 "its own, the one in use\n",
		"explain node node-1":                         "2 sessions up",
	} {
		c := execute(r.t, nil, append(strings.Fields(question), common...)...)
		if c.code != exitGood || !strings.Contains(c.stdout, want) {
			r.t.Errorf("%s: %d, no %q in\n%s%s", question, c.code, want, c.stdout, c.stderr)
		}
	}
	for _, question := range []string{"explain route 10.128.0.0/26", "explain node node-2", "explain session node-1 10.0.0.250"} {
		of2 := append(slices.Clone(common), "--node", "node-2") // the last one counts
		if c := execute(r.t, nil, append(strings.Fields(question), of2...)...); c.code != exitGood || strings.Contains(c.stdout, "BIRD") {
			r.t.Errorf("%s: %d, and what node-1's BIRD says is taken for node-2's:\n%s%s", question, c.code, c.stdout, c.stderr)
		}
	}
	here := settings.Settings{BIRD: birds.Settings{Socket: r.node.Socket, Dir: r.dir}}
	if live := thisMachine(context.Background(), here, func(id netip.Addr) bool { return id.String() == "10.0.0.1" }); live != nil {
		r.t.Errorf("of another node's machine: %+v", live)
	}
	live := thisMachine(context.Background(), here, r.asker.IsAnothers)
	if live == nil || live.BIRD == nil || live.Recovering || len(live.Unreachable) > 0 || live.Addresses == nil {
		r.t.Errorf("%+v", live)
	}
}

func (r *routersRig) write(name, text string) string {
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func (r *routersRig) cluster() string {
	return fmt.Sprintf(`
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {nodeToNodeMeshEnabled: false, prefixAdvertisements: [{cidr: 10.128.0.0/10, communities: ["64512:5"]}]}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-2}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: a}, spec: {cidr: 10.128.0.0/12}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: b}, spec: {cidr: 10.144.0.0/12, disableBGPExport: true}}
---
{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: b}, spec: {node: node-1, cidr: 10.128.0.0/26, state: confirmed}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: r}, spec: {node: node-1, peerIP: 10.0.0.250, asNumber: 65000, filters: [f, g]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: s}, spec: {node: node-1, peerIP: 10.0.0.251, asNumber: 65001, filters: [g, f]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, spec: {importV4: [{action: Accept, matchOperator: Equal, cidr: 10.99.0.0/24}, %s], exportV4: [%s]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: g}, spec: {importV4: [%s], exportV4: [%s]}}
`, r.rules(), r.rules(), r.rules(), r.rules())
}

// rules are some of a BGPFilter's.
func (r *routersRig) rules() string {
	var rules []string
	for range 2 + r.random.IntN(3) {
		parts := []string{"action: " + []string{"Accept", "Reject"}[r.random.IntN(2)]}
		switch r.random.IntN(6) {
		case 0:
			parts = append(parts, fmt.Sprintf(`communities: {values: ["65000:%d"]}`, r.random.IntN(3)))
		case 1:
			parts = append(parts, fmt.Sprintf("asPathPrefix: [65000, %d]", 64600+r.random.IntN(2)))
		case 2:
			parts = append(parts, "source: RemotePeers", r.net())
		case 3:
			parts = append(parts, "peerType: eBGP", "interface: eth*", r.net())
		default:
			parts = append(parts, r.net())
		}
		if parts[0] == "action: Accept" && r.random.IntN(2) == 0 {
			parts = append(parts, fmt.Sprintf(`operations: [{addCommunity: {value: "64512:%d"}}, {prependASPath: {prefix: [64512, 64700]}}]`, r.random.IntN(9)))
		}
		rules = append(rules, "{"+strings.Join(parts, ", ")+"}")
	}
	return strings.Join(rules, ", ")
}

func (r *routersRig) net() string {
	operator := []string{"In", "NotIn", "Equal", "NotEqual"}[[]int{0, 0, 0, 1, 2, 3}[r.random.IntN(6)]]
	p := r.prefix()
	p = netip.PrefixFrom(p.Addr(), 10+r.random.IntN(16)).Masked()
	return fmt.Sprintf("matchOperator: %s, cidr: %s", operator, p)
}

func (r *routersRig) prefix() netip.Prefix {
	a := netip.AddrFrom4([4]byte{10, byte(128 + r.random.IntN(40)), byte(r.random.IntN(4) * 64), byte(r.random.IntN(4) * 64)})
	return netip.PrefixFrom(a, 12+r.random.IntN(15)).Masked()
}

// route is a route as node-1 hears of it: with the router's AS number, and BIRD's own
// local preference.
func (r *routersRig) route() bgp.Route {
	preference := uint32(100)
	x := bgp.Route{Net: r.prefix(), Interface: "eth0", LocalPref: &preference, Path: []uint32{65000}}
	for range r.random.IntN(3) {
		x.Path = append(x.Path, 64600+r.random.Uint32N(2))
	}
	for range r.random.IntN(3) {
		if c := (backends.Community{A: 65000, B: r.random.Uint32N(3)}); !slices.Contains(x.Communities, c) {
			x.Communities = append(x.Communities, c)
		}
	}
	return x
}

// router is the configuration of a BIRD that takes and tells everything.
func router(address string, as int) string {
	return fmt.Sprintf("router id %s;\nprotocol device {}\nprotocol bgp node { local %s as %d; neighbor 10.0.0.1 as 64512; connect delay time 1; ipv4 { import all; export where proto = \"fed\"; }; }\n", address, address, as)
}

func (r *routersRig) feeder() string {
	var b strings.Builder
	b.WriteString(router("10.0.0.250", 65000) + "protocol static fed { ipv4;\n")
	for _, x := range r.fed {
		fmt.Fprintf(&b, "  route %s blackhole {", x.Net)
		for _, as := range slices.Backward(x.Path[1:]) {
			fmt.Fprintf(&b, " bgp_path.prepend(%d);", as)
		}
		for _, c := range x.Communities {
			fmt.Fprintf(&b, " bgp_community.add((%d, %d));", c.A, c.B)
		}
		b.WriteString(" };\n")
	}
	b.WriteString("  route 10.99.0.0/24 blackhole;\n}\n")
	return b.String()
}
