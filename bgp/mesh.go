package bgp

import (
	"bytes"
	"cmp"
	"maps"
	"net/netip"
	"slices"

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
	restart := c.restartTime(c.defaults.ResourceKey(), c.defaults.NodeMeshMaxRestartTime)
	c.after = meshMemory{terms: meshTerms{c.state.BGPConfigurations["default"], c.me, password}, ports: c.ports, sharing: maps.Clone(c.sharing), nodes: c.nodes}
	members, others := c.keepMesh()
	for _, n := range others {
		if n == c.me || !inMesh(n) {
			continue
		}
		members++
		for _, f := range c.config.Families() {
			if a := addressOf(n, f.Version).Addr; a.IsValid() && c.isFirst(n, a, inMesh) {
				c.meshWith(n, f, password, restart)
			}
		}
	}
	c.after.members = members
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
// again, and all that they depend on.
type meshMemory struct {
	terms   meshTerms
	ports   map[string]uint16
	sharing map[netip.Addr][]*backends.Node
	nodes   []*backends.Node // the cluster's, by name; nil: there was no mesh
	members int              // those in the mesh
	// sessions are all sessions, by family, and ofMesh says which are the mesh's.
	sessions [2][]*Session
	ofMesh   [2][]bool
}

// keepMesh keeps the remembered sessions of the mesh that are the same now. It returns how
// many nodes are in the mesh, others left out, and those others.
func (c *computer) keepMesh() (members int, others []*backends.Node) {
	was, is := &c.before, &c.after
	if was.nodes == nil || was.terms != is.terms || !maps.Equal(was.ports, is.ports) || !maps.EqualFunc(was.sharing, is.sharing, slices.Equal) {
		return 1, c.nodes
	}
	gone, fresh := differingNodes(was.nodes, is.nodes)
	for i, f := range c.config.Families() {
		kept := slices.Clone(was.ofMesh[i])
		for _, n := range gone {
			if k, found := placeOf(was.sessions[i], nameOf(&Session{Kind: MeshSession, Neighbor: addressOf(n, f.Version).Addr})); found {
				kept[k] = false
			}
		}
		c.added[i].kept = kept
	}
	members = was.members
	for _, n := range gone {
		if inMesh(n) {
			members--
		}
	}
	return members, fresh
}

// differingNodes are the nodes that only the first list has, and those that only the second
// one has. All are by name.
func differingNodes(was, is []*backends.Node) (gone, fresh []*backends.Node) {
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(was) > 0 && len(is) > 0 && was[0] == is[0]: // as most are
			was, is = was[1:], is[1:]
		case len(is) == 0 || len(was) > 0 && was[0].Name <= is[0].Name:
			gone, was = append(gone, was[0]), was[1:]
		default:
			fresh, is = append(fresh, is[0]), is[1:]
		}
	}
	return gone, fresh
}

// meshMemory is what the next computation may know of this one.
func (c *computer) meshMemory() meshMemory {
	m := c.after
	for i, f := range c.config.Families() {
		m.sessions[i], m.ofMesh[i] = f.Sessions, make([]bool, len(f.Sessions))
		for k, s := range f.Sessions {
			m.ofMesh[i][k] = s.Kind == MeshSession
		}
	}
	return m
}
