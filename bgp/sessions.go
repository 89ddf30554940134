package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"confd/backends"
)

// bgpPort is where BGP listens where nobody says otherwise (RFC 4271).
const bgpPort = 179

// endpoint is what a session is known by.
type endpoint struct {
	address netip.Addr
	port    uint16
}

// sessionsMemory is what working out the sessions has come to.
type sessionsMemory struct {
	sessions [2][]Session
	filters  map[string]bool
	standIns map[string]*backends.BGPFilter
	lost     []lostSession
	problems []Problem
	// needed are the addresses that must be reached, which depend on the same things; nil:
	// nobody has asked yet.
	needed [2][]needed
}

// sessions works out this node's sessions, or takes those that are remembered.
func (c *computer) sessions() {
	reported := len(c.config.Problems)
	if c.same == nil {
		c.workOutSessions()
		c.asked = sessionsMemory{
			sessions: [2][]Session{c.config.IPv4.Sessions, c.config.IPv6.Sessions}, filters: c.filters, standIns: c.standIns,
			lost: c.lost, problems: slices.Clone(c.config.Problems[reported:]),
		}
		return
	}
	c.asked = *c.same
	c.filters, c.standIns, c.lost = c.asked.filters, c.asked.standIns, c.asked.lost
	for i, f := range c.config.Families() {
		f.Sessions = c.asked.sessions[i]
	}
	for _, p := range c.asked.problems {
		c.report(p)
	}
}

// workOutSessions works them out in the order in which they win over each other: mesh,
// global, node, reverse, local workload.
func (c *computer) workOutSessions() {
	c.sharedAddresses()
	c.mesh()
	peers := c.usablePeers()
	for _, global := range []bool{true, false} {
		for _, p := range peers {
			if isGlobal(p.BGPPeer) == global && p.local {
				c.forward(p)
			}
		}
	}
	for _, p := range peers {
		if !p.NoReversePeering && p.LocalWorkloadSelector == "" {
			c.reverse(p)
		}
	}
	for _, p := range peers {
		if p.LocalWorkloadSelector != "" && p.local {
			c.localWorkloads(p)
		}
	}
	for i, f := range c.config.Families() {
		f.Sessions = c.added[i].inOrder(c.before.sessions[i])
	}
}

// sessionList are the sessions of a family, as they come.
type sessionList struct {
	// kept are those that are the same as in the list of before, by their places in it.
	kept []bool
	// fresh are the others.
	fresh []*Session
}

// inOrder returns the sessions sorted by name; where they are all those that were
// before, that very list. Sorting pointers spares moving the sessions themselves about.
func (l sessionList) inOrder(before []Session) []Session {
	l = l.recognized(before)
	slices.SortFunc(l.fresh, func(a, b *Session) int { return cmp.Compare(a.Name, b.Name) })
	kept := make([]*Session, 0, len(before))
	for i, keep := range l.kept {
		if keep {
			kept = append(kept, &before[i])
		}
	}
	if before != nil && len(l.fresh) == 0 && len(kept) == len(before) {
		return before
	}
	out := make([]Session, 0, len(kept)+len(l.fresh))
	for fresh := l.fresh; len(kept)+len(fresh) > 0; {
		if len(fresh) == 0 || len(kept) > 0 && kept[0].Name < fresh[0].Name {
			out, kept = append(out, *kept[0]), kept[1:]
		} else {
			out, fresh = append(out, *fresh[0]), fresh[1:]
		}
	}
	return out
}

// recognized is the list with those of the fresh sessions kept that have come out the
// same as before.
func (l sessionList) recognized(before []Session) sessionList {
	if len(before) == 0 {
		return l
	}
	out := sessionList{kept: l.kept}
	if out.kept == nil {
		out.kept = make([]bool, len(before))
	}
	for _, s := range l.fresh {
		i, found := slices.BinarySearchFunc(before, s.Name, func(b Session, name string) int { return cmp.Compare(b.Name, name) })
		if found && !out.kept[i] && before[i].Equal(s) {
			out.kept[i] = true
		} else {
			out.fresh = append(out.fresh, s)
		}
	}
	return out
}

