package bgp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
)

// stateOf is a state with the given resources.
func stateOf(resources ...backends.Resource) *backends.State {
	s := backends.NewState()
	for _, r := range resources {
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return s
}

func address(s string) backends.NodeAddress {
	if s == "" {
		return backends.NodeAddress{}
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
	}
	a := netip.MustParseAddr(s)
	return backends.NodeAddress{Addr: a, Subnet: netip.PrefixFrom(a, a.BitLen())}
}

// node makes a node; labels are "k=v".
func node(name, v4, v6 string, labels ...string) *backends.Node {
	n := &backends.Node{Name: name, IPv4: address(v4), IPv6: address(v6), Labels: map[string]string{}}
	for _, l := range labels {
		k, v, _ := strings.Cut(l, "=")
		n.Labels[k] = v
	}
	return n
}

func reflector(n *backends.Node, id string) *backends.Node {
	n.ClusterID = netip.MustParseAddr(id)
	return n
}

func meshOff() *backends.BGPConfiguration {
	off := false
	return &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: &off}
}

func compute(t *testing.T, s *backends.State, node string) *Config {
	t.Helper()
	c, err := Compute(s, Options{Node: node, SecretNamespace: "kube-system"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// brief is a session in one line: what the tests of sessions compare.
func brief(s *Session) string {
	b := fmt.Sprintf("%s as %d", s.Name, s.AS)
	add := func(yes bool, text string, args ...any) {
		if yes {
			b += " " + fmt.Sprintf(text, args...)
		}
	}
	add(s.Port != 0, "port %d", s.Port)
	add(s.OwnLocalAS, "local as %d", s.LocalAS)
	add(!s.Internal, "external")
	add(!s.Source.IsValid(), "no source")
	add(s.Passive, "passive")
	add(s.RRClient, "client of %s", s.ClusterID)
	add(s.NextHop != "", "next hop %s", s.NextHop)
	add(s.TTLHops != 0, "ttl %d", s.TTLHops)
	add(s.Password != "", "password %s", s.Password)
	add(len(s.Filters) > 0, "filters %v", s.Filters)
	add(s.Reason.Reverse, "reverse")
	return b
}

func briefs(c *Config) []string {
	var out []string
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			out = append(out, brief(s))
		}
	}
	return out
}

func problemTexts(c *Config) []string {
	var out []string
	for _, p := range c.Problems {
		out = append(out, p.Object.String()+" "+p.Text)
	}
	return out
}

func TestSessions(t *testing.T) {
	a := netip.MustParseAddr
	n1, n2, n3 := node("n1", "10.0.0.2/24", "fd00::2/64"), node("n2", "10.0.0.10/24", ""), node("n3", "10.0.0.3/24", "fd00::3/64")
	rr := func() *backends.Node { return reflector(node("rr", "10.0.0.99/24", "", "rr=yes"), "1.1.1.1") }
	keepalive := 1400 * time.Millisecond
	tests := []struct {
		name      string
		node      string
		resources []backends.Resource
		want      []string
		problems  []string // parts of the problems, in order
	}{
		{
			name: "mesh, where the greater string waits for the other side", node: "n1", resources: []backends.Resource{n1, n2, n3},
			// "10.0.0.10" sorts before "10.0.0.2", though it is the greater address.
			want: []string{"Mesh_10_0_0_10 as 64512", "Mesh_10_0_0_3 as 64512 passive", "Mesh_fd00__3 as 64512 passive"},
		},
		{
			name: "mesh leaves reflectors out", node: "n1", resources: []backends.Resource{n1, n3, rr()},
			want: []string{"Mesh_10_0_0_3 as 64512 passive", "Mesh_fd00__3 as 64512 passive"},
		},
		{
			name: "a reflector has no mesh", node: "rr", resources: []backends.Resource{n1, rr()},
		},
		{
			name: "mesh with AS numbers, ports and password", node: "n1",
			resources: []backends.Resource{
				n1, &backends.Node{Name: "n2", IPv4: address("10.0.0.10/24"), ASNumber: 65000},
				&backends.BGPConfiguration{Name: "default", ASNumber: 65100, ListenPort: 177, NodeMeshPassword: &backends.SecretKeyRef{Name: "s", Key: "k"}},
				&backends.BGPConfiguration{Name: "node.n2", ListenPort: 178},
				&backends.Secret{Namespace: "kube-system", Name: "s", Data: map[string]string{"k": "x y"}},
			},
			want: []string{"Mesh_10_0_0_10 as 65000 port 178 external password x y"},
		},
		{
			name: "two nodes with one address: the first by name", node: "n1",
			resources: []backends.Resource{n1, node("n4", "10.0.0.3/24", ""), n3},
			want:      []string{"Mesh_10_0_0_3 as 64512 passive", "Mesh_fd00__3 as 64512 passive"},
			problems:  []string{`Node n4 has the address 10.0.0.3, which node "n3" has too`},
		},
		{
			name: "another node with our own address", node: "n1",
			resources: []backends.Resource{n1, node("n0", "10.0.0.2/24", ""), n3},
			want:      []string{"Mesh_10_0_0_3 as 64512 passive", "Mesh_fd00__3 as 64512 passive"},
			problems:  []string{`Node n1 has the address 10.0.0.2, which node "n0" has too`},
		},
		{
			name: "a global peer wins over a node's, and the first name over the second", node: "n1",
			resources: []backends.Resource{
				n1, meshOff(),
				&backends.BGPPeer{Name: "a", Node: "n1", PeerIP: a("10.9.9.9"), ASNumber: 1},
				&backends.BGPPeer{Name: "y", PeerIP: a("10.9.9.9"), ASNumber: 2},
				&backends.BGPPeer{Name: "z", PeerIP: a("10.9.9.9"), Port: 179, ASNumber: 3},
				&backends.BGPPeer{Name: "zz", PeerIP: a("10.9.9.9"), Port: 180, ASNumber: 4},
			},
			want: []string{"Global_10_9_9_9 as 2 external", "Global_10_9_9_9_port_180 as 4 port 180 external"},
			problems: []string{
				"BGPPeer a session Node_10_9_9_9 is left out: BGPPeer y has one",
				"BGPPeer z session Global_10_9_9_9_port_179 is left out: BGPPeer y has one",
			},
		},
		{
			name: "peerIP that is a node: its port, and who waits", node: "n1",
			resources: []backends.Resource{
				n1, n3, meshOff(), &backends.BGPConfiguration{Name: "node.n3", ListenPort: 500},
				&backends.BGPPeer{Name: "a", PeerIP: a("10.0.0.3"), ASNumber: 64512, NoSourceAddress: true},
				&backends.BGPPeer{Name: "self", PeerIP: a("10.0.0.2"), ASNumber: 64512},
			},
			want: []string{"Global_10_0_0_3_port_500 as 64512 port 500 no source passive"},
		},
		{
			name: "reflector and clients, by selector, both sides", node: "rr",
			resources: []backends.Resource{n1, n3, rr(), &backends.BGPPeer{Name: "p", NodeSelector: "!has(rr)", PeerSelector: "rr == 'yes'", KeepaliveTime: &keepalive}},
			want:      []string{"Node_10_0_0_2 as 64512 client of 1.1.1.1 reverse", "Node_10_0_0_3 as 64512 client of 1.1.1.1 reverse"},
		},
		{
			name: "client of a reflector", node: "n1",
			resources: []backends.Resource{meshOff(), n1, n3, rr(), &backends.BGPPeer{Name: "p", NodeSelector: "!has(rr)", PeerSelector: "rr == 'yes'"}},
			want:      []string{"Node_10_0_0_99 as 64512"},
		},
		{
			name: "manual reverse peering", node: "rr",
			resources: []backends.Resource{n1, rr(), &backends.BGPPeer{Name: "p", NodeSelector: "!has(rr)", PeerSelector: "rr == 'yes'", NoReversePeering: true}},
		},
		{
			name: "reverse of a peerIP: same AS, and the right port", node: "n3",
			resources: []backends.Resource{
				n1, n2, n3, meshOff(),
				&backends.BGPPeer{Name: "a", Node: "n1", PeerIP: a("10.0.0.3")},
				&backends.BGPPeer{Name: "b", Node: "n2", PeerIP: a("10.0.0.3"), ASNumber: 65000},
			},
			want: []string{"Node_10_0_0_2 as 64512 reverse"},
		},
		{
			name: "a reflector's client in another AS is no client", node: "rr",
			resources: []backends.Resource{
				rr(), meshOff(),
				&backends.BGPPeer{Name: "in", Node: "rr", PeerIP: a("10.9.9.1"), ASNumber: 64512},
				&backends.BGPPeer{Name: "out", Node: "rr", PeerIP: a("10.9.9.2"), ASNumber: 65000, KeepOriginalNextHop: true},
				&backends.BGPPeer{Name: "own", Node: "rr", PeerIP: a("10.9.9.3"), ASNumber: 65000, LocalASNumber: 65000, NextHopMode: backends.NextHopSelf, KeepOriginalNextHop: true},
			},
			want: []string{
				"Node_10_9_9_1 as 64512 client of 1.1.1.1",
				"Node_10_9_9_2 as 65000 external next hop keep",
				"Node_10_9_9_3 as 65000 local as 65000 client of 1.1.1.1 next hop self",
			},
		},
		{
			name: "a peerIP without an AS number is its node's, which does not know of localASNumber", node: "n1",
			resources: []backends.Resource{
				n1, &backends.Node{Name: "n2", IPv4: address("10.0.0.10/24"), ASNumber: 65000}, meshOff(),
				&backends.BGPPeer{Name: "a", Node: "n1", PeerIP: a("10.0.0.10"), LocalASNumber: 65001},
			},
			want:     []string{"Node_10_0_0_10 as 65000 local as 65001 external"},
			problems: []string{"BGPPeer a has a localASNumber for the session with node \"n2\", whose own end expects AS 64512"},
		},
		{
			name: "many sessions that another BGPPeer has are one report", node: "n1",
			resources: []backends.Resource{
				n1, n2, n3, meshOff(), &backends.BGPPeer{Name: "a", PeerSelector: "all()"}, &backends.BGPPeer{Name: "b", PeerSelector: "all()"},
			},
			want:     []string{"Global_10_0_0_10 as 64512", "Global_10_0_0_3 as 64512", "Global_fd00__3 as 64512"},
			problems: []string{"BGPPeer b session Global_10_0_0_10 (and 2 more) is left out: BGPPeer a has one"},
		},
		{
			name: "local workloads", node: "n2",
			resources: []backends.Resource{
				n2, meshOff(), &backends.BGPPeer{Name: "w", LocalWorkloadSelector: "all()", ASNumber: 65001, LocalASNumber: 65002},
				&backends.EndpointStatus{Name: "pod", Interface: "cali1", IPv4: a("10.1.0.5"), IPv6: a("fd01::5"), BGPPeer: "w"},
				&backends.EndpointStatus{Name: "other", Interface: "cali2", IPv4: a("10.1.0.6"), BGPPeer: "x"},
				&backends.EndpointStatus{Name: "host", Interface: "cali3", IPv4: n2.IPv4.Addr, BGPPeer: "w"},
			},
			want:     []string{"Local_Workload_10_1_0_5 as 65001 local as 65002 external no source passive"},
			problems: []string{"EndpointStatus host its session with 10.0.0.10 by BGPPeer w is left out: the address is node \"n2\"'s own"},
		},
		{
			name: "filters and passwords that are not there, and one that no BIRD can take", node: "n1",
			resources: []backends.Resource{
				n1, meshOff(), &backends.BGPFilter{Name: "f", ImportV4: []backends.FilterRule{{Accept: true}}},
				&backends.Secret{Namespace: "kube-system", Name: "s", Data: map[string]string{"bad": `"; }`, "empty": ""}},
				&backends.BGPPeer{Name: "a", PeerIP: a("10.9.9.1"), ASNumber: 64512, Filters: []string{"f", "g"}, Password: &backends.SecretKeyRef{Name: "s", Key: "k"}},
				&backends.BGPPeer{Name: "b", PeerIP: a("10.9.9.2"), ASNumber: 64512, Password: &backends.SecretKeyRef{Name: "s", Key: "bad"}},
				&backends.BGPPeer{Name: "c", PeerIP: a("10.9.9.3"), ASNumber: 64512, Password: &backends.SecretKeyRef{Name: "t", Key: "k"}},
				&backends.BGPPeer{Name: "d", PeerIP: a("10.9.9.4"), ASNumber: 64512, Password: &backends.SecretKeyRef{Name: "s", Key: "empty"}},
			},
			want: []string{"Global_10_9_9_1 as 64512 filters [f]", "Global_10_9_9_3 as 64512", "Global_10_9_9_4 as 64512"},
			problems: []string{
				`BGPPeer a Secret kube-system/s has no key "k"`, `BGPPeer a names the BGPFilter "g", which does not exist`,
				"BGPPeer b its sessions are left out: the password in Secret kube-system/s", "BGPPeer c Secret kube-system/t, which has its password, does not exist",
				`BGPPeer d Secret kube-system/s has an empty key "empty" for its password: its sessions go without a password`,
			},
		},
		{
			name: "selectors that cannot be read, and a family without an address", node: "n2",
			resources: []backends.Resource{
				n2, n3, meshOff(),
				&backends.BGPPeer{Name: "a", NodeSelector: "all(", PeerIP: a("10.9.9.1")},
				&backends.BGPPeer{Name: "b", PeerSelector: "x = 'y'"},
				&backends.BGPPeer{Name: "c", PeerIP: a("fd00::9"), ASNumber: 1},
				&backends.BGPPeer{Name: "d", PeerSelector: "all()"},
			},
			want:     []string{"Global_10_0_0_3 as 64512"},
			problems: []string{"BGPPeer a left out: spec.nodeSelector: ", "BGPPeer b left out: spec.peerSelector: ", `BGPPeer c its session with fd00::9 is left out: node "n2" has no IPv6 address`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stateOf(tt.resources...)
			c := compute(t, s, tt.node)
			if diff := cmp.Diff(tt.want, briefs(c), cmpopts.EquateEmpty()); diff != "" {
				t.Error("sessions (-want +got):\n" + diff)
			}
			texts := problemTexts(c)
			if len(texts) != len(tt.problems) {
				t.Fatalf("problems: got %q, want %q", texts, tt.problems)
			}
			for i, part := range tt.problems {
				if !strings.Contains(texts[i], part) {
					t.Errorf("problem %d: got %q, want one with %q", i, texts[i], part)
				}
			}
			if diff := cmp.Diff(c, compute(t, s, tt.node), compareAddresses()); diff != "" {
				t.Error("the same state gives two configurations:\n" + diff)
			}
		})
	}
}

func compareAddresses() cmp.Option {
	return cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
}

func TestOneBadPeerAmongMany(t *testing.T) {
	s := stateOf(node("n1", "10.0.0.1/8", ""), meshOff())
	for i := range 100 {
		p := &backends.BGPPeer{Name: fmt.Sprintf("peer-%03d", i), PeerIP: netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}), ASNumber: 65000}
		s.Apply(backends.Event{Key: p.ResourceKey(), Resource: p})
	}
	bad := backends.Key{Kind: backends.KindBGPPeer, Name: "peer-bad"}
	s.Apply(backends.Event{Key: bad, Err: errors.New("spec.asNumber: 8589934592 is above 4294967295")})
	c := compute(t, s, "n1")
	if got := len(c.IPv4.Sessions); got != 100 {
		t.Errorf("got %d sessions, want 100", got)
	}
	want := []Problem{{Object: bad, Code: backends.Unusable, Text: "left out: spec.asNumber: 8589934592 is above 4294967295", LeftOut: true}}
	if diff := cmp.Diff(want, c.Problems); diff != "" {
		t.Error(diff)
	}
}

