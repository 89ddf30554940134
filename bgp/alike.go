package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// Alike has the cluster's nodes by kind: those of one kind are asked for the same
// sessions by the same objects, and have the same with nodes of each kind, each with
// its own addresses and blocks. What is one node's alone (its blocks, the way to
// what they cover) may differ.
type Alike struct {
	// Kinds are the nodes of each kind, by name; the kinds are in the order of their
	// first nodes.
	Kinds [][]*backends.Node
	kind  map[string]int
}

// KindOf is the index in Kinds of a node's kind; -1: there is no such node.
func (a *Alike) KindOf(node string) int {
	if i, ok := a.kind[node]; ok {
		return i
	}
	return -1
}

// Alike puts the nodes into kinds.
func (c *Cluster) Alike() *Alike {
	return c.alike(func(*backends.BGPPeer) bool { return true })
}

// AlikeInside puts the nodes into kinds by the sessions that they have with each
// other alone: most nodes of a cluster are of one, whatever routers they have.
func (c *Cluster) AlikeInside() *Alike { return c.alike(c.IsInside) }

// IsInside says whether a BGPPeer gives nodes sessions with nodes.
func (c *Cluster) IsInside(p *backends.BGPPeer) bool {
	return p.PeerSelector != "" || p.PeerIP.IsValid() && c.byAddress[p.PeerIP] != nil
}

func (c *Cluster) alike(counts func(*backends.BGPPeer) bool) *Alike {
	n := naming{Cluster: c, byNode: map[string][]string{}, byIP: map[netip.Addr][]string{}}
	for _, name := range slices.Sorted(maps.Keys(c.state.BGPPeers)) {
		if p := c.state.BGPPeers[name]; counts(p) {
			n.add(p)
		}
	}
	slices.Sort(n.selectors)
	n.selectors = slices.Compact(n.selectors)
	out := &Alike{kind: make(map[string]int, len(c.nodes))}
	index := map[string]int{}
	for _, node := range c.nodes {
		name := n.kindName(node)
		i, ok := index[name]
		if !ok {
			i = len(out.Kinds)
			index[name] = i
			out.Kinds = append(out.Kinds, nil)
		}
		out.Kinds[i] = append(out.Kinds[i], node)
		out.kind[node.Name] = i
	}
	return out
}

// naming makes the names of kinds: all that sessions and policies ask of a node.
type naming struct {
	*Cluster
	selectors []string
	// byNode and byIP are the BGPPeers that name a node, or have its address.
	byNode map[string][]string
	byIP   map[netip.Addr][]string
}

func (n *naming) add(p *backends.BGPPeer) {
	if p.Node != "" {
		n.byNode[p.Node] = append(n.byNode[p.Node], p.Name)
	}
	if p.PeerIP.IsValid() {
		n.byIP[p.PeerIP] = append(n.byIP[p.PeerIP], p.Name)
	}
	for _, text := range []string{p.NodeSelector, p.PeerSelector} {
		if _, err := n.parse(text); text != "" && err == nil {
			n.selectors = append(n.selectors, text)
		}
	}
}

func (n *naming) kindName(node *backends.Node) string {
	var b strings.Builder
	for _, text := range n.selectors {
		if yes, _ := n.matches(text, node); yes { // it was read before
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	fmt.Fprintf(&b, "|%d|%v|%d|%t|%q", n.asNumber(node), node.ClusterID, n.listenPort(node), node.Labels[ExcludeLabel] == "true", n.byNode[node.Name])
	for _, version := range []int{4, 6} {
		a := addressOf(node, version).Addr
		fmt.Fprintf(&b, "|%t|%t|%q", a.IsValid(), hasWireguard(node, version), n.byIP[a])
		if n.sharing[a] != nil { // who comes first depends on its name
			b.WriteString(node.Name)
		}
	}
	if own := n.state.BGPConfigurations["node."+node.Name]; own != nil {
		fmt.Fprintf(&b, "|%v|%q", own.PrefixAdvertisements, own.LogSeverity)
		fmt.Fprintf(&b, "|%v", own.Communities)
	}
	return b.String()
}

// hasWireguard says whether a node has a WireGuard interface or key of a family.
func hasWireguard(n *backends.Node, version int) bool {
	if version == 4 {
		return n.WireguardIPv4.IsValid() || n.WireguardKeyIPv4 != ""
	}
	return n.WireguardIPv6.IsValid() || n.WireguardKeyIPv6 != ""
}
