package bgp

import (
	"bytes"
	"cmp"
	"net/netip"

	"confd/backends"
)

// mesh adds a session with every other node that is no route reflector.
func (c *computer) mesh() {
	enabled := c.defaults.NodeToNodeMesh == nil || *c.defaults.NodeToNodeMesh
	if !enabled || !inMesh(c.me) {
		return
	}
	password, ok := c.password(c.defaults.ResourceKey(), c.defaults.NodeMeshPassword)
	if !ok {
		return
	}
	c.meshed = c.claimed == nil
	c.remember(meshTerms{c.state.BGPConfigurations["default"], c.me, password})
	restart := c.restartTime(c.defaults.ResourceKey(), c.defaults.NodeMeshMaxRestartTime)
	members, families := 1, c.config.Families()
	for _, n := range c.nodes {
		if n == c.me || !inMesh(n) {
			continue
		}
		members++
		places, port := c.before.places[n], c.listenPort(n)
		for i, f := range families {
			if a := addressOf(n, f.Version).Addr; !a.IsValid() || !c.isFirst(n, a, inMesh) {
				continue
			}
			if before := places[i] - 1; before >= 0 && c.before.sessions[i][before].Port == port {
				if c.take(c.before.sessions[i][before]) {
					c.added[i].kept[before] = true
				}
				continue
			}
			c.meshWith(n, f, password, restart)
		}
	}
	if members > largeMesh {
		c.problem(c.defaults.ResourceKey(), CodeLargeMesh, false, "the node-to-node mesh has more than %d nodes: route reflectors would spare each node most of its sessions", largeMesh)
	}
}

// inMesh says whether a node takes part in the mesh where there is one.
func inMesh(n *backends.Node) bool { return !n.ClusterID.IsValid() }

// meshHas says whether a session of the mesh has a neighbor and port. Its neighbors are all
// others, so that each is known by its node.
func (c *computer) meshHas(at endpoint) bool {
	if !c.meshed {
		return false
	}
	n, known := c.at(at.address, inMesh)
	return known && n != c.me && inMesh(n) && !c.isMine(at.address) && c.familyOf(at.address).Address.IsValid() &&
		cmp.Or(c.listenPort(n), bgpPort) == at.port
}

// meshWith adds the session with a node in a family, where they can have one.
func (c *computer) meshWith(n *backends.Node, f *Family, password string, restart *uint32) {
	s := c.withNode(MeshSession, f, n)
	if s == nil {
		return
	}
	s.Reason = Reason{Object: c.defaults.ResourceKey(), Text: "node-to-node mesh with node " + n.Name}
	s.Source, s.Password = f.Address, password
	s.Passive = sortsAfter(s.Neighbor, f.Address)
	s.GracefulRestartTime = restart
	c.add(f, s)
}

// sortsAfter compares addresses as they are written, so that both ends of a session agree.
func sortsAfter(a, b netip.Addr) bool {
	var textOfA, textOfB [64]byte
	return bytes.Compare(a.AppendTo(textOfA[:0]), b.AppendTo(textOfB[:0])) > 0
}

// meshTerms are what all sessions of a mesh depend on, besides the node at the other
// end and its port.
type meshTerms struct {
	defaults *backends.BGPConfiguration
	me       *backends.Node
	password string
}

// meshMemory are sessions of a configuration, of which those of the mesh can be had
// again.
type meshMemory struct {
	terms    meshTerms
	sessions [2][]*Session
	// places has where the session with a node is, in each family, and one more; 0:
	// nowhere.
	places map[*backends.Node][2]int
}

// remember drops what is remembered of a mesh of other terms: where its sessions are.
func (c *computer) remember(t meshTerms) {
	if c.before.terms != t {
		c.before.terms, c.before.places = t, nil
	}
	for i, sessions := range c.before.sessions {
		c.added[i].kept = make([]bool, len(sessions))
	}
}

// meshMemory is what the next computation may know of this one.
func (c *computer) meshMemory() meshMemory {
	m := meshMemory{terms: c.before.terms, places: make(map[*backends.Node][2]int, len(c.nodes))}
	for i, f := range c.config.Families() {
		m.sessions[i] = f.Sessions
		for k, s := range f.Sessions {
			if s.Kind == MeshSession {
				n := c.state.Nodes[s.PeerNode]
				places := m.places[n]
				places[i] = k + 1
				m.places[n] = places
			}
		}
	}
	return m
}
