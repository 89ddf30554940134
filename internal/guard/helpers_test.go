package guard_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
	"confd/internal/guard"
)

// now is when all judgements are made.
func now() time.Time { return time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC) }

func ago(d time.Duration) time.Time { return now().Add(-d) }

// put writes a resource into the state, and drop takes one away.
func put(s *backends.State, r backends.Resource) {
	s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
}

func drop(s *backends.State, kind backends.Kind, name string) {
	s.Apply(backends.Event{Key: backends.Key{Kind: kind, Name: name}})
}

// change writes a changed copy of a resource.
func change[T any](table map[string]*T, name string, do func(*T)) {
	r := *table[name]
	do(&r)
	table[name] = &r
}

// mesh is a cluster of n nodes with IPv4, and IPv6 where both is set; each test
// is that of node-1.
func mesh(n int, both bool) *backends.State {
	s := backends.NewState()
	put(s, &backends.BGPConfiguration{Name: "default"})
	put(s, &backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16")})
	for i := 1; i <= n; i++ {
		put(s, aNode(i, both))
	}
	return s
}

func aNode(i int, both bool) *backends.Node {
	n := &backends.Node{Name: fmt.Sprintf("node-%d", i), Labels: map[string]string{}, IPv4: nodeAddress(fmt.Sprintf("10.0.0.%d/24", i))}
	if both {
		n.IPv6 = nodeAddress(fmt.Sprintf("fd00::%d/64", i))
	}
	return n
}

func nodeAddress(text string) backends.NodeAddress {
	p := netip.MustParsePrefix(text)
	return backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
}

// aPeer is a BGPPeer of every node at a router.
func aPeer(name, ip string, as uint32) *backends.BGPPeer {
	return &backends.BGPPeer{Name: name, PeerIP: netip.MustParseAddr(ip), ASNumber: as}
}

func options() bgp.Options { return bgp.Options{Node: "node-1", SecretNamespace: "kube-system"} }

// side computes node-1 for a state.
func side(t testing.TB, s *backends.State) guard.Side {
	t.Helper()
	c, err := bgp.Compute(s, options())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return guard.Side{Config: c, State: s, Hash: fmt.Sprintf("%x", sha256.Sum256(data))}
}

// upNow are all sessions of a configuration, established.
func upNow(c *bgp.Config) []guard.Seen {
	var seen []guard.Seen
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			seen = append(seen, guard.Seen{Name: s.Name, Set: "bird", Established: true})
		}
	}
	return seen
}

// question asks about a change of a state: all sessions are established.
func question(t testing.TB, before *backends.State, change func(*backends.State)) guard.Question {
	t.Helper()
	after := before.Clone()
	change(after)
	running := side(t, before)
	return guard.Question{
		Options: options(), Now: now(), BIRD: 2, Running: &running, Candidate: side(t, after), Seen: upNow(running.Config),
	}
}

// downSince makes a session one that was lost some time ago.
func downSince(seen []guard.Seen, d time.Duration, names ...string) []guard.Seen {
	seen = slices.Clone(seen)
	for i, s := range seen {
		if len(names) == 0 || slices.Contains(names, s.Name) {
			seen[i].Established, seen[i].Last = false, ago(d)
		}
	}
	return seen
}

func textSet(name, text string) birdtext.Set {
	return birdtext.Set{Name: name, Files: [][]byte{[]byte(text)}}
}

func off(s *backends.State) {
	put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool)})
}

// heldText is what a verdict comes to, on one line.
func heldText(v guard.Verdict) string { return cmp.Or(v.Why, "goes live") }
