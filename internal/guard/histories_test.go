package guard_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
)

var histories = flag.Int("histories", 1000, "how many random histories are judged")

// TestHistories has random histories of changes judged, and read by the rule as it
// stands in the documentation: what is held is the same.
func TestHistories(t *testing.T) {
	held, live := 0, 0
	for seed := range uint64(*histories) {
		h := newHistory(t, seed)
		for range 12 {
			if h.happens() {
				held++
			} else {
				live++
			}
			if t.Failed() {
				t.Fatalf("history %d:\n%s", seed, h.log)
			}
		}
	}
	t.Logf("%d changes were held, %d went live", held, live)
	if held < live/20 || live < held/20 {
		t.Error("the histories prove little")
	}
}

// history is a world that random things happen to.
type history struct {
	*world
	*rand.Rand
	past []slowPast
	log  string
}

func newHistory(t testing.TB, seed uint64) *history {
	h := &history{Rand: rand.New(rand.NewPCG(seed, 1))}
	s := mesh(2+h.IntN(4), h.IntN(2) == 0)
	for i := range h.IntN(4) {
		put(s, router(i+1))
	}
	if h.IntN(2) == 0 {
		put(s, affinity("10.128.1.0/26"))
	}
	if h.IntN(3) == 0 {
		off(s)
	}
	if h.IntN(3) == 0 {
		withReflectors(s)
		reflecting("node-2")(s)
	}
	for _, name := range slices.Sorted(maps.Keys(s.BGPPeers)) {
		if h.IntN(2) == 0 {
			change(s.BGPPeers, name, func(p *backends.BGPPeer) { p.Filters = []string{"rules"} })
		}
	}
	put(s, password("one"))
	h.world = newWorld(t, s)
	h.routes(h.IntN(3))
	return h
}

// happens lets something happen, and says whether it is held.
func (h *history) happens() bool {
	h.passes()
	what, do := h.something()
	before := h.store.Clone()
	do(before)
	if _, err := bgp.Compute(before, options()); err != nil {
		return false
	}
	do(h.store)
	for k := range h.store.BGPPeers {
		h.announced = h.announced.Noted(h.store.BGPPeers[k], h.now)
	}
	q := h.question()
	r := slow{
		node: "node-1", now: h.now, past: h.past, running: h.running.Config, runState: h.running.State,
		candidate: q.Candidate.Config, state: q.Candidate.State, seen: h.seen, announced: h.announced,
	}
	if h.held != nil {
		r.held = h.held.Lost
	}
	v := guard.Judge(q)
	want := r.verdict()
	h.log += fmt.Sprintf("%s %s: held %t, %s; lost %v\n", h.now.Format(time.TimeOnly), what, v.Held, v.Why, v.Lost)
	if v.Held != want {
		h.t.Errorf("held %t, by the rule %t", v.Held, want)
	}
	if v.Held && h.IntN(3) > 0 {
		h.world.held = &guard.Held{Lost: v.Lost}
		return true
	}
	if v.Held { // somebody approves it
		q.Approved = []string{v.ID}
		if v = guard.Judge(q); v.Held || !v.Approved {
			h.t.Errorf("it is approved, and held: %+v", v)
		}
		h.log += "\tapproved\n"
	}
	h.world.held = nil
	for i := range h.past {
		h.past[i].pardoned = append(slices.Clone(h.past[i].pardoned), v.Pardoned...)
	}
	h.past = append(h.past, slowPast{config: h.running.Config, until: h.now, pardoned: v.Pardoned})
	for i := range h.past {
		if len(v.Pardoned) > 0 {
			h.past[i].pardonedAt = h.now
		}
	}
	h.live(q, v)
	return false
}

