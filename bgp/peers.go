package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
)

// usablePeers are the BGPPeers, by name, whose selectors can be read.
func (c *computer) usablePeers() []peer {
	var out []peer
	for _, name := range slices.Sorted(maps.Keys(c.state.BGPPeers)) {
		p := c.state.BGPPeers[name]
		field := "nodeSelector"
		local, err := c.onLocalSide(p, c.me)
		if err == nil && p.PeerSelector != "" {
			field = "peerSelector"
			_, err = c.parse(p.PeerSelector)
		}
		if err != nil {
			c.problem(p.ResourceKey(), CodeBadSelector, true, "left out: spec.%s: %v", field, err)
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
	if c.isMine(a) {
		c.problem(w.ResourceKey(), CodeOwnAddress, true, "its session with %s by BGPPeer %s is left out: the address is node %q's own, which BIRD has no sessions with", a, p.Name, c.me.Name)
		return
	}
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
