package bgp

import (
	"cmp"
	"fmt"
	"net/netip"

	"confd/backends"
)

// Claim is a session that something asks for: the one that is there, or one whose
// neighbor and port another object's session has.
type Claim struct {
	Session
	// Version is the family's, 4 or 6.
	Version int
	// Winner has the neighbor and port; its Object is empty where this session has
	// them.
	Winner Reason
}

// Lost says whether another session was there first.
func (c Claim) Lost() bool { return c.Winner.Object != backends.Key{} }

// Claims is Compute, and gives besides what was asked for of the sessions that
// about is true of, in the order in which they win over each other.
func (c *Cluster) Claims(o Options, about func(*Session) bool) (*Config, []Claim, error) {
	me, ok := c.state.Nodes[o.Node]
	if !ok {
		return nil, nil, unknownNode(c.state, o.Node)
	}
	var claims []Claim
	run := newComputer(c, o, me)
	run.claimed = func(s, first *Session) {
		if about(s) {
			claim := Claim{*s, VersionOf(s.Neighbor), Reason{}}
			if first != nil {
				claim.Winner = first.Reason
			}
			claims = append(claims, claim)
		}
	}
	cfg, err := run.compute()
	return cfg, claims, err
}

// For are the options of another node of the cluster: those that are this node's
// alone are left out.
func (o Options) For(node string) Options {
	if node == o.Node {
		return o
	}
	o.Node, o.K8sNode = node, ""
	if o.RouterID != "hash" {
		o.RouterID = ""
	}
	if _, known := severityOf(o.LogSeverity); !known { // so that it is said of one node
		o.LogSeverity = ""
	}
	return o
}

// Nodes are the cluster's nodes by name. Nobody changes the list.
func (c *Cluster) Nodes() []*backends.Node { return c.nodes }

// NodesAt are the nodes that have an address, by name.
func (c *Cluster) NodesAt(a netip.Addr) []*backends.Node {
	if all := c.sharing[a]; all != nil {
		return all
	}
	if n, ok := c.byAddress[a]; ok {
		return []*backends.Node{n}
	}
	return nil
}

// Selected are the nodes that a selector matches, by name. Nobody changes the list.
func (c *Cluster) Selected(text string) ([]*backends.Node, error) { return c.selectNodes(text) }

// LocalSide are the nodes that a BGPPeer gives sessions to, and RemoteSide those
// that the sessions lead to; both by name. Outside of the cluster there are none.
func (c *Cluster) LocalSide(p *backends.BGPPeer) ([]*backends.Node, error) { return c.localSide(p) }

// RemoteSide is the other side of LocalSide.
func (c *Cluster) RemoteSide(p *backends.BGPPeer) ([]*backends.Node, error) {
	if p.PeerIP.IsValid() {
		return c.NodesAt(p.PeerIP), nil
	}
	if p.PeerSelector == "" {
		return nil, nil
	}
	return c.selectNodes(p.PeerSelector)
}

// ASNumberOf is a node's AS number: its own, or the cluster's.
func (c *Cluster) ASNumberOf(n *backends.Node) uint32 { return c.asNumber(n) }

// ListenPortOf is the port that a node listens on for BGP.
func (c *Cluster) ListenPortOf(n *backends.Node) uint16 { return cmp.Or(c.listenPort(n), bgpPort) }

// MeshEnabled says whether there is a node-to-node mesh.
func (c *Cluster) MeshEnabled() bool {
	return c.defaults.NodeToNodeMesh == nil || *c.defaults.NodeToNodeMesh
}

// PortOf is the port at which a session's peer is spoken to.
func (s *Session) PortOf() uint16 { return cmp.Or(s.Port, bgpPort) }

// Disagreement is why the two ends of one session cannot come together.
type Disagreement struct {
	// Port is set where it is about the ports.
	Port bool
	Text string
}

// Disagreements are those of two ends: a is the end of node nameA, b that of node
// nameB, which listen on the given ports. None: they can come together.
func Disagreements(nameA string, a *Session, listenA uint16, nameB string, b *Session, listenB uint16) []Disagreement {
	var out []Disagreement
	add := func(format string, args ...any) {
		out = append(out, Disagreement{Text: fmt.Sprintf(format, args...)})
	}
	for _, x := range []struct {
		from, to  string
		wants, is uint32
	}{{nameA, nameB, a.AS, b.LocalAS}, {nameB, nameA, b.AS, a.LocalAS}} {
		if x.wants != x.is {
			add("%s expects %s to be AS %d, and there it is AS %d", x.from, x.to, x.wants, x.is)
		}
	}
	switch {
	case a.Password == b.Password:
	case a.Password == "":
		add("%s has a password for the session, and %s none", nameB, nameA)
	case b.Password == "":
		add("%s has a password for the session, and %s none", nameA, nameB)
	default:
		add("the passwords of %s and %s differ", nameA, nameB)
	}
	if (a.TTLHops == 0) != (b.TTLHops == 0) {
		with, without := nameA, nameB
		if a.TTLHops == 0 {
			with, without = without, with
		}
		add("%s wants TTL security, and %s sends packets without", with, without)
	}
	return append(out, unreachable(nameA, a, listenA, nameB, b, listenB)...)
}

// unreachable says why no connection of either side gets through.
func unreachable(nameA string, a *Session, listenA uint16, nameB string, b *Session, listenB uint16) []Disagreement {
	if a.Passive && b.Passive {
		return []Disagreement{{Text: "both sides wait for the other one to connect"}}
	}
	wrong := func(name string, s *Session, peer string, listens uint16) string {
		if s.Passive || s.PortOf() == listens {
			return ""
		}
		return fmt.Sprintf("%s connects to port %d, and %s listens on %d", name, s.PortOf(), peer, listens)
	}
	texts := []string{wrong(nameA, a, nameB, listenB), wrong(nameB, b, nameA, listenA)}
	if texts[0] == "" && !a.Passive || texts[1] == "" && !b.Passive {
		return nil
	}
	var out []Disagreement
	for _, text := range texts {
		if text != "" {
			out = append(out, Disagreement{true, text})
		}
	}
	return out
}

// FelixRoutes is the programClusterRoutes that counts for the Felix of a node: that of
// its own FelixConfiguration, else that of default, else Felix's own, EnabledIPIPOnly.
func FelixRoutes(s *backends.State, node string) backends.ClusterRoutes {
	for _, name := range []string{"node." + node, "default"} {
		if f := s.FelixConfigurations[name]; f != nil && f.ProgramClusterRoutes != "" {
			return f.ProgramClusterRoutes
		}
	}
	return backends.RoutesEnabledIPIPOnly
}

// FelixPrograms says whether the Felix of a node puts the routes of a pool's blocks into
// that node's kernel, without BGP.
func FelixPrograms(s *backends.State, node string, p *backends.IPPool) bool {
	felix := programmedBy(FelixRoutes(s, node))
	switch {
	case encapsulates(p.VXLAN):
		return true
	case encapsulates(p.IPIP):
		return felix.ipip
	}
	return felix.noEncap
}
