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
	// services are the service addresses that nodes announce for an endpoint of their
	// own, before and after.
	services [2]map[string][]netip.Prefix
}

// kind is nodes to which the same happens, but for their blocks and services.
type kind struct{ nodes []string }

func newForecaster(q Question) *forecaster {
	q.Before, q.After = q.Before.WithoutWorkloads(), q.After.WithoutWorkloads()
	f := &forecaster{Question: q, before: bgp.NewCluster(q.Before), after: bgp.NewCluster(q.After)}
	f.names = slices.Sorted(maps.Keys(q.Before.Nodes))
	for _, name := range slices.Sorted(maps.Keys(q.After.Nodes)) {
		if q.Before.Nodes[name] == nil {
			f.names = append(f.names, name)
		}
	}
	slices.Sort(f.names)
	f.blocks = [2]map[string][]*backends.BlockAffinity{blocksOf(q.Before, q.Options), blocksOf(q.After, q.Options)}
	f.services = [2]map[string][]netip.Prefix{f.before.LocalServices(q.Options), f.after.LocalServices(q.Options)}
	f.sort()
	return f
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
// of whose own addresses, blocks and services the same becomes. The node that asks is
// one by itself where more is known of its neighbors.
func (f *forecaster) sort() {
	before, after := f.before.Alike(), f.after.Alike()
	index := map[string]int{}
	for _, name := range f.names {
		key := fmt.Sprint(before.KindOf(name), after.KindOf(name), f.moved(name), f.ownDiffer(name), f.has(name), f.Deaf != nil && name == f.Options.Node)
		i, ok := index[key]
		if !ok {
			i = len(f.kinds)
			index[key] = i
			f.kinds = append(f.kinds, kind{})
		}
		f.kinds[i].nodes = append(f.kinds[i].nodes, name)
	}
}

// has says whether a node has blocks and services of its own, before and after: one
// without loses nothing, whatever becomes of those that have.
func (f *forecaster) has(name string) (list [2][3]bool) {
	for i := range list {
		for _, b := range f.blocks[i][name] {
			list[i][0] = list[i][0] || b.CIDR.Addr().Is4()
			list[i][1] = list[i][1] || b.CIDR.Addr().Is6()
		}
		list[i][2] = len(f.services[i][name]) > 0
	}
	return list
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
	deaf := f.deaf(name)
	changes.WithoutRefresh(func(session string) bool { return deaf[session] })
	changes.Reasked = slices.DeleteFunc(changes.Reasked, func(session string) bool { _, known := deaf[session]; return known })
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

// deaf is what is known of the neighbors of a node.
func (f *forecaster) deaf(node string) map[string]bool {
	if node == f.Options.Node {
		return f.Deaf
	}
	return nil
}

func sessionsIn(c *bgp.Config) int { return len(c.IPv4.Sessions) + len(c.IPv6.Sessions) }

// judged is what the guard of the example would be asked, if all of its sessions were
// established.
func (f *forecaster) judged(e *effect, o bgp.Options) guard.Question {
	q := guard.Question{
		Options: o, Now: f.Now, BIRD: f.BIRD, Deaf: f.deaf(o.Node),
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
		known, reasked := sessionsOf(l.from, l.names), nameSet(c.Reasked)
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
			if l.how == Refiltered && reasked[name] {
				x.Reasked++
			}
		}
		for _, object := range slices.Sorted(maps.Keys(byObject)) {
			out = append(out, *byObject[object])
		}
	}
	return out
}

func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// mostNames is how many sessions are named.
const mostNames = 5

func sessionsOf(c *bgp.Config, names []string) map[string]*bgp.Session {
	if c == nil || len(names) == 0 {
		return nil
	}
	out := make(map[string]*bgp.Session, sessionsIn(c))
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			out[s.Name] = s
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
	return g, !e.empty || len(g.RoutesLost) > 0 || f.ownDiffer(name)
}

// ownDiffer says whether a node has other blocks or services of its own.
func (f *forecaster) ownDiffer(name string) bool {
	return !reflect.DeepEqual(f.blocks[0][name], f.blocks[1][name]) || !slices.Equal(f.services[0][name], f.services[1][name])
}

// way is a net that sessions tell of which an object asks for.
type way struct {
	net    netip.Prefix
	object string
}

// routesLost are the routes of a node's own that peers are told of before, and not
// after: all of them, or those that an object asks for and that stay.
func (f *forecaster) routesLost(name string, e *effect) []string {
	before, _ := f.told(0, name, e.was)
	after, stay := f.told(1, name, e.is)
	known := map[netip.Prefix]bool{}
	for w := range after {
		known[w.net] = true
	}
	lost := map[string]bool{}
	for w := range before {
		switch {
		case after[w]:
		case !known[w.net]:
			lost[w.net.String()] = true
		case stay[way{object: w.object}.of(w.net)]:
			lost[fmt.Sprintf("%s to peers of %s", w.net, w.object)] = true
		}
	}
	return slices.Sorted(maps.Keys(lost))
}

// of is the way of an object's sessions of a net's family, as told notes them.
func (w way) of(net netip.Prefix) way {
	all := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	if net.Addr().Is4() {
		all = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return way{all, w.object}
}

// told are the ways by which a node's own nets are told, before (0) or after (1), and
// the objects that ask for sessions, by family.
func (f *forecaster) told(when int, name string, c *bgp.Config) (told, objects map[way]bool) {
	told, objects = map[way]bool{}, map[way]bool{}
	for _, family := range c.Families() {
		own, nets := f.ownOf(when, name, family)
		policies := bgp.PoliciesOf(c, &own)
		for _, s := range ways(family) {
			object := way{object: s.Reason.Object.String()}
			objects[object.of(netip.PrefixFrom(s.Neighbor, 0))] = true
			for _, net := range nets {
				if policies.Tells(s, bgp.Route{Net: net}, nil) {
					told[way{net, object.object}] = true
				}
			}
		}
	}
	return told, objects
}

// ownOf is a family with a node's own blocks and services in the place of the
// example's, and their nets.
func (f *forecaster) ownOf(when int, name string, family *bgp.Family) (own bgp.Family, nets []netip.Prefix) {
	state := f.Before
	if when == 1 {
		state = f.After
	}
	own = *family
	own.Export.Blocks, own.Export.Services = nil, nil
	for _, b := range f.blocks[when][name] {
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
		if local, _ := state.Services.Get(s.Reason.Object); local == nil || !local.Local {
			own.Export.Services = append(own.Export.Services, s)
			nets = append(nets, s.Net)
		}
	}
	for _, net := range f.services[when][name] {
		if net.Addr().Is4() == (family.Version == 4) {
			own.Export.Services = append(own.Export.Services, bgp.StaticRoute{Net: net})
			nets = append(nets, net)
		}
	}
	return own, nets
}

// ways are sessions of a family, one for each way in which routes are told to the
// peers of an object.
func ways(f *bgp.Family) []*bgp.Session {
	var out []*bgp.Session
	for _, s := range f.Sessions {
		same := func(o *bgp.Session) bool {
			return o.Internal == s.Internal && o.Reason.Object == s.Reason.Object && slices.Equal(o.Export, s.Export)
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}