// sharedAddresses reports nodes that have another node's address.
func (c *computer) sharedAddresses() {
	for a, nodes := range c.sharing {
		for _, n := range nodes[1:] {
			c.problem(n.ResourceKey(), CodeAddressTaken, true, "has the address %s, which node %q has too: where either could have a session, the first by name has it", a, nodes[0].Name)
		}
	}
}

// withNode begins a session with one of the cluster's nodes; nil where they cannot have
// one in this family.
func (c *computer) withNode(kind SessionKind, f *Family, n *backends.Node) *Session {
	a := addressOf(n, f.Version).Addr
	if !a.IsValid() || !f.Address.IsValid() || n == c.me || a == f.Address {
		return nil
	}
	return &Session{
		Kind: kind, Neighbor: a, Port: c.listenPort(n), PortInName: kind != MeshSession && c.listenPort(n) != 0,
		AS: c.asNumber(n), LocalAS: c.config.ASNumber,
		PeerNode: n.Name, PeerClusterID: n.ClusterID,
	}
}

// add completes a session and takes it up, unless its neighbor and port are
// taken: then it is reported, if somebody asked for it by name.
func (c *computer) add(f *Family, s *Session) {
	s.Internal = s.AS == s.LocalAS
	if s.Internal && c.me.ClusterID.IsValid() && s.PeerClusterID != c.me.ClusterID {
		s.RRClient, s.ClusterID = true, c.me.ClusterID
	}
	s.Name = nameOf(s)
	if c.take(s) {
		c.added[familyIndex(f)].fresh = append(c.added[familyIndex(f)].fresh, s)
	}
}

func endpointOf(s *Session) endpoint { return endpoint{s.Neighbor, cmp.Or(s.Port, bgpPort)} }

// familyIndex is the place of a family in Families.
func familyIndex(f *Family) int { return (f.Version - 4) / 2 }

// take has a session's neighbor and port for it, and says whether they were free. Those
// of the mesh are: they come first, and their neighbors are all others.
func (c *computer) take(s *Session) bool {
	if s.Kind == MeshSession && c.meshed {
		return true
	}
	at := endpointOf(s)
	first := c.taken[at]
	if c.claimed != nil {
		c.claimed(s, first)
	}
	var winner backends.Key
	switch {
	case first != nil:
		winner = first.Reason.Object
	case c.meshHas(at):
		winner = c.defaults.ResourceKey()
	}
	if winner != (backends.Key{}) {
		if !s.Reason.Reverse && winner != s.Reason.Object {
			c.lost = append(c.lost, lostSession{s.Reason.Object, winner, s.Name})
		}
		return false
	}
	c.taken[at] = s
	for _, calls := range [][]FilterCall{s.Import, s.Export} {
		for _, call := range calls {
			c.filters[call.Filter] = true
		}
	}
	return true
}

// lostSession is a session that another object's has taken the place of.
type lostSession struct {
	loser, winner backends.Key
	name          string
}

// reportLost reports them: one line for each pair of objects.
func (c *computer) reportLost() {
	type pair struct{ loser, winner backends.Key }
	names := map[pair][]string{}
	for _, l := range c.lost {
		names[pair{l.loser, l.winner}] = append(names[pair{l.loser, l.winner}], l.name)
	}
	for p, sessions := range names {
		more := ""
		if len(sessions) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(sessions)-1)
		}
		c.problem(p.loser, CodeSessionTaken, true, "session %s%s is left out: %s has one with the same neighbor and port", sessions[0], more, p.winner)
	}
}

