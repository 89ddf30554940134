package bgp

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"

	"confd/backends"
)

// sessionsMemory is what working out the sessions has come to.
type sessionsMemory struct {
	sessions [2][]*Session
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
			sessions: [2][]*Session{c.config.IPv4.Sessions, c.config.IPv6.Sessions}, filters: c.filters, standIns: c.standIns,
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
		c.sharedNeighbors(f.Sessions)
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
// before, that very list.
func (l sessionList) inOrder(before []*Session) []*Session {
	l = l.recognized(before)
	slices.SortFunc(l.fresh, func(a, b *Session) int { return cmp.Compare(a.Name, b.Name) })
	kept := make([]*Session, 0, len(before))
	for i, keep := range l.kept {
		if keep {
			kept = append(kept, before[i])
		}
	}
	if before != nil && len(l.fresh) == 0 && len(kept) == len(before) {
		return before
	}
	out := make([]*Session, 0, len(kept)+len(l.fresh))
	for _, s := range l.fresh {
		at, _ := placeOf(kept, s.Name)
		out, kept = append(append(out, kept[:at]...), s), kept[at:]
	}
	return append(out, kept...)
}

// placeOf is where a name is, or would be, among sessions that are sorted by it.
func placeOf(list []*Session, name string) (place int, found bool) {
	return slices.BinarySearchFunc(list, name, func(s *Session, name string) int { return cmp.Compare(s.Name, name) })
}

// recognized is the list with those of the fresh sessions kept that have come out the
// same as before.
func (l sessionList) recognized(before []*Session) sessionList {
	if len(before) == 0 {
		return l
	}
	out := sessionList{kept: l.kept}
	if out.kept == nil {
		out.kept = make([]bool, len(before))
	}
	for _, s := range l.fresh {
		i, found := placeOf(before, s.Name)
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

// familyIndex is the place of a family in Families.
func familyIndex(f *Family) int { return (f.Version - 4) / 2 }

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

func (c *computer) familyOf(a netip.Addr) *Family {
	if VersionOf(a) == 4 {
		return &c.config.IPv4
	}
	return &c.config.IPv6
}