func TestRestartTime(t *testing.T) {
	hours := 2 * time.Hour
	c := compute(t, stateOf(node("n1", "10.0.0.1/24", ""), meshOff(),
		&backends.BGPPeer{Name: "a", PeerIP: netip.MustParseAddr("10.9.9.1"), ASNumber: 1, MaxRestartTime: &hours}), "n1")
	if got := *c.IPv4.Sessions[0].GracefulRestartTime; got != 4095 || len(c.Problems) != 1 {
		t.Errorf("got %d s and problems %q", got, problemTexts(c))
	}
}

// TestLongProblems: a problem is a line that can be read, however long the names are that
// it quotes.
func TestLongProblems(t *testing.T) {
	long := strings.Repeat("é", 50_000)
	c := compute(t, stateOf(node("n1", "10.0.0.1/24", ""), &backends.BGPPeer{Name: "a", PeerIP: netip.MustParseAddr("10.9.9.1"), ASNumber: 1,
		Filters: []string{"x" + long}, Password: &backends.SecretKeyRef{Name: "s" + long, Key: long}}), "n1")
	texts := problemTexts(c)
	for _, text := range texts {
		if len(text) > 2100 || !utf8.ValidString(text) {
			t.Errorf("%d bytes: %.100s", len(text), text)
		}
	}
	if len(texts) != 2 {
		t.Errorf("%d problems", len(texts))
	}
}