// verdict is whether the candidate is held: what is announced is not.
func (r slow) verdict() bool {
	if !r.holds() {
		return false
	}
	announced := false
	s := r.state.Clone()
	for name, p := range r.state.BGPPeers {
		if r.runState.BGPPeers[name] != p && r.isAnnounced(name, p, r.runState.BGPPeers[name]) {
			announced = true
			s.Apply(backends.Event{Key: p.ResourceKey(), Resource: asResource(r.runState.BGPPeers[name])})
		}
	}
	for name, p := range r.runState.BGPPeers {
		if r.state.BGPPeers[name] == nil && r.isAnnounced(name, p) {
			announced = true
			put(s, p)
		}
	}
	if !announced {
		return true
	}
	c, err := bgp.Compute(s, options())
	if err != nil {
		return false
	}
	r.state, r.candidate = s, c
	return r.holds()
}

func asResource(p *backends.BGPPeer) backends.Resource {
	if p == nil {
		return nil
	}
	return p
}

func (r slow) isAnnounced(name string, versions ...*backends.BGPPeer) bool {
	for _, a := range r.announced {
		if a.Object.Name == name && r.now.Before(a.Until) {
			return true
		}
	}
	return slices.ContainsFunc(versions, func(p *backends.BGPPeer) bool {
		if p == nil || p.Intent.DisruptionUntil == "" {
			return false
		}
		until, err := time.Parse(time.RFC3339, p.Intent.DisruptionUntil)
		return err == nil && r.now.Before(until)
	})
}

// passes lets time pass, and sessions come and go.
func (h *history) passes() {
	switch h.IntN(5) {
	case 0:
		h.down()
	case 1:
		for _, name := range slices.Sorted(maps.Keys(h.seen)) {
			if h.IntN(3) == 0 {
				h.down(name)
			}
		}
	default:
		counts := h.IntN(3)
		h.settle().routes(counts)
	}
	h.wait([]time.Duration{time.Second, time.Duration(h.IntN(60)) * time.Second, time.Duration(h.IntN(300)) * time.Second, 7 * time.Minute}[h.IntN(4)])
	h.log += fmt.Sprintf("%s up: %v\n", h.now.Format(time.TimeOnly), h.upNames())
}

