package forecast

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
)

// forecaster looks at a change.
type forecaster struct {
	Question
	before, after *bgp.Cluster
	names         []string // of the nodes, before and after
	kinds         []kind
	// blocks are the nodes' blocks, before and after.
	blocks [2]map[string][]*backends.BlockAffinity
}

// kind is nodes to which the same happens, but for their blocks.
type kind struct{ nodes []string }

func newForecaster(q Question) *forecaster {
	q.Before, q.After = withoutWorkloads(q.Before), withoutWorkloads(q.After)
	f := &forecaster{Question: q, before: bgp.NewCluster(q.Before), after: bgp.NewCluster(q.After)}
	f.names = slices.Sorted(maps.Keys(q.Before.Nodes))
	for _, name := range slices.Sorted(maps.Keys(q.After.Nodes)) {
		if q.Before.Nodes[name] == nil {
			f.names = append(f.names, name)
		}
	}
	slices.Sort(f.names)
	f.blocks = [2]map[string][]*backends.BlockAffinity{blocksOf(q.Before, q.Options), blocksOf(q.After, q.Options)}
	f.sort()
	return f
}

// withoutWorkloads leaves local workloads out: they are one machine's alone.
func withoutWorkloads(s *backends.State) *backends.State {
	c := *s
	c.EndpointStatuses = nil
	return &c
}

