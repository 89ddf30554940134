package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"confd/bgp"
)

// hop is one session that a route goes by, or would.
type hop struct {
	from, to string // nodes, or an address outside
	session  string // as from calls it
	told     bool
	taken    bool
	why      string // of what decided
}

// heard is a route as a node has it.
type heard struct {
	node string
	way  []string // nodes, from the owner to this one
	// route and from are as the node's policies see it: by which session it came.
	route bgp.Route
	from  *bgp.Session
	// clusters are those whose route reflectors it went by (RFC 4456, CLUSTER_LIST).
	clusters []netip.Addr
}

// spread is how a route of one node gets to the others.
type spread struct {
	a     *Asker
	net   netip.Prefix
	kinds *bgp.Alike // made where somebody asks for them
	// target is the only node whose route matters, and near are those that have
	// sessions with it; empty: all matter.
	target    string
	near      map[string]bool
	imports   bool // some BGPFilter has import rules
	severalAS bool
	configs   map[string]*bgp.Config
	heard     map[string]*heard
	queue     []*heard
	expanded  int
	asked     map[string]bool // nodes that have passed it on
	sessions  map[int]bool    // kinds of nodes: whether they have any
	// outside are those who are told and are no nodes; refused are sessions that the
	// route does not go by, the first of each kind of node and reason.
	outside []hop
	refused []hop
	seen    map[string]bool // of refused
	taken   map[takenKey]hop
}

type takenKey struct {
	kind int
	from string
}

// mostExpanded bounds how many nodes pass a route on, in a cluster of many AS numbers.
const mostExpanded = 400