// nameOf is a session's name. It is stable: it depends on the neighbor alone.
func nameOf(s *Session) string {
	name := append(append(make([]byte, 0, 64), s.Kind...), '_')
	name = s.Neighbor.AppendTo(name)
	for i, c := range name {
		if c == '.' || c == ':' {
			name[i] = '_'
		}
	}
	if s.PortInName {
		name = strconv.AppendUint(append(name, "_port_"...), uint64(s.Port), 10)
	}
	return string(name)
}

// usablePeers are the BGPPeers, by name, whose selectors can be read.
func (c *computer) usablePeers() []peer {
	var out []peer
	for _, name := range slices.Sorted(maps.Keys(c.state.BGPPeers)) {
		p := c.state.BGPPeers[name]
		local, err := c.onLocalSide(p, c.me)
		if err == nil && p.PeerSelector != "" {
			_, err = c.parse(p.PeerSelector)
		}
		if err != nil {
			c.problem(p.ResourceKey(), CodeBadSelector, true, "left out: %v", err)
			continue
		}
		out = append(out, peer{BGPPeer: p, local: local})
	}
	return out
}

// peer is a BGPPeer, and whether it gives sessions to this node.
type peer struct {
	*backends.BGPPeer
	local bool
}

func (p peer) kind() SessionKind {
	if isGlobal(p.BGPPeer) {
		return GlobalSession
	}
	return NodeSession
}

// forward adds the sessions that a BGPPeer gives this node.
func (c *computer) forward(p peer) {
	switch {
	case p.PeerIP.IsValid():
		c.forwardAddress(p)
	case p.PeerSelector != "":
		nodes, _ := c.selectNodes(p.PeerSelector) // usablePeers has read it
		c.withNodes(p, nodes, p.kind(), c.config.Families(), func(n *backends.Node) Reason {
			return Reason{Object: p.ResourceKey(), Text: fmt.Sprintf("BGPPeer %s: its peerSelector chooses node %s", p.Name, n.Name)}
		})
	}
}

func (c *computer) forwardAddress(p peer) {
	f := c.familyOf(p.PeerIP)
	if c.isMine(p.PeerIP) {
		// That all nodes have a peer that is one of them is usual; that a node has
		// another BGP speaker on its own address is not.
		if p.Port != 0 && p.Port != cmp.Or(c.listenPort(c.me), bgpPort) {
			c.problem(p.ResourceKey(), CodeOwnAddress, true, "its session with %s port %d is left out: the address is node %q's own, which BIRD has no sessions with", p.PeerIP, p.Port, c.me.Name)
		}
		return
	}
	if !f.Address.IsValid() {
		c.problem(p.ResourceKey(), CodeNoAddress, true, "its session with %s is left out: node %q has no IPv%d address", p.PeerIP, c.me.Name, f.Version)
		return
	}
	s := &Session{
		Kind: p.kind(), Neighbor: p.PeerIP, Port: p.Port, AS: cmp.Or(p.ASNumber, c.defaultAS()), LocalAS: c.config.ASNumber,
		AllowLocalAS: p.NumAllowedLocalAS,
		Reason:       Reason{Object: p.ResourceKey(), Text: fmt.Sprintf("BGPPeer %s: its peerIP", p.Name)},
	}
	ofItsAS := func(n *backends.Node) bool { return p.ASNumber == 0 || c.asNumber(n) == p.ASNumber }
	if n, ok := c.at(p.PeerIP, ofItsAS); ok {
		s.PeerNode, s.PeerClusterID = n.Name, n.ClusterID
		s.AS = cmp.Or(p.ASNumber, c.asNumber(n))
		if p.LocalASNumber != 0 && p.LocalASNumber != c.config.ASNumber && !p.NoReversePeering {
			c.problem(p.ResourceKey(), CodeLocalAS, false, "has a localASNumber for the session with node %q, whose own end expects AS %d: it cannot come up", n.Name, c.config.ASNumber)
		}
		s.Port = cmp.Or(s.Port, c.listenPort(n))
		s.Passive = s.Kind == GlobalSession && sortsAfter(p.PeerIP, f.Address)
		s.Reason.Text += " is node " + n.Name
	}
	s.PortInName = s.Port != 0
	c.ownLocalAS(s, p)
	if c.settings(s, f, p) {
		c.add(f, s)
	}
}

