package bgp

import (
	"maps"
	"reflect"

	"confd/backends"
	"confd/bgp/selector"
)

// Memory computes one node's configuration again and again, at the cost of what has
// changed: it is the function Compute, with what the last one was made from beside
// it. Resources never change, so that the same one is the same pointer. What comes
// out depends on the state and the options alone; where nothing in the state that has
// to do with the node is another, it is the very same Config. One that differs has the
// same sessions where they are alike: nobody changes a session. The zero value
// remembers nothing. It is for one goroutine.
type Memory struct {
	options   Options
	state     *backends.State // nil: nothing is remembered
	mark      backends.Mark   // when the other one was as state is
	last      *Config
	cluster   *Cluster
	moved     moved // since cluster was made
	sessions  sessionsMemory
	mesh      meshMemory
	services  serviceMemory
	selectors map[string]*selector.Selector // by their texts
}

// Compute is the function Compute. It is for who changes s, as State.Snapshot is.
func (m *Memory) Compute(s *backends.State, o Options) (*Config, error) {
	me, ok := s.Nodes[o.Node]
	if !ok {
		*m = Memory{}
		return nil, unknownNode(s, o.Node)
	}
	d := m.since(s)
	services := m.state != nil && m.services.follow(d, s.Services)
	if m.state != nil && reflect.DeepEqual(m.options, o) && !services && !m.concerns(d, s, me) {
		m.settle(d, s)
		return m.last, nil
	}
	m.moved.note(d)
	c := newComputer(m.clusterOf(s), o, me)
	c.before, c.services = m.mesh, &m.services
	if m.sameSessions(d, s, o) {
		c.same = &m.sessions
	}
	cfg, err := c.compute()
	if err != nil {
		*m = Memory{}
		return nil, err
	}
	mesh := m.mesh
	if c.same == nil {
		mesh = c.meshMemory()
	}
	*m = Memory{
		options: o, state: m.copied(d, s), mark: s.Mark(), last: cfg, cluster: c.Cluster,
		sessions: c.asked, mesh: mesh, services: m.services, selectors: map[string]*selector.Selector{},
	}
	for text, selected := range c.selected {
		m.selectors[text] = selected.selector
	}
	return cfg, nil
}

// clusterOf is the cluster of a state.
func (m *Memory) clusterOf(s *backends.State) *Cluster {
	if m.state == nil || m.moved.any {
		return NewCluster(s)
	}
	gone, fresh := m.cluster.differing(m.moved.names, s.Nodes)
	return m.cluster.after(s, gone, fresh)
}

// moved are the names of Nodes that may be others.
type moved struct {
	names map[string]bool
	any   bool // any may be
}

// mostMoved is how many names are noted.
const mostMoved = 1024

// note notes those of a difference.
func (m *moved) note(d difference) {
	m.any = m.any || !d.known
	for _, k := range d.keys {
		if k.Kind != backends.KindNode || m.any {
			continue
		}
		if m.names == nil {
			m.names = map[string]bool{}
		}
		m.names[k.Name] = true
		m.any = len(m.names) > mostMoved
	}
}

// difference is between two states: these, or as much of both as can differ.
type difference struct {
	was, is *backends.State
	keys    []backends.Key // of what can differ
	known   bool           // they are, and was and is have no more; false: they are all there is
}

// since is how s differs from the state that is remembered, but for what cannot be used
// and what is said about it. Where it is the same one again, only what was changed is
// looked at.
func (m *Memory) since(s *backends.State) difference {
	keys, known := s.Since(m.mark)
	if m.state == nil || !known {
		return difference{was: m.state, is: s}
	}
	d := difference{backends.NewState(), backends.NewState(), keys, true}
	d.was.Follow(m.state, keys)
	d.is.Follow(s, keys)
	return d
}

// settle remembers s, which makes the same configuration.
func (m *Memory) settle(d difference, s *backends.State) {
	m.moved.note(d)
	m.state, m.mark = m.copied(d, s), s.Mark()
}

// copied is a state of one's own that is the same as s.
func (m *Memory) copied(d difference, s *backends.State) *backends.State {
	if !d.known {
		return s.Snapshot()
	}
	m.state.Follow(s, d.keys)
	m.state.Invalid, m.state.Stale, m.state.Warnings = maps.Clone(s.Invalid), maps.Clone(s.Stale), maps.Clone(s.Warnings)
	return m.state
}

