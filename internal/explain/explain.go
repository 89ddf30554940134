// Package explain answers questions about a cluster: why there is a session and why
// there is none, what becomes of a route, where an address is, what a node does and
// whom a filter concerns.
//
// The answers come from the typed resources, as the node's configuration does, and
// from what BIRD said where there is one. Nothing is read here. Each answer is a
// value for programs (its JSON names stay as they are), and writes itself for people.
package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"confd/backends"
	"confd/bgp"
)

// Asker is who questions are put to.
type Asker struct {
	options bgp.Options
	// own is the cluster as this node sees it, others as the other nodes do: local
	// workloads are one machine's alone.
	own, others *bgp.Cluster
	labels      *labelBook // made where somebody needs it

	// Live is what BIRD says on the node that asks; nil: there is none to be asked.
	Live *Live
	// BIRD1 says that the nodes run BIRD 1.6, which shows filters another AS path than
	// later ones: see bgp.Policies.
	BIRD1 bool
}

// policies are those of one of a node's families, as its BIRD has them.
func (a *Asker) policies(c *bgp.Config, f *bgp.Family) bgp.Policies {
	p := bgp.PoliciesOf(c, f)
	if a.BIRD1 {
		return p.InBIRD1()
	}
	return p
}

// Live is what this node's BIRDs say.
type Live struct {
	Sessions []LiveSession
	// Routes are those to the net in question; nil: it was not asked for them.
	Routes []bgp.Route
	// Asked are the sessions that BIRD was asked of whether it tells of that net, and
	// Told those of them in which it does.
	Asked, Told []string
}

// LiveSession is what BIRD says of a session.
type LiveSession struct {
	Name      string `json:"name"`
	Up        bool   `json:"up"`
	State     string `json:"state"`
	Since     string `json:"since,omitempty"`
	Info      string `json:"info,omitempty"`
	LastError string `json:"last_error,omitempty"`
	Meaning   string `json:"meaning,omitempty"`
}

// New makes an Asker for a state. o are the options of the node that asks.
func New(s *backends.State, o bgp.Options) *Asker {
	a := &Asker{options: o, own: bgp.NewCluster(s)}
	a.others = a.own
	if len(s.EndpointStatuses) > 0 {
		a.others = bgp.NewCluster(s.WithoutWorkloads())
	}
	return a
}

// IsAnothers says whether an address is that of other nodes, and not of the node that
// asks: the BIRD that has it for its router ID is not this node's.
func (a *Asker) IsAnothers(id netip.Addr) bool {
	nodes := a.own.NodesAt(id)
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(n *backends.Node) bool { return n.Name == a.options.Node })
}

func (a *Asker) state() *backends.State { return a.own.State() }

// clusterOf is the cluster as a node sees it.
func (a *Asker) clusterOf(node string) *bgp.Cluster {
	if node == a.options.Node {
		return a.own
	}
	return a.others
}

// compute is a node's configuration.
func (a *Asker) compute(node string) (*bgp.Config, error) {
	return a.clusterOf(node).Compute(a.options.For(node))
}

// liveOf is what BIRD says of one of a node's sessions; nil: nobody knows.
func (a *Asker) liveOf(node, session string) *LiveSession {
	if a.Live == nil || node != a.options.Node {
		return nil
	}
	i := slices.IndexFunc(a.Live.Sessions, func(s LiveSession) bool { return s.Name == session })
	if i < 0 {
		return &LiveSession{Name: session, State: "missing", Info: "BIRD does not have it"}
	}
	return &a.Live.Sessions[i]
}

// Party is one side of a session: a node of the cluster, or an address outside.
type Party struct {
	// Node is the node's name; empty: outside of the cluster.
	Node      string       `json:"node,omitempty"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	AS        uint32       `json:"as,omitempty"`
	ClusterID netip.Addr   `json:"cluster_id,omitzero"`
}

// Name is how people call it.
func (p Party) Name() string {
	if p.Node != "" || len(p.Addresses) == 0 {
		return p.Node
	}
	return p.Addresses[0].String()
}

func (p Party) has(a netip.Addr) bool { return slices.Contains(p.Addresses, a) }

// family is the party's address of a family; not valid: it has none.
func (p Party) family(version int) netip.Addr {
	for _, a := range p.Addresses {
		if bgp.VersionOf(a) == version {
			return a
		}
	}
	return netip.Addr{}
}

// Party finds who is meant by a node's name, an address, or a session's name.
func (a *Asker) Party(text string) (Party, error) {
	if n, ok := a.state().Nodes[text]; ok {
		return a.partyOf(n), nil
	}
	address, err := netip.ParseAddr(text)
	if _, neighbor, _, ok := bgp.ParseSessionName(text); err != nil && ok {
		address, err = neighbor, nil
	}
	if err != nil {
		return Party{}, a.unknown(text)
	}
	address = address.Unmap().WithZone("")
	if nodes := a.own.NodesAt(address); len(nodes) > 0 {
		return a.partyOf(nodes[0]), nil
	}
	return Party{Addresses: []netip.Addr{address}}, nil
}

func (a *Asker) partyOf(n *backends.Node) Party {
	p := Party{Node: n.Name, AS: a.own.ASNumberOf(n), ClusterID: n.ClusterID}
	for _, address := range []netip.Addr{n.IPv4.Addr, n.IPv6.Addr} {
		if address.IsValid() {
			p.Addresses = append(p.Addresses, address)
		}
	}
	return p
}

// UnknownError is that nothing of the cluster has a name.
type UnknownError struct{ Kind, Name, Hint string }

// Error says what is not there, and what may be meant.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no %s %q%s", e.Kind, e.Name, e.Hint)
}

func (a *Asker) unknown(text string) error {
	if err, bad := a.state().Invalid[backends.Key{Kind: backends.KindNode, Name: text}]; bad {
		return &UnknownError{"Node", text, fmt.Sprintf(" that can be used: %v", err)}
	}
	return &UnknownError{"Node, address or session", text, a.meantNode(text)}
}

// meantNode is the end of a text about a node that is not there.
func (a *Asker) meantNode(name string) string {
	var names []string
	for _, n := range a.own.Nodes() {
		names = append(names, n.Name)
	}
	if meant := bgp.LikelyNode(name, names); meant != "" {
		return "; did you mean " + strconv.Quote(meant) + "?"
	}
	return ""
}