// isMine says whether an address is this node's.
func (c *computer) isMine(a netip.Addr) bool {
	return a.IsValid() && (a == c.config.IPv4.Address || a == c.config.IPv6.Address)
}

func (c *computer) ownLocalAS(s *Session, p peer) {
	if p.LocalASNumber != 0 {
		s.LocalAS, s.OwnLocalAS = p.LocalASNumber, true
	}
}

// withNodes adds a session with each of the nodes, in each of the families.
func (c *computer) withNodes(p peer, nodes []*backends.Node, kind SessionKind, families []*Family, reason func(*backends.Node) Reason) {
	for _, f := range families {
		for _, n := range nodes {
			if s := c.withNode(kind, f, n); s != nil {
				s.Reason = reason(n)
				if !c.settings(s, f, p) {
					return
				}
				c.add(f, s)
			}
		}
	}
}

// reverse adds the sessions that this node needs because a BGPPeer gives other
// nodes sessions with it.
func (c *computer) reverse(p peer) {
	if !c.onRemoteSide(p) {
		return
	}
	nodes, _ := c.localSide(p.BGPPeer) // usablePeers has read its selector
	reason := func(n *backends.Node) Reason {
		return Reason{Object: p.ResourceKey(), Reverse: true, Text: fmt.Sprintf("BGPPeer %s: the other side of node %s's session with this node", p.Name, n.Name)}
	}
	families := c.config.Families()
	if p.PeerIP.IsValid() {
		families = []*Family{c.familyOf(p.PeerIP)}
	}
	c.withNodes(p, nodes, NodeSession, families, reason)
}

// onRemoteSide says whether this node is what a BGPPeer's sessions lead to.
func (c *computer) onRemoteSide(p peer) bool {
	if p.PeerSelector != "" {
		yes, _ := c.matches(p.PeerSelector, c.me) // usablePeers has read it
		return yes
	}
	if !c.isMine(p.PeerIP) {
		return false
	}
	port := c.listenPort(c.me)
	return cmp.Or(p.ASNumber, c.defaultAS()) == c.config.ASNumber && (p.Port == 0 || port == 0 || port == p.Port)
}

// localWorkloads adds a session with each local workload that names the peer.
func (c *computer) localWorkloads(p peer) {
	for _, name := range slices.Sorted(maps.Keys(c.state.EndpointStatuses)) {
		w := c.state.EndpointStatuses[name]
		if w.BGPPeer != p.Name {
			continue
		}
		for _, a := range []netip.Addr{w.IPv4, w.IPv6} {
			if a.IsValid() && c.familyOf(a).Address.IsValid() {
				c.localWorkload(p, w, a)
			}
		}
	}
}

func (c *computer) localWorkload(p peer, w *backends.EndpointStatus, a netip.Addr) {
	f := c.familyOf(a)
	s := &Session{
		Kind: LocalWorkloadSession, Neighbor: a, AS: cmp.Or(p.ASNumber, c.defaultAS()), LocalAS: c.config.ASNumber,
		Reason: Reason{Object: p.ResourceKey(), Text: fmt.Sprintf("BGPPeer %s: local workload on interface %s", p.Name, w.Interface)},
	}
	c.ownLocalAS(s, p)
	if c.settings(s, f, p) {
		s.Passive, s.Source = true, netip.Addr{}
		c.add(f, s)
	}
}

func (c *computer) familyOf(a netip.Addr) *Family {
	if VersionOf(a) == 4 {
		return &c.config.IPv4
	}
	return &c.config.IPv6
}