// blocksOf are the blocks that nodes announce, by node.
func blocksOf(s *backends.State, o bgp.Options) map[string][]*backends.BlockAffinity {
	out := map[string][]*backends.BlockAffinity{}
	if o.UsePodCIDR {
		for _, n := range s.Nodes {
			for _, p := range n.PodCIDRs {
				out[n.Name] = append(out[n.Name], &backends.BlockAffinity{Node: n.Name, CIDR: p})
			}
		}
		return out
	}
	for _, b := range s.BlockAffinities {
		if !b.Deleted && b.State != "pending" {
			out[b.Node] = append(out[b.Node], b)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b *backends.BlockAffinity) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

// sort puts the nodes into kinds: those that are of one before and of one after, and
// of whose own addresses and blocks the same becomes.
func (f *forecaster) sort() {
	before, after := f.before.Alike(), f.after.Alike()
	index := map[string]int{}
	for _, name := range f.names {
		key := fmt.Sprint(before.KindOf(name), after.KindOf(name), f.moved(name), f.blocksDiffer(name))
		i, ok := index[key]
		if !ok {
			i = len(f.kinds)
			index[key] = i
			f.kinds = append(f.kinds, kind{})
		}
		f.kinds[i].nodes = append(f.kinds[i].nodes, name)
	}
}

// moved says which of a node's addresses change.
func (f *forecaster) moved(name string) [2]bool {
	was, is := f.Before.Nodes[name], f.After.Nodes[name]
	if was == nil || is == nil || was == is {
		return [2]bool{}
	}
	return [2]bool{was.IPv4 != is.IPv4, was.IPv6 != is.IPv6}
}

// effect is what becomes of the nodes of a kind, as one of them shows it.
type effect struct {
	group Group
	// was and is are the example's configurations; nil: there is none.
	was, is *bgp.Config
	empty   bool
}

func (f *forecaster) look(k kind) *effect {
	name := k.nodes[0]
	o := f.Options.For(name)
	// Where there is no configuration the node is not there: all else is no error.
	was, errWas := f.before.Compute(o)
	is, errIs := f.after.Compute(o)
	e := &effect{was: was, is: is, group: Group{Kind: "changed", Sessions: []Sessions{}}}
	switch {
	case errWas != nil && errIs != nil:
		e.empty = true
		return e
	case errWas != nil:
		e.group.Kind, e.was = "added", nil
	case errIs != nil:
		e.group.Kind, e.is = "removed", nil
		return e
	}
	changes := bgp.Compare(e.was, e.is, f.BIRD)
	e.group.Sessions = append(e.group.Sessions, f.sessions(changes, e)...)
	if e.was == nil {
		return e
	}
	e.group.Settings = changes.Settings
	e.group.Kernel = changes.Families[0].Kernel || changes.Families[1].Kernel
	e.group.Isolated = sessionsIn(e.was) > 0 && sessionsIn(e.is) == 0
	e.empty = changes.Empty()
	if !e.empty {
		v := guard.Judge(f.judged(e, o))
		e.group.Held, e.group.Why = v.Held, v.Why
	}
	return e
}

func sessionsIn(c *bgp.Config) int { return len(c.IPv4.Sessions) + len(c.IPv6.Sessions) }

// judged is what the guard of the example would be asked, if all of its sessions were
// established.
func (f *forecaster) judged(e *effect, o bgp.Options) guard.Question {
	q := guard.Question{
		Options: o, Now: f.Now, BIRD: f.BIRD,
		Running:   &guard.Side{Config: e.was, State: f.Before, Hash: "before"},
		Candidate: guard.Side{Config: e.is, State: f.After, Hash: "after"},
	}
	for _, family := range e.was.Families() {
		for _, s := range family.Sessions {
			q.Seen = append(q.Seen, guard.Seen{Name: s.Name, Set: "bird", Established: true, Neighbor: s.Neighbor})
		}
	}
	return q
}

// sessions are those to which something happens, by what and by the object that asks
// for them.
func (f *forecaster) sessions(c bgp.Changes, e *effect) []Sessions {
	var out []Sessions
	for _, l := range []struct {
		how   string
		names []string
		from  *bgp.Config
	}{{Removed, c.Removed, e.was}, {Remade, c.Restarted, e.is}, {Added, c.Added, e.is}, {Refiltered, c.Refiltered, e.is}} {
		byObject := map[string]*Sessions{}
		known := sessionsOf(l.from, l.names)
		for _, name := range l.names {
			s := known[name]
			object := s.Reason.Object.String()
			if byObject[object] == nil {
				byObject[object] = &Sessions{How: l.how, Object: object}
			}
			x := byObject[object]
			if x.Count++; len(x.Names) < mostNames {
				x.Names = append(x.Names, name)
			}
			if l.how == Removed && s.PeerNode != "" && f.After.Nodes[s.PeerNode] == nil {
				x.Gone++
			}
		}
		for _, object := range slices.Sorted(maps.Keys(byObject)) {
			out = append(out, *byObject[object])
		}
	}
	return out
}

// mostNames is how many sessions are named.
const mostNames = 5

func sessionsOf(c *bgp.Config, names []string) map[string]*bgp.Session {
	if c == nil || len(names) == 0 {
		return nil
	}
	out := make(map[string]*bgp.Session, sessionsIn(c))
	for _, f := range c.Families() {
		for i := range f.Sessions {
			out[f.Sessions[i].Name] = &f.Sessions[i]
		}
	}
	return out
}

// of is what becomes of one node of a kind.
func (f *forecaster) of(name string, e *effect) (Group, bool) {
	g := e.group
	g.Nodes = []string{name}
	if e.was != nil && e.is != nil {
		g.RoutesLost = f.routesLost(name, e)
	}
	return g, !e.empty || len(g.RoutesLost) > 0 || f.blocksDiffer(name)
}

// blocksDiffer says whether a node has other blocks.
func (f *forecaster) blocksDiffer(name string) bool {
	return !reflect.DeepEqual(f.blocks[0][name], f.blocks[1][name])
}

// routesLost are the routes that peers of a node are told of before, and not after:
// its own blocks, and the service routes that the example has.
func (f *forecaster) routesLost(name string, e *effect) []string {
	after := f.told(f.blocks[1][name], e.is)
	var out []string
	for _, net := range slices.SortedFunc(maps.Keys(f.told(f.blocks[0][name], e.was)), func(a, b netip.Prefix) int {
		return strings.Compare(a.String(), b.String())
	}) {
		if !after[net] {
			out = append(out, net.String())
		}
	}
	return out
}

// told are the nets of a node's own of which at least one of its sessions tells.
func (f *forecaster) told(blocks []*backends.BlockAffinity, c *bgp.Config) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for _, family := range c.Families() {
		own := *family
		own.Export.Blocks = nil
		nets := []netip.Prefix{}
		for _, b := range blocks {
			if b.CIDR.Addr().Is4() != (family.Version == 4) {
				continue
			}
			if b.State == "" || b.State == "confirmed" {
				own.Export.Blocks = append(own.Export.Blocks, b.CIDR)
			}
			if !b.CIDR.IsSingleIP() {
				nets = append(nets, b.CIDR)
			}
		}
		for _, s := range family.Export.Services {
			nets = append(nets, s.Net)
		}
		if len(nets) == 0 {
			continue
		}
		policies, sessions := bgp.PoliciesOf(c, &own), ways(family)
		for _, net := range nets {
			out[net] = out[net] || slices.ContainsFunc(sessions, func(s *bgp.Session) bool { return policies.Tells(s, bgp.Route{Net: net}, nil) })
		}
	}
	maps.DeleteFunc(out, func(_ netip.Prefix, told bool) bool { return !told })
	return out
}

// ways are sessions of a family, one for each way in which routes are told.
func ways(f *bgp.Family) []*bgp.Session {
	var out []*bgp.Session
	for i := range f.Sessions {
		s := &f.Sessions[i]
		same := func(o *bgp.Session) bool { return o.Internal == s.Internal && slices.Equal(o.Export, s.Export) }
		if !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}