func TestRequirePasswords(t *testing.T) {
	s := stateOf(node("n1", "10.0.0.1/24", ""), meshOff(),
		&backends.BGPPeer{Name: "a", PeerIP: netip.MustParseAddr("10.9.9.1"), ASNumber: 1, Password: &backends.SecretKeyRef{Name: "s", Key: "k"}},
		&backends.BGPPeer{Name: "b", PeerIP: netip.MustParseAddr("10.9.9.2"), ASNumber: 1})
	secret := backends.Key{Kind: backends.KindSecret, Namespace: "kube-system", Name: "s"}
	s.Apply(backends.Event{Key: secret, Err: errors.New("forbidden")})
	for _, require := range []bool{false, true} {
		c, err := Compute(s, Options{Node: "n1", SecretNamespace: "kube-system", RequirePasswords: require})
		if err != nil {
			t.Fatal(err)
		}
		want := 2
		if require {
			want = 1
		}
		if got := len(c.IPv4.Sessions); got != want {
			t.Errorf("require %v: %d sessions, want %d", require, got, want)
		}
		if texts := strings.Join(problemTexts(c), "\n"); !strings.Contains(texts, "BGPPeer a Secret kube-system/s, which has its password, cannot be read (forbidden)") {
			t.Errorf("problems: %s", texts)
		}
	}
}

