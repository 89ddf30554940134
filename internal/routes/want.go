package routes

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/reload/control"
)

// Want is what the routes of one BIRD should be.
type Want struct {
	Config   *bgp.Config
	Families []*bgp.Family // those of this BIRD
	// BuiltIn says that the templates are the program's own, so that the model's
	// policies hold. What those of a user's let through is not known.
	BuiltIn bool
	// Blocks are those of other nodes, as far as they are known, sorted.
	Blocks []Block
	nodes  map[string]*backends.Node
}

// has says whether a node is there that has an address of a family.
func (w Want) has(node string, family int) bool {
	n := w.nodes[node]
	return n != nil && (family == 4 && n.IPv4.Addr.IsValid() || family == 6 && n.IPv6.Addr.IsValid())
}

// Sessions is how many sessions this BIRD should have.
func (w Want) Sessions() int {
	n := 0
	for _, f := range w.Families {
		n += len(f.Sessions)
	}
	return n
}

// Block is a block of IPAM's, and the node that has it.
type Block struct {
	Net  netip.Prefix
	Node string
}

// WantOf is what the BIRD of some families should have, by what the cluster said when
// cfg was made.
func WantOf(cfg *bgp.Config, state *backends.State, families []*bgp.Family, builtIn bool) Want {
	w := Want{Config: cfg, Families: families, BuiltIn: builtIn, nodes: state.Nodes}
	if cfg.PodCIDRs {
		for _, n := range state.Nodes {
			for _, net := range n.PodCIDRs {
				w.add(net, n.Name)
			}
		}
	}
	for _, b := range state.BlockAffinities {
		if !cfg.PodCIDRs && !b.Deleted && (b.State == "" || b.State == "confirmed") {
			w.add(b.CIDR, b.Node)
		}
	}
	slices.SortFunc(w.Blocks, func(a, b Block) int { return cmp.Or(a.Net.Compare(b.Net), strings.Compare(a.Node, b.Node)) })
	return w
}

// add adds a block of another node that is a route of its own there.
func (w *Want) add(net netip.Prefix, node string) {
	if node != w.Config.Node && !net.IsSingleIP() {
		w.Blocks = append(w.Blocks, Block{net, node})
	}
}

// group are sessions that are told the same.
type group struct {
	calls              string
	internal, rrClient bool
}

func groupOf(s *bgp.Session) group {
	g := group{internal: s.Internal, rrClient: s.RRClient}
	if len(s.Export) > 0 {
		g.calls = fmt.Sprint(s.Export)
	}
	return g
}

// told are the configured routes that a group of sessions should be told of.
type told struct {
	policies bgp.Policies
	family   *bgp.Family
	known    map[group][]netip.Prefix
}

func toldIn(c *bgp.Config, f *bgp.Family) told {
	return told{bgp.PoliciesOf(c, f), f, map[group][]netip.Prefix{}}
}

// of are those that s should be told of, sorted.
func (t told) of(s *bgp.Session) []netip.Prefix {
	g := groupOf(s)
	nets, ok := t.known[g]
	if ok {
		return nets
	}
	for _, r := range t.family.Statics {
		if !r.Via.IsValid() && t.policies.Tells(s, bgp.Route{Net: r.Net}, nil) {
			nets = append(nets, r.Net)
		}
	}
	t.known[g] = nets
	return nets
}

// Ask are the sessions of which it is to be asked what they are told: those of again
// (so that what was wrong with them is seen to last, or to be over), those that are told
// less than they should be, and of each group that is told the same one that is up;
// mostAsked in all. turn says which one of a group.
func (w Want) Ask(o control.Overview, turn int, again []string) []string {
	if !w.BuiltIn {
		return nil
	}
	up := established(o)
	var suspect, less, rest []string
	for _, f := range w.Families {
		t := toldIn(w.Config, f)
		groups := map[group][]string{}
		for _, s := range f.Sessions {
			state, ok := up[s.Name]
			if !ok || len(t.of(s)) == 0 {
				continue
			}
			switch {
			case slices.Contains(again, s.Name):
				suspect = append(suspect, s.Name)
			case exported(state, f.Version) < len(t.of(s)):
				less = append(less, s.Name)
			}
			groups[groupOf(s)] = append(groups[groupOf(s)], s.Name)
		}
		for _, names := range groups {
			rest = append(rest, names[turn%len(names)])
		}
	}
	slices.Sort(rest)
	var list []string
	for _, name := range slices.Concat(suspect, less, rest) {
		if !slices.Contains(list, name) && len(list) < mostAsked {
			list = append(list, name)
		}
	}
	return list
}

// mostAsked is of how many sessions it is asked what they are told.
const mostAsked = 16

func established(o control.Overview) map[string]*control.SessionRoutes {
	up := map[string]*control.SessionRoutes{}
	for i := range o.Sessions {
		if s := &o.Sessions[i]; s.Established() {
			up[s.Name] = s
		}
	}
	return up
}

// exported is how many routes of a family a session is told.
func exported(s *control.SessionRoutes, family int) int {
	n := 0
	for _, r := range s.Routes {
		if r.Family == familyName(family) {
			n += r.Exported
		}
	}
	return n
}

// familyName is what BIRD calls an address family.
func familyName(version int) string {
	if version == 4 {
		return "ipv4"
	}
	return "ipv6"
}
