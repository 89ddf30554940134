package bgp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp/selector"
)

// cluster answers questions about the whole cluster, each at the cost of its
// answer: addresses and selectors are looked up once per computation.
type cluster struct {
	state    *backends.State
	defaults *backends.BGPConfiguration // "default"; empty where there is none
	own      *backends.BGPConfiguration // this node's; empty where there is none
	// nodes are all nodes by name, this one too.
	nodes     []*backends.Node
	byAddress map[netip.Addr]*backends.Node
	// sharing are the nodes, by name, of addresses that several have: a node that
	// was replaced often stays in the datastore under its old name.
	sharing  map[netip.Addr][]*backends.Node
	selected map[string]selection
}

// selection is what one selector chooses.
type selection struct {
	selector *selector.Selector
	err      error
	nodes    []*backends.Node
	done     bool
}

func newCluster(s *backends.State, me *backends.Node) *cluster {
	c := &cluster{
		state:     s,
		defaults:  configuration(s, "default"),
		own:       configuration(s, "node."+me.Name),
		nodes:     slices.SortedFunc(maps.Values(s.Nodes), func(a, b *backends.Node) int { return cmp.Compare(a.Name, b.Name) }),
		byAddress: make(map[netip.Addr]*backends.Node, 2*len(s.Nodes)),
		sharing:   map[netip.Addr][]*backends.Node{},
		selected:  map[string]selection{},
	}
	for _, n := range c.nodes {
		for _, version := range []int{4, 6} {
			c.note(n, addressOf(n, version).Addr)
		}
	}
	return c
}

func (c *cluster) note(n *backends.Node, a netip.Addr) {
	first, taken := c.byAddress[a]
	switch {
	case !a.IsValid():
	case !taken:
		c.byAddress[a] = n
	case c.sharing[a] == nil:
		c.sharing[a] = []*backends.Node{first, n}
	default:
		c.sharing[a] = append(c.sharing[a], n)
	}
}

// at returns the node that has an address; of several the first that suits, or
// the first.
func (c *cluster) at(a netip.Addr, suits func(*backends.Node) bool) (*backends.Node, bool) {
	if i := slices.IndexFunc(c.sharing[a], suits); i >= 0 {
		return c.sharing[a][i], true
	}
	n, ok := c.byAddress[a]
	return n, ok
}

func configuration(s *backends.State, name string) *backends.BGPConfiguration {
	if b, ok := s.BGPConfigurations[name]; ok {
		return b
	}
	return &backends.BGPConfiguration{Name: name}
}

func addressOf(n *backends.Node, version int) backends.NodeAddress {
	if version == 4 {
		return n.IPv4
	}
	return n.IPv6
}

func versionOf(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// asNumber is the node's AS number, or the cluster's.
func (c *cluster) asNumber(n *backends.Node) uint32 {
	return cmp.Or(n.ASNumber, c.defaultAS())
}

func (c *cluster) defaultAS() uint32 { return cmp.Or(c.defaults.ASNumber, DefaultAS) }

// listenPort is the port that a node listens on, or 0 for BGP's own.
func (c *cluster) listenPort(n *backends.Node) uint16 {
	if b, ok := c.state.BGPConfigurations["node."+n.Name]; ok && b.ListenPort != 0 {
		return b.ListenPort
	}
	return c.defaults.ListenPort
}

// parse reads a selector, once.
func (c *cluster) parse(text string) (*selector.Selector, error) {
	s, ok := c.selected[text]
	if !ok {
		s.selector, s.err = selector.Parse(text)
		c.selected[text] = s
	}
	return s.selector, s.err
}

// selectNodes returns the nodes that a selector matches, by name.
func (c *cluster) selectNodes(text string) ([]*backends.Node, error) {
	sel, err := c.parse(text)
	if err != nil {
		return nil, err
	}
	s := c.selected[text]
	if !s.done {
		for _, n := range c.nodes {
			if sel.Matches(n.Labels) {
				s.nodes = append(s.nodes, n)
			}
		}
		s.done = true
		c.selected[text] = s
	}
	return s.nodes, nil
}

// localSide returns the nodes that a BGPPeer gives sessions to.
func (c *cluster) localSide(p *backends.BGPPeer) ([]*backends.Node, error) {
	switch {
	case p.Node != "":
		if n, ok := c.state.Nodes[p.Node]; ok {
			return []*backends.Node{n}, nil
		}
		return nil, nil
	case p.NodeSelector != "":
		return c.selectNodes(p.NodeSelector)
	default:
		return c.nodes, nil
	}
}

// onLocalSide says whether a BGPPeer gives sessions to n.
func (c *cluster) onLocalSide(p *backends.BGPPeer, n *backends.Node) (bool, error) {
	if p.Node != "" {
		return p.Node == n.Name, nil
	}
	return c.matches(p.NodeSelector, n)
}

func (c *cluster) matches(text string, n *backends.Node) (bool, error) {
	sel, err := c.parse(text)
	if err != nil {
		return false, err
	}
	return sel.Matches(n.Labels), nil
}

// isGlobal says whether a BGPPeer is for every node.
func isGlobal(p *backends.BGPPeer) bool { return p.Node == "" && p.NodeSelector == "" }
