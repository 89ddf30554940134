// Package topology draws a cluster's BGP sessions: who speaks with whom, and why.
//
// A Graph is made from the cluster's resources, as each node's configuration is. It
// is laid out here (route reflectors in tiers above their clients, a full mesh as a
// ring with a count), and written as SVG, as one HTML page, or for other programs.
package topology

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/terminal"
)

// Role is what a node is to the others.
type Role string

// The roles.
const (
	Router    Role = "router"    // outside of the cluster
	Reflector Role = "reflector" // has a cluster ID
	Client    Role = "client"    // of a route reflector
	Mesh      Role = "mesh"      // has a session with every other of the mesh
	Peer      Role = "peer"      // has sessions that BGPPeers ask for, and no reflector
	Alone     Role = "alone"     // has no session at all
)

// Node is a node of the cluster, or a router outside.
type Node struct {
	Name      string       `json:"name"`
	Role      Role         `json:"role"`
	AS        uint32       `json:"as,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	ClusterID netip.Addr   `json:"cluster_id,omitzero"`
	// Meshed: it has a session with each other node of which that is said.
	Meshed bool `json:"mesh,omitempty"`
	// Group is the value of the label that nodes are put together by.
	Group string `json:"group,omitempty"`
	// Tier is 0 for reflectors that are nobody's clients, 1 for their clients, and so
	// on; -1 for all that is not below a reflector.
	Tier int `json:"tier"`
	// Problem is why the node has no configuration; empty: it has one.
	Problem string `json:"problem,omitempty"`
}

// Link is what two have with each other: their sessions of both families.
type Link struct {
	A string `json:"a"`
	B string `json:"b"`
	// Sessions are their names for A, and for B where that is a node.
	Sessions []Session `json:"sessions"`
	// OneSided: B is a node that has no session back.
	OneSided bool `json:"one_sided,omitempty"`
	// Down: BIRD says that one of them is not up.
	Down bool `json:"down,omitempty"`
}

// Session is one side of a session.
type Session struct {
	Node   string `json:"node"`
	Name   string `json:"name"`
	Why    string `json:"why"`
	Client bool   `json:"client,omitempty"` // the neighbor is a client of this reflector
	State  string `json:"state,omitempty"`  // what BIRD says; empty: it was not asked
}

// Graph is a cluster's sessions.
type Graph struct {
	Nodes []Node `json:"nodes"` // by name; routers last
	// Links are those that BGPPeers ask for, and of the mesh those that are down.
	Links []Link `json:"links"`
	// Mesh is how many nodes have sessions with all the others of them.
	Mesh int `json:"mesh"`
	// GroupedBy is the label that Group is of; empty: by AS.
	GroupedBy string `json:"grouped_by,omitempty"`
}

// Options say how a graph is made.
type Options struct {
	// BGP are those of the node that asks.
	BGP bgp.Options
	// GroupBy is a label of nodes; empty: groups are by AS.
	GroupBy string
	// Live are the states of this node's sessions that are not up, by name; nil: no BIRD
	// was asked.
	Live map[string]string
}

// Of makes the graph of a cluster's state.
func Of(ctx context.Context, s *backends.State, o Options) (*Graph, error) {
	b := builder{options: o, state: s, links: map[[2]string]*Link{}, nodes: map[string]*Node{}}
	b.cluster = bgp.NewCluster(withoutMesh(s))
	for _, n := range b.cluster.Nodes() {
		b.add(n)
	}
	if err := b.compute(ctx); err != nil {
		return nil, err
	}
	b.addLive()
	return b.graph(), nil
}

// withoutMesh is the state with the mesh switched off: its sessions are told by their
// number, and computing them for all nodes costs the square of that.
func withoutMesh(s *backends.State) *backends.State {
	other, off := *s, false
	config := backends.BGPConfiguration{Name: "default"}
	if c := s.BGPConfigurations["default"]; c != nil {
		config = *c
	}
	config.NodeToNodeMesh = &off
	other.BGPConfigurations = maps.Clone(s.BGPConfigurations)
	if other.BGPConfigurations == nil {
		other.BGPConfigurations = map[string]*backends.BGPConfiguration{}
	}
	other.BGPConfigurations["default"] = &config
	other.EndpointStatuses = nil // one machine's alone
	return &other
}

type builder struct {
	options Options
	state   *backends.State
	cluster *bgp.Cluster
	mu      sync.Mutex // of nodes and links
	nodes   map[string]*Node
	links   map[[2]string]*Link
}

func (b *builder) add(n *backends.Node) {
	node := &Node{Name: n.Name, Role: Alone, AS: b.cluster.ASNumberOf(n), ClusterID: n.ClusterID, Tier: -1}
	for _, a := range []netip.Addr{n.IPv4.Addr, n.IPv6.Addr} {
		if a.IsValid() {
			node.Addresses = append(node.Addresses, a)
		}
	}
	node.Group = n.Labels[b.options.GroupBy]
	if b.options.GroupBy == "" {
		node.Group = fmt.Sprint("AS ", node.AS)
	}
	c := b.state.BGPConfigurations["default"]
	meshed := c == nil || c.NodeToNodeMesh == nil || *c.NodeToNodeMesh
	switch {
	case n.ClusterID.IsValid():
		node.Role = Reflector
	case meshed && len(node.Addresses) > 0:
		node.Role, node.Meshed = Mesh, true
	}
	b.nodes[n.Name] = node
}

// compute has each node say which sessions it has.
func (b *builder) compute(ctx context.Context) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, n := range b.cluster.Nodes() {
		g.Go(func() error {
			config, err := b.cluster.Compute(b.options.BGP.For(n.Name))
			b.note(n.Name, config, err)
			return running.Err()
		})
	}
	return g.Wait()
}

// note takes up a node's sessions; err is why it has none.
func (b *builder) note(name string, c *bgp.Config, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.nodes[name].Problem = err.Error()
		return
	}
	for _, sessions := range [][]*bgp.Session{c.IPv4.Sessions, c.IPv6.Sessions} {
		for _, s := range sessions {
			b.noteSession(name, s)
		}
	}
}

func (b *builder) noteSession(name string, s *bgp.Session) {
	to := s.PeerNode
	if to == "" {
		to = s.Neighbor.String()
		if b.nodes[to] == nil {
			b.nodes[to] = &Node{Name: to, Role: Router, AS: s.AS, Addresses: []netip.Addr{s.Neighbor}, Tier: -1, Group: fmt.Sprint("AS ", s.AS)}
		}
	}
	if b.nodes[name].Meshed && b.nodes[to].Meshed {
		return // the mesh's session is the one
	}
	l := b.link(name, to)
	l.Sessions = append(l.Sessions, Session{Node: name, Name: s.Name, Why: s.Reason.Text, Client: s.RRClient})
}

// link is that of two, in one order whoever says it.
func (b *builder) link(x, y string) *Link {
	if x > y && b.nodes[y].Role != Router || b.nodes[x].Role == Router {
		x, y = y, x
	}
	key := [2]string{x, y}
	if b.links[key] == nil {
		b.links[key] = &Link{A: x, B: y}
	}
	return b.links[key]
}

// addLive notes what this node's BIRD says of its sessions; those of the mesh are
// links where they are down.
func (b *builder) addLive() {
	me := b.options.BGP.Node
	if b.nodes[me] == nil {
		return
	}
	for name, state := range b.options.Live {
		_, neighbor, _, ok := bgp.ParseSessionName(name)
		if !ok {
			continue
		}
		to := neighbor.String()
		if found := b.cluster.NodesAt(neighbor); len(found) > 0 {
			to = found[0].Name
		}
		if b.nodes[to] == nil || to == me {
			continue
		}
		l := b.link(me, to)
		l.Down = true
		i := slices.IndexFunc(l.Sessions, func(s Session) bool { return s.Node == me && s.Name == name })
		if i < 0 {
			i = len(l.Sessions)
			l.Sessions = append(l.Sessions, Session{Node: me, Name: name, Why: "the mesh"})
		}
		l.Sessions[i].State = state
	}
}

// graph puts all in order, and finds out what each node is.
func (b *builder) graph() *Graph {
	g := &Graph{GroupedBy: b.options.GroupBy, Nodes: []Node{}, Links: []Link{}}
	b.meshOfOne()
	for _, key := range slices.SortedFunc(maps.Keys(b.links), func(x, y [2]string) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	}) {
		l := b.links[key]
		slices.SortFunc(l.Sessions, func(x, y Session) int { return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Name, y.Name)) })
		l.OneSided = b.nodes[l.B].Role != Router && oneSided(l) && !isMesh(l)
		b.noteRoles(l)
		g.Links = append(g.Links, *l)
	}
	b.tiers(g.Links)
	for _, n := range b.nodes {
		if n.Meshed {
			g.Mesh++
		}
		g.Nodes = append(g.Nodes, *n)
	}
	slices.SortFunc(g.Nodes, func(x, y Node) int {
		return cmp.Or(order(x.Role == Router, y.Role == Router), cmp.Compare(x.Name, y.Name))
	})
	g.onOneLine()
	return g
}

// onOneLine has no name or reason end a line, or change how a terminal or a picture
// shows what follows.
func (g *Graph) onOneLine() {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		n.Name, n.Group, n.Problem = terminal.Line(n.Name), terminal.Line(n.Group), terminal.Line(n.Problem)
	}
	for i := range g.Links {
		l := &g.Links[i]
		l.A, l.B = terminal.Line(l.A), terminal.Line(l.B)
		for i := range l.Sessions {
			s := &l.Sessions[i]
			s.Node, s.Name, s.Why, s.State = terminal.Line(s.Node), terminal.Line(s.Name), terminal.Line(s.Why), terminal.Line(s.State)
		}
	}
}

// meshOfOne takes a mesh away in which nobody has anybody to speak with.
func (b *builder) meshOfOne() {
	var only []*Node
	for _, n := range b.nodes {
		if n.Meshed {
			only = append(only, n)
		}
	}
	if len(only) != 1 {
		return
	}
	only[0].Meshed = false
	if only[0].Role == Mesh {
		only[0].Role = Alone
	}
}

func order(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

func isMesh(l *Link) bool { return strings.HasPrefix(l.Sessions[0].Name, string(bgp.MeshSession)+"_") }

func oneSided(l *Link) bool {
	first := l.Sessions[0].Node
	return !slices.ContainsFunc(l.Sessions, func(s Session) bool { return s.Node != first })
}

// noteRoles makes a node a reflector's client, or at least not alone.
func (b *builder) noteRoles(l *Link) {
	for _, s := range l.Sessions {
		other := b.nodes[l.B]
		if other.Name == s.Node {
			other = b.nodes[l.A]
		}
		if s.Client && other.Role != Reflector && other.Role != Router {
			other.Role = Client
		}
	}
	for _, name := range []string{l.A, l.B} {
		if n := b.nodes[name]; n.Role == Alone {
			n.Role = Peer
		}
	}
}

// tiers counts how many reflectors stand above each node, one above the other.
// Reflectors that are each other's clients are of one tier.
func (b *builder) tiers(links []Link) {
	above := map[string][]string{}
	for _, l := range links {
		up, down := clientOf(l, l.A), clientOf(l, l.B)
		switch {
		case up && !down:
			above[l.B] = append(above[l.B], l.A)
		case down && !up:
			above[l.A] = append(above[l.A], l.B)
		}
	}
	for name, n := range b.nodes {
		if n.Role == Reflector || len(above[name]) > 0 {
			n.Tier = depth(above, name, map[string]bool{})
		}
	}
}

// clientOf says whether the other side is a client of a reflector.
func clientOf(l Link, reflector string) bool {
	return slices.ContainsFunc(l.Sessions, func(s Session) bool { return s.Node == reflector && s.Client })
}

func depth(above map[string][]string, name string, seen map[string]bool) int {
	if seen[name] {
		return 0 // a circle of reflectors
	}
	seen[name] = true
	defer delete(seen, name)
	deepest := -1
	for _, up := range above[name] {
		deepest = max(deepest, depth(above, up, seen))
	}
	return deepest + 1
}