func TestRouterID(t *testing.T) {
	s := stateOf(node("n1", "10.0.0.1/8", ""), node("six", "", "fd00::1/64"))
	tests := []struct{ node, given, want, err string }{
		{"n1", "", "10.0.0.1", ""},
		{"n1", "1.2.3.4", "1.2.3.4", ""},
		{"n1", "hash", HashRouterID("n1").String(), ""},
		{"six", "", HashRouterID("six").String(), ""},
		{"n1", "fd00::1", "", "neither an IPv4 address"},
		{"n1", "0.0.0.0", "", "neither an IPv4 address"},
		{"nobody", "", "", "no such node"},
	}
	for _, tt := range tests {
		c, err := Compute(s, Options{Node: tt.node, RouterID: tt.given})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: got error %v", tt, err)
			}
			continue
		}
		if err != nil || c.RouterID.String() != tt.want {
			t.Errorf("%+v: got %v, %v", tt, c, err)
		}
	}
	if got := HashRouterID("kube-master").String(); got != "25.79.212.8" {
		t.Errorf("hash of kube-master: got %s, want 25.79.212.8", got)
	}
}

// A filter that may be in a document that cannot be read closes the session, and
// so does a missing one where the options say so.
func TestMissingFilters(t *testing.T) {
	peer := &backends.BGPPeer{Name: "p", PeerIP: netip.MustParseAddr("10.0.0.9"), Filters: []string{"gone"}}
	for _, tt := range []struct {
		unread, closes, want bool
		problem              string
	}{
		{false, false, false, "which does not exist: its sessions run unfiltered"},
		{false, true, true, "which does not exist: its sessions reject all routes"},
		{true, false, true, "may be in what cannot be read (a.yaml, document 2): its sessions reject all routes"},
	} {
		s := stateOf(node("n1", "10.0.0.1/24", ""), meshOff(), peer)
		if tt.unread {
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindFile, Name: "a.yaml, document 2"}, Err: errors.New("not YAML")})
		}
		c, err := Compute(s, Options{Node: "n1", CloseMissingFilters: tt.closes})
		if err != nil {
			t.Fatal(err)
		}
		got := len(c.IPv4.Sessions[0].Import) == 1 && len(c.IPv4.Sessions[0].Export) == 1 && len(c.Filters) == 1 &&
			cmp.Equal(c.Filters[0], backends.ClosedFilter("gone"), cmpopts.EquateComparable(netip.Prefix{}))
		if got != tt.want {
			t.Errorf("%+v: closed: %t", tt, got)
		}
		if p := strings.Join(problemTexts(c), "\n"); !strings.Contains(p, tt.problem) {
			t.Errorf("%+v: problems %s", tt, p)
		}
	}
}

// A node's own BGPConfiguration counts for others, too: its port is in their sessions.
func TestIgnoredValuesOfOtherNodes(t *testing.T) {
	s := stateOf(node("n1", "10.0.0.1/24", ""), node("n2", "10.0.0.2/24", ""),
		&backends.BGPConfiguration{Name: "node.n2", Ignored: []string{`spec.listenPort: "x" is not a whole number`}})
	cfg, err := Compute(s, Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	if p := cfg.Problems; len(p) != 1 || p[0].Object.String() != "BGPConfiguration node.n2" || p[0].Code != backends.IgnoredValue {
		t.Errorf("%v is said of what n2's BGPConfiguration has that makes no sense", p)
	}
}
