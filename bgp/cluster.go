package bgp

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"confd/backends"
	"confd/bgp/selector"
)

// Cluster is a state that is ready to be asked for the configurations of its nodes.
// It may be used by several goroutines at once; the state must not change meanwhile.
//
// It answers questions about the whole cluster, each at the cost of its answer:
// addresses and selectors are looked up once.
type Cluster struct {
	state    *backends.State
	defaults *backends.BGPConfiguration // "default"; empty where there is none
	// nodes are all nodes by name.
	nodes     []*backends.Node
	byAddress map[netip.Addr]*backends.Node
	// sharing are the nodes, by name, of addresses that several have: a node that
	// was replaced often stays in the datastore under its old name.
	sharing map[netip.Addr][]*backends.Node
	// ports are those that nodes listen on which have one of their own, by their names.
	ports map[string]uint16

	mu       sync.Mutex // of selected
	selected map[string]*selection
}

// selection is what one selector chooses.
type selection struct {
	selector *selector.Selector
	err      error
	nodes    []*backends.Node
	done     bool
}

// State is the state that the cluster is of.
func (c *Cluster) State() *backends.State { return c.state }

// NewCluster returns the cluster of a state.
func NewCluster(s *backends.State) *Cluster {
	c := &Cluster{
		state:     s,
		defaults:  configuration(s, "default"),
		ports:     portsOf(s),
		nodes:     slices.SortedFunc(maps.Values(s.Nodes), byName),
		byAddress: make(map[netip.Addr]*backends.Node, 2*len(s.Nodes)),
		sharing:   map[netip.Addr][]*backends.Node{},
		selected:  map[string]*selection{},
	}
	for _, n := range c.nodes {
		for _, version := range []int{4, 6} {
			c.note(n, addressOf(n, version).Addr)
		}
	}
	return c
}

// after is NewCluster(s) at the cost of how its Nodes differ from those of c, which is not
// used any more: gone are those of c that s does not have as they are, fresh those that
// only s has, both by name.
func (c *Cluster) after(s *backends.State, gone, fresh []*backends.Node) *Cluster {
	if !c.exchange(gone, fresh) {
		return NewCluster(s)
	}
	out := &Cluster{
		state: s, defaults: configuration(s, "default"), ports: portsOf(s),
		nodes: c.nodes, byAddress: c.byAddress, sharing: c.sharing, selected: c.selected,
	}
	if len(gone)+len(fresh) > 0 {
		out.nodes, out.selected = exchanged(c.nodes, gone, fresh), map[string]*selection{}
	}
	return out
}

// differing are the cluster's nodes that a table does not have as they are, and those that
// only the table has; both by name. None differ but those of some names.
func (c *Cluster) differing(names map[string]bool, table map[string]*backends.Node) (gone, fresh []*backends.Node) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		is := table[name]
		i, found := slices.BinarySearchFunc(c.nodes, name, func(n *backends.Node, name string) int { return cmp.Compare(n.Name, name) })
		if found && c.nodes[i] == is {
			continue
		}
		if found {
			gone = append(gone, c.nodes[i])
		}
		if is != nil {
			fresh = append(fresh, is)
		}
	}
	return gone, fresh
}

// exchange has the addresses of fresh nodes take the place of those that are gone; not
// where nodes share addresses.
func (c *Cluster) exchange(gone, fresh []*backends.Node) bool {
	for _, n := range gone {
		delete(c.byAddress, n.IPv4.Addr)
		delete(c.byAddress, n.IPv6.Addr)
	}
	for _, n := range fresh {
		c.note(n, n.IPv4.Addr)
		c.note(n, n.IPv6.Addr)
	}
	return len(gone)+len(fresh) == 0 || len(c.sharing) == 0
}