// sameSessions says whether all that sessions are made of is the same in s.
func (m *Memory) sameSessions(d difference, s *backends.State, o Options) bool {
	was, is := d.was, d.is
	return m.state != nil && reflect.DeepEqual(m.options, o) &&
		same(was.Nodes, is.Nodes) && same(was.BGPConfigurations, is.BGPConfigurations) && same(was.BGPPeers, is.BGPPeers) &&
		same(was.BGPFilters, is.BGPFilters) && same(was.Secrets, is.Secrets) && same(was.EndpointStatuses, is.EndpointStatuses) &&
		reflect.DeepEqual(m.state.Invalid, s.Invalid)
}

// SameList says whether two lists of sessions are the very same one, as Memory gives
// where none of them is another.
func SameList(a, b []*Session) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// mostLooks is how often selectors are tried on changed nodes before it is cheaper to
// compute everything.
const mostLooks = 20_000

// concerns says whether what is different in s, by d, but for Services and their endpoints,
// may make another configuration for the node me. It may err to yes.
func (m *Memory) concerns(d difference, s *backends.State, me *backends.Node) bool {
	was, is := d.was, d.is
	if !same(was.BGPConfigurations, is.BGPConfigurations) || !same(was.BGPFilters, is.BGPFilters) || !same(was.IPPools, is.IPPools) ||
		!same(was.FelixConfigurations, is.FelixConfigurations) || !same(was.Secrets, is.Secrets) ||
		!same(was.EndpointStatuses, is.EndpointStatuses) || !reflect.DeepEqual(m.state.Invalid, s.Invalid) ||
		!maps.Equal(m.state.Stale, s.Stale) || !reflect.DeepEqual(m.state.Warnings, s.Warnings) {
		return true
	}
	if m.state.Nodes[me.Name] != me {
		return true
	}
	looks := mostLooks
	return differs(was.BGPPeers, is.BGPPeers, func(old, new *backends.BGPPeer) bool {
		return m.peerConcerns(old, me) || m.peerConcerns(new, me)
	}) || differs(was.BlockAffinities, is.BlockAffinities, func(old, new *backends.BlockAffinity) bool {
		return old != nil && old.Node == me.Name || new != nil && new.Node == me.Name
	}) || differs(was.Nodes, is.Nodes, func(old, new *backends.Node) bool {
		looks -= 2 * len(s.BGPPeers)
		return looks < 0 || old == nil || new == nil || !reflect.DeepEqual(asNeighbor(old), asNeighbor(new)) || m.chosenOtherwise(old, new, s.BGPPeers)
	})
}

func same[K, R comparable](old, new map[K]R) bool { return maps.Equal(old, new) }

// differs says whether the tables differ in a resource for which that matters; it is
// nil where there is none.
func differs[K comparable, R any](old, new map[K]*R, matters func(old, new *R) bool) bool {
	for k, is := range new {
		if was := old[k]; was != is && matters(was, is) {
			return true
		}
	}
	for k, was := range old {
		if _, still := new[k]; !still && matters(was, nil) {
			return true
		}
	}
	return false
}

// peerConcerns says whether a BGPPeer, which may be nil, gives the node sessions, or
// there is something to say about it.
func (m *Memory) peerConcerns(p *backends.BGPPeer, me *backends.Node) bool {
	switch {
	case p == nil:
		return false
	case len(p.Ignored) > 0, p.Node == me.Name, isGlobal(p):
		return true
	case p.PeerIP.IsValid() && (p.PeerIP == me.IPv4.Addr || p.PeerIP == me.IPv6.Addr):
		return true
	}
	return m.chooses(p.NodeSelector, me) || m.chooses(p.PeerSelector, me)
}

// chooses says whether a selector chooses a node; also where it cannot be read.
func (m *Memory) chooses(text string, n *backends.Node) bool {
	if text == "" {
		return false
	}
	s, known := m.selectors[text]
	if !known {
		s, _ = selector.Parse(text) // nil where it cannot be read
		m.selectors[text] = s
	}
	return s == nil || s.Matches(n.Labels)
}

// asNeighbor is a node without what other nodes' configurations do not depend on, but
// for selectors.
func asNeighbor(n *backends.Node) backends.Node {
	out := *n
	out.Labels, out.Intent, out.PodCIDRs = nil, backends.Intent{}, nil
	return out
}

// chosenOtherwise says whether a selector of the BGPPeers tells the one from the other.
func (m *Memory) chosenOtherwise(old, new *backends.Node, peers map[string]*backends.BGPPeer) bool {
	if maps.Equal(old.Labels, new.Labels) {
		return false
	}
	for _, p := range peers {
		for _, text := range []string{p.NodeSelector, p.PeerSelector} {
			if m.chooses(text, old) != m.chooses(text, new) {
				return true
			}
		}
	}
	return false
}