// spreadOf follows a route from its owner: to all nodes or, where target is one, until
// that one has it.
func (a *Asker) spreadOf(owner string, route bgp.Route, target string) (*spread, error) {
	s := &spread{
		a: a, net: route.Net, target: target, near: map[string]bool{}, configs: map[string]*bgp.Config{}, heard: map[string]*heard{}, seen: map[string]bool{}, taken: map[takenKey]hop{}, asked: map[string]bool{}, sessions: map[int]bool{},
	}
	first := uint32(0)
	for _, n := range a.own.Nodes() {
		as := a.own.ASNumberOf(n)
		s.severalAS = s.severalAS || first != 0 && as != first
		first = as
	}
	for _, f := range a.state().BGPFilters {
		s.imports = s.imports || len(f.ImportV4)+len(f.ImportV6) > 0
	}
	if cfg, err := s.config(target); target != "" && err == nil {
		for _, session := range familyIn(cfg, route.Net).Sessions {
			s.near[session.PeerNode] = true
		}
	}
	s.hear(&heard{node: owner, way: []string{owner}, route: route})
	for len(s.queue) > 0 && s.expanded < mostExpanded && !s.done() {
		h := s.queue[0]
		s.queue = s.queue[1:]
		s.expanded++
		if err := s.passOn(h); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *spread) hear(h *heard) {
	if s.heard[h.node] != nil {
		return
	}
	s.heard[h.node] = h
	if len(h.way) == 1 || s.passes(h.node) {
		s.queue = append(s.queue, h)
	}
}

// hasSessions says whether a node has sessions of the route's family at all; nodes of
// one kind are alike in that.
func (s *spread) hasSessions(node string) bool {
	kind := s.alike().KindOf(node)
	has, known := s.sessions[kind]
	if !known {
		cfg, err := s.config(node)
		has = err == nil && len(familyIn(cfg, s.net).Sessions) > 0
		s.sessions[kind] = has
	}
	return has
}

// done says that the route has got to where it matters.
func (s *spread) done() bool { return s.target != "" && s.heard[s.target] != nil }

func (s *spread) alike() *bgp.Alike {
	if s.kinds == nil {
		s.kinds = s.a.others.Alike()
	}
	return s.kinds
}

func (s *spread) config(node string) (*bgp.Config, error) {
	if c := s.configs[node]; c != nil {
		return c, nil
	}
	c, err := s.a.compute(node)
	if err == nil {
		s.configs[node] = c
	}
	return c, err
}

// likeness is what two sessions have in common that tell the same of a route.
type likeness struct {
	internal, client bool
	filters          string
}

func likenessOf(s *bgp.Session) likeness {
	names := make([]string, len(s.Export))
	for i, c := range s.Export {
		names[i] = c.Filter
	}
	return likeness{s.Internal, s.RRClient, strings.Join(names, "\n")}
}

// passOn has a node tell its peers of a route that it has, once.
func (s *spread) passOn(h *heard) error {
	if s.asked[h.node] {
		return nil
	}
	s.asked[h.node] = true
	cfg, err := s.config(h.node)
	if err != nil {
		return err
	}
	f := familyIn(cfg, s.net)
	p := s.a.policies(cfg, f)
	outcomes := map[likeness]bgp.Outcome{}
	for _, session := range s.inOrder(f) {
		if session.Kind == bgp.LocalWorkloadSession || h.from != nil && session.Name == h.from.Name || session.PeerNode != "" && s.heard[session.PeerNode] != nil {
			continue
		}
		key := likenessOf(session)
		out, ok := outcomes[key]
		if !ok {
			out = p.TraceExport(session, h.route, h.from)
			outcomes[key] = out
		}
		if err := s.tell(h, session, out); err != nil {
			return err
		}
		// Who has a session with the target comes before all that is left to do.
		if next := s.heard[session.PeerNode]; next != nil && s.near[next.node] && s.passes(next.node) && !s.done() && !s.asked[next.node] {
			if err := s.passOn(next); err != nil {
				return err
			}
		}
		if s.done() {
			return nil
		}
	}
	return nil
}

// inOrder are a family's sessions: the one with the target first, then those with
// who is near it.
func (s *spread) inOrder(f *bgp.Family) []*bgp.Session {
	var lists [3][]*bgp.Session
	for _, session := range f.Sessions {
		at := 2
		switch {
		case session.PeerNode == "":
		case session.PeerNode == s.target:
			at = 0
		case s.near[session.PeerNode]:
			at = 1
		}
		lists[at] = append(lists[at], session)
	}
	return slices.Concat(lists[0], lists[1], lists[2])
}

// passes says whether a node may tell others of what a peer told it.
func (s *spread) passes(node string) bool {
	return s.severalAS || s.a.state().Nodes[node].ClusterID.IsValid()
}

func (s *spread) tell(h *heard, session *bgp.Session, out bgp.Outcome) error {
	x := hop{from: h.node, to: session.PeerNode, session: session.Name, told: out.Accepted, why: lastStep(out)}
	if x.to == "" {
		x.to = session.Neighbor.String()
		s.outside = append(s.outside, x)
		return nil
	}
	clusters := h.clusters
	if x.told && session.Internal && h.from != nil && h.from.Internal {
		if session.RRClient && slices.Contains(clusters, session.ClusterID) {
			x.told, x.why = false, fmt.Sprintf("another route reflector of its cluster %s passed it on: CLUSTER_LIST, RFC 4456", session.ClusterID)
		}
		id := session.ClusterID
		if !id.IsValid() {
			id = h.from.ClusterID
		}
		clusters = append(slices.Clone(clusters), id)
	}
	if !x.told {
		s.refuse(x)
		return nil
	}
	return s.receive(h, session, x, heard{route: s.onTheWire(h, session, out.Route), clusters: clusters})
}

// onTheWire is a route as the peer is told of it.
func (s *spread) onTheWire(h *heard, session *bgp.Session, r bgp.Route) bgp.Route {
	told := bgp.Route{Net: r.Net, Path: r.Path, Communities: r.Communities, LocalPref: r.LocalPref, NextHop: r.NextHop}
	if !session.Internal {
		if !s.a.BIRD1 { // which has done so before its filters
			told.Path = slices.Concat([]uint32{session.LocalAS}, r.Path)
		}
		standard := uint32(100) // what BIRD gives a route that has none
		told.LocalPref = &standard
	}
	if !told.NextHop.IsValid() || session.NextHop == bgp.NextHopSelf || !session.Internal && session.NextHop != bgp.NextHopKeep {
		told.NextHop = s.address(h.node)
	}
	return told
}

func (s *spread) address(node string) netip.Addr {
	n := s.a.state().Nodes[node]
	if s.net.Addr().Is4() {
		return n.IPv4.Addr
	}
	return n.IPv6.Addr
}

// receive has a peer take a route, or not. Nodes of one kind do the same with it,
// and only those that pass it on are looked at one by one.
func (s *spread) receive(h *heard, session *bgp.Session, x hop, told heard) error {
	next := &heard{node: x.to, way: append(slices.Clone(h.way), x.to), route: told.route, clusters: told.clusters}
	passes := s.passes(x.to)
	var known hop
	var ok bool
	if !passes && (s.target == "" || x.to == s.target) {
		known, ok = s.taken[takenKey{s.alike().KindOf(x.to), x.from}]
	} else if !passes { // it matters to nobody
		return nil
	}
	if !passes && !ok && !s.imports && !session.Reason.Reverse && session.Kind == bgp.MeshSession {
		known, ok = hop{taken: true}, true
	}
	if passes || !ok {
		end, taken, err := s.otherEnd(x, next)
		if err != nil {
			return err
		}
		next.from, known = end, taken
		if !passes {
			s.taken[takenKey{s.alike().KindOf(x.to), x.from}] = known
		}
	}
	if x.taken, x.why = known.taken, known.why; x.taken {
		s.hear(next)
	} else {
		s.refuse(x)
	}
	return nil
}

// otherEnd is the peer's end of a session, and whether it takes the route, which
// gets the attributes that the peer's import gives it.
func (s *spread) otherEnd(x hop, h *heard) (*bgp.Session, hop, error) {
	r := &h.route
	cfg, err := s.config(x.to)
	if err != nil {
		return nil, hop{why: err.Error()}, nil //nolint:nilerr // a node that is not known takes nothing
	}
	f := familyIn(cfg, s.net)
	from := s.address(x.from)
	i := slices.IndexFunc(f.Sessions, func(o *bgp.Session) bool { return o.Neighbor == from })
	if i < 0 {
		return nil, hop{why: fmt.Sprintf("%s has no session with %s: only one side has it", x.to, x.from)}, nil
	}
	own := f.Sessions[i]
	if slices.Contains(r.Path, own.LocalAS) && (own.AllowLocalAS == nil || *own.AllowLocalAS == 0) {
		return nil, hop{why: fmt.Sprintf("its own AS number, %d, is in the path: BGP's loop check drops it", own.LocalAS)}, nil
	}
	if own.RRClient && slices.Contains(h.clusters, own.ClusterID) {
		return nil, hop{why: fmt.Sprintf("a route reflector of its cluster %s passed it on: CLUSTER_LIST, RFC 4456", own.ClusterID)}, nil
	}
	r.Session = own.Name
	out := s.a.policies(cfg, f).TraceImport(own, *r)
	*r = out.Route
	return own, hop{taken: out.Accepted, why: lastStep(out)}, nil
}

func (s *spread) refuse(x hop) {
	key := fmt.Sprint(x.from, x.to, x.why)
	if s.target == "" {
		key = fmt.Sprint(x.from, s.alike().KindOf(x.to), x.why)
	}
	if !s.seen[key] {
		s.seen[key] = true
		s.refused = append(s.refused, x)
	}
}

// without are the nodes that have no such route, of those that have an address of
// its family.
func (s *spread) without() []string {
	var names []string
	for _, n := range s.a.own.Nodes() {
		if s.heard[n.Name] == nil && s.address(n.Name).IsValid() {
			names = append(names, n.Name)
		}
	}
	return names
}

// lastStep is the step that decides, in one line.
func lastStep(o bgp.Outcome) string {
	if len(o.Steps) == 0 {
		return ""
	}
	return stepOf(o.Steps[len(o.Steps)-1]).line()
}

func familyIn(c *bgp.Config, net netip.Prefix) *bgp.Family {
	if net.Addr().Is4() {
		return &c.IPv4
	}
	return &c.IPv6
}