// exchanged is a list of nodes with fresh ones in the place of those that are gone. All
// are by name.
func exchanged(nodes, gone, fresh []*backends.Node) []*backends.Node {
	out := make([]*backends.Node, 0, len(nodes)+len(fresh)-len(gone))
	for _, n := range nodes {
		for len(fresh) > 0 && fresh[0].Name < n.Name {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
		if len(gone) > 0 && gone[0] == n {
			gone = gone[1:]
			continue
		}
		out = append(out, n)
	}
	return append(out, fresh...)
}

func byName(a, b *backends.Node) int { return cmp.Compare(a.Name, b.Name) }

func portsOf(s *backends.State) map[string]uint16 {
	ports := map[string]uint16{}
	for name, b := range s.BGPConfigurations {
		if node, of := strings.CutPrefix(name, "node."); of && b.ListenPort != 0 {
			ports[node] = b.ListenPort
		}
	}
	return ports
}

func (c *Cluster) note(n *backends.Node, a netip.Addr) {
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
func (c *Cluster) at(a netip.Addr, suits func(*backends.Node) bool) (*backends.Node, bool) {
	if i := slices.IndexFunc(c.sharing[a], suits); i >= 0 {
		return c.sharing[a][i], true
	}
	n, ok := c.byAddress[a]
	return n, ok
}

// isFirst says whether c.at finds a node by an address of its own.
func (c *Cluster) isFirst(n *backends.Node, a netip.Addr, suits func(*backends.Node) bool) bool {
	if len(c.sharing) == 0 {
		return true
	}
	first, _ := c.at(a, suits)
	return first == n
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

// VersionOf is 4 or 6: the family of an address.
func VersionOf(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// OnMachine says whether an address is one of a machine that has these on its interfaces:
// those of the loopback are, of any.
func OnMachine(a netip.Addr, interfaces []netip.Addr) bool {
	return a.IsLoopback() || slices.Contains(interfaces, a)
}

// asNumber is the node's AS number, or the cluster's.
func (c *Cluster) asNumber(n *backends.Node) uint32 {
	return cmp.Or(n.ASNumber, c.defaultAS())
}

func (c *Cluster) defaultAS() uint32 { return cmp.Or(c.defaults.ASNumber, DefaultAS) }

// listenPort is the port that a node listens on, or 0 for BGP's own.
func (c *Cluster) listenPort(n *backends.Node) uint16 {
	return cmp.Or(c.ports[n.Name], c.defaults.ListenPort)
}

// parse reads a selector, once.
func (c *Cluster) parse(text string) (*selector.Selector, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.selection(text)
	return s.selector, s.err
}

// selection is what is known of a selector. It is for who holds the lock.
func (c *Cluster) selection(text string) *selection {
	s, ok := c.selected[text]
	if !ok {
		s = &selection{}
		s.selector, s.err = selector.Parse(text)
		c.selected[text] = s
	}
	return s
}

// selectNodes returns the nodes that a selector matches, by name.
func (c *Cluster) selectNodes(text string) ([]*backends.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.selection(text)
	if s.err != nil {
		return nil, s.err
	}
	if !s.done {
		for _, n := range c.nodes {
			if s.selector.Matches(n.Labels) {
				s.nodes = append(s.nodes, n)
			}
		}
		s.done = true
	}
	return s.nodes, nil
}

// localSide returns the nodes that a BGPPeer gives sessions to.
func (c *Cluster) localSide(p *backends.BGPPeer) ([]*backends.Node, error) {
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
func (c *Cluster) onLocalSide(p *backends.BGPPeer, n *backends.Node) (bool, error) {
	if p.Node != "" {
		return p.Node == n.Name, nil
	}
	return c.matches(p.NodeSelector, n)
}

func (c *Cluster) matches(text string, n *backends.Node) (bool, error) {
	sel, err := c.parse(text)
	if err != nil {
		return false, err
	}
	return sel.Matches(n.Labels), nil
}

// isGlobal says whether a BGPPeer is for every node.
func isGlobal(p *backends.BGPPeer) bool { return p.Node == "" && p.NodeSelector == "" }