func (h *history) upNames() []string {
	var names []string
	for name, s := range h.seen {
		if s.Established {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// something is a random change.
func (h *history) something() (string, func(*backends.State)) {
	i, n := 2+h.IntN(4), h.IntN(100)
	name, r := fmt.Sprintf("node-%d", i), router(1+h.IntN(3))
	onNode := func(do func(*backends.Node)) func(*backends.State) {
		return func(s *backends.State) {
			if s.Nodes[name] != nil {
				change(s.Nodes, name, do)
			}
		}
	}
	onPeer := func(do func(*backends.BGPPeer)) func(*backends.State) {
		return func(s *backends.State) {
			if s.BGPPeers[r.Name] != nil {
				change(s.BGPPeers, r.Name, do)
			}
		}
	}
	onDefault := func(do func(*backends.BGPConfiguration)) func(*backends.State) {
		return func(s *backends.State) {
			if s.BGPConfigurations["default"] == nil {
				put(s, &backends.BGPConfiguration{Name: "default"})
			}
			change(s.BGPConfigurations, "default", do)
		}
	}
	cluster := netip.AddrFrom4([4]byte{1, 0, 0, byte(i)})
	all := []struct {
		what string
		do   func(*backends.State)
	}{
		{"mesh off", onDefault(func(c *backends.BGPConfiguration) { c.NodeToNodeMesh = new(bool) })},
		{"mesh on", onDefault(func(c *backends.BGPConfiguration) { c.NodeToNodeMesh = nil })},
		{"AS number", onDefault(func(c *backends.BGPConfiguration) { c.ASNumber = uint32(64512 + n%2) })},
		{"listen port", onDefault(func(c *backends.BGPConfiguration) { c.ListenPort = uint16(179 + n%2) })},
		{"mesh password", onDefault(func(c *backends.BGPConfiguration) {
			c.NodeMeshPassword = []*backends.SecretKeyRef{nil, {Name: "mesh", Key: "password"}}[n%2]
		})},
		{"no configuration", without(backends.KindBGPConfiguration, "default")},
		{"secret", func(s *backends.State) { put(s, password([]string{"one", "two"}[n%2])) }},
		{"no secret", unsecured},
		{"no node " + name, without(backends.KindNode, name)},
		{"node " + name, func(s *backends.State) { put(s, aNode(i, n%2 == 0)) }},
		{"no address of " + name, onNode(func(o *backends.Node) { o.IPv4 = backends.NodeAddress{} })},
		{"another address of " + name, onNode(func(o *backends.Node) { o.IPv4 = nodeAddress(fmt.Sprintf("10.0.0.%d/24", 10*i)) })},
		{"IPv6 of " + name, onNode(func(o *backends.Node) { o.IPv6 = backends.NodeAddress{} })},
		{"AS of " + name, onNode(func(o *backends.Node) { o.ASNumber = uint32(64512 + n%2) })},
		{"reflector " + name, onNode(func(o *backends.Node) {
			o.ClusterID, o.Labels = cluster, map[string]string{"rr": "yes"}
		})},
		{"no reflector " + name, onNode(func(o *backends.Node) { o.ClusterID, o.Labels = netip.Addr{}, nil })},
		{"reflector ourselves", func(s *backends.State) {
			change(s.Nodes, "node-1", func(o *backends.Node) { o.ClusterID = netip.MustParseAddr("1.0.0.1") })
		}},
		{"our address", func(s *backends.State) {
			change(s.Nodes, "node-1", func(o *backends.Node) { o.IPv4 = nodeAddress(fmt.Sprintf("10.0.0.%d/24", 1+100*(n%2))) })
		}},
		{"reflectors", withReflectors},
		{"no reflectors", without(backends.KindBGPPeer, "reflectors")},
		{"no " + r.Name, without(backends.KindBGPPeer, r.Name)},
		{"no " + r.Name, without(backends.KindBGPPeer, r.Name)},
		{r.Name, func(s *backends.State) { put(s, r) }},
		{"AS of " + r.Name, onPeer(func(p *backends.BGPPeer) { p.ASNumber = uint32(65000 + n%2) })},
		{"address of " + r.Name, onPeer(func(p *backends.BGPPeer) { p.PeerIP = netip.AddrFrom4([4]byte{192, 0, 2, byte(50 + n%20)}) })},
		{"node of " + r.Name, onPeer(func(p *backends.BGPPeer) { p.Node = []string{"", "node-1"}[n%2] })},
		{"TTL of " + r.Name, onPeer(func(p *backends.BGPPeer) { p.TTLSecurity = uint8(n % 2) })},
		{"filter of " + r.Name, onPeer(func(p *backends.BGPPeer) { p.Filters = [][]string{nil, {"rules"}}[n%2] })},
		{r.Name + " announced", onPeer(func(p *backends.BGPPeer) { announce(p, h.now.Add(3*time.Minute).Format(time.RFC3339)) })},
		{"filter closed", withFilter(backends.FilterRule{})},
		{"filter open", withFilter(backends.FilterRule{CIDR: netip.MustParsePrefix("203.0.113.0/24"), Match: backends.MatchIn})},
		{"no filter", without(backends.KindBGPFilter, "rules")},
		{"pool", func(s *backends.State) {
			change(s.IPPools, "pool", func(p *backends.IPPool) { p.DisableBGPExport = n%2 == 0 })
		}},
		{"block", func(s *backends.State) { put(s, affinity(fmt.Sprintf("10.128.%d.0/26", 1+n%2))) }},
		{"no block", without(backends.KindBlockAffinity, fmt.Sprintf("10.128.%d.0/26", 1+n%2))},
		{"block given back", func(s *backends.State) {
			cidr := fmt.Sprintf("10.128.%d.0/26", 1+n%2)
			if s.BlockAffinities[cidr] != nil {
				change(s.BlockAffinities, cidr, func(a *backends.BlockAffinity) { a.State = "pendingDeletion" })
			}
		}},
	}
	x := all[h.IntN(len(all))]
	if h.IntN(3) == 0 {
		y := all[h.IntN(len(all))]
		return x.what + ", " + y.what, func(s *backends.State) { x.do(s); y.do(s) }
	}
	return x.what, x.do
}
