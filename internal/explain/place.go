package explain

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// Workload is the address that a name stands for: an address itself, or a local
// workload of this node that speaks BGP.
func (a *Asker) Workload(text string) (netip.Prefix, error) {
	if w := a.state().EndpointStatuses[text]; w != nil {
		for _, address := range []netip.Addr{w.IPv4, w.IPv6} {
			if address.IsValid() {
				return netip.PrefixFrom(address, address.BitLen()), nil
			}
		}
	}
	net, err := parseNet(text)
	if err == nil && !net.IsSingleIP() {
		err = fmt.Errorf("%s is a net: confd explain block is for those", net)
	}
	return net, err
}

// Block reads a block's CIDR; an address stands for the smallest block that holds it.
func (a *Asker) Block(text string) (netip.Prefix, error) {
	net, err := parseNet(text)
	if err == nil && net.IsSingleIP() {
		if owners := a.owners(net); len(owners) > 0 {
			return owners[0].CIDR, nil
		}
	}
	return net, err
}

// Place says where an address or a block is.
func (a *Asker) Place(net netip.Prefix) (*PlaceAnswer, error) {
	out, err := a.place(net)
	if err == nil {
		out.Asked, out.Down = a.options.Node, a.down(net.Addr())
	}
	return out, err
}

// down are the sessions of this node that would carry routes to an address, and that
// BIRD says are not up: those with local workloads come and go.
func (a *Asker) down(to netip.Addr) []LiveSession {
	if a.Live == nil {
		return nil
	}
	var list []LiveSession
	for _, s := range a.Live.Sessions {
		kind, neighbor, _, ok := bgp.ParseSessionName(s.Name)
		if ok && !s.Up && kind != bgp.LocalWorkloadSession && neighbor.Is4() == to.Is4() {
			list = append(list, s)
		}
	}
	return list
}

func (a *Asker) place(net netip.Prefix) (*PlaceAnswer, error) {
	out := &PlaceAnswer{Net: net, Blocks: []PlaceBlock{}, Ways: []Way{}, Swallowed: []string{}}
	pool := a.poolOf(net)
	if pool != nil {
		out.Pool = fmt.Sprintf("%s (%s, %s)", pool.Name, pool.CIDR, encapsulation(pool))
	}
	if a.placeService(out) || a.placeAround(out) {
		return out, nil
	}
	var own *backends.BlockAffinity
	for _, b := range a.owners(net) {
		out.Blocks = append(out.Blocks, PlaceBlock{b.CIDR, b.Node, stateText(b)})
		if own == nil && !b.Deleted && b.State != "pending" {
			own = b
		}
	}
	a.hazards(out, pool)
	switch {
	case own == nil:
		out.Swallowed = append(out.Swallowed, "no node has a block that holds it: nobody announces it")
		return out, nil
	case a.state().Nodes[own.Node] == nil:
		out.Swallowed = append(out.Swallowed, fmt.Sprintf("its block %s is of node %q, which is not there: nobody announces it", own.CIDR, own.Node))
		return out, nil
	}
	out.Owner = own.Node
	return out, a.follow(out, own, pool)
}

func encapsulation(p *backends.IPPool) string {
	switch {
	case p.VXLAN != "" && p.VXLAN != backends.EncapNever:
		return "VXLAN " + string(p.VXLAN)
	case p.IPIP != "" && p.IPIP != backends.EncapNever:
		return "IPIP " + string(p.IPIP)
	}
	return "no encapsulation"
}

// hazards are those that do not depend on who has the block.
func (a *Asker) hazards(out *PlaceAnswer, pool *backends.IPPool) {
	add := func(format string, args ...any) { out.Swallowed = append(out.Swallowed, fmt.Sprintf(format, args...)) }
	switch {
	case pool == nil:
		add("it is in no IPPool: where no block or BGPFilter says so, peers are not told of it")
	case pool.DisableBGPExport:
		if with, without := a.byFelix(pool); len(without) > 0 {
			where := ""
			if len(with) > 0 {
				where = fmt.Sprintf(", and on %s Felix makes no route to it", listText(without))
			}
			add("IPPool %s has disableBGPExport: peers are not told of it, unless a BGPFilter accepts it before%s", pool.Name, where)
		}
	}
	if len(out.Blocks) > 1 && out.Blocks[0].CIDR == out.Blocks[1].CIDR {
		add("block %s is of %s and of %s: each of them announces it", out.Blocks[0].CIDR, out.Blocks[0].Node, out.Blocks[1].Node)
	}
	for _, b := range out.Blocks {
		if b.State == "pending" || b.State == "pendingDeletion" || b.State == "deleted" {
			add("the affinity of block %s for node %s is %s", b.CIDR, b.Node, b.State)
		}
	}
}

// follow says how the others are told.
func (a *Asker) follow(out *PlaceAnswer, own *backends.BlockAffinity, pool *backends.IPPool) error {
	cfg, err := a.compute(own.Node)
	if err != nil {
		return err
	}
	f := familyIn(cfg, own.CIDR)
	announced := slices.ContainsFunc(f.Statics, func(s bgp.StaticRoute) bool { return s.Net == own.CIDR })
	switch {
	case announced:
		out.Announced = own.CIDR.String() + ", a blackhole on " + own.Node + ", where its workloads have routes of their own"
	case own.CIDR.IsSingleIP():
		out.Announced = own.CIDR.String() + ", the workload's own route"
	default:
		out.Swallowed = append(out.Swallowed, leftOut(cfg, own.ResourceKey())...)
	}
	if out.Net.IsSingleIP() && announced {
		out.Notes = append(out.Notes, fmt.Sprintf("if the workload that has %s does not run on %s (a borrowed address), the node where it runs tells of it alone, as %s; where %s is not told of that, its blackhole for %s swallows the packets", out.Net.Addr(), own.Node, out.Net, own.Node, own.CIDR))
	}
	route := bgp.Route{Net: own.CIDR}
	if !announced && own.CIDR.IsSingleIP() {
		route.Interface = "cali0"
	}
	s, err := a.spreadOf(own.Node, route, "")
	if err != nil {
		return err
	}
	a.ways(out, s, pool)
	return nil
}

// ways puts those together who are told the same way.
func (a *Asker) ways(out *PlaceAnswer, s *spread, pool *backends.IPPool) {
	groups := map[string][]string{}
	reflectors := map[string]map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.heard)) {
		h := s.heard[name]
		if len(h.way) == 1 {
			continue
		}
		by := "a session with " + h.way[0]
		if len(h.way) > 2 {
			by = fmt.Sprintf("%s that pass it on, %d after each other", "nodes", len(h.way)-2)
			if reflectors[by] == nil {
				reflectors[by] = map[string]bool{}
			}
			reflectors[by][h.way[len(h.way)-2]] = true
		}
		groups[by] = append(groups[by], name)
	}
	kernel := a.kernelOf(s, pool)
	for _, by := range slices.Sorted(maps.Keys(groups)) {
		way := Way{By: by, Whom: first(groups[by]), Count: len(groups[by]), Told: true, Kernel: kernel}
		if r := reflectors[by]; len(r) > 0 {
			names := slices.Sorted(maps.Keys(r))
			way.By = fmt.Sprintf("%s, which pass it on", listText(names))
			if len(names) == 1 {
				way.By = names[0] + ", which passes it on"
			}
		}
		out.Ways = append(out.Ways, way)
	}
	a.outside(out, s)
	a.untold(out, s, pool)
}

// untold says of the nodes that are not told why, and which of them have no route
// of Felix's either.
func (a *Asker) untold(out *PlaceAnswer, s *spread, pool *backends.IPPool) {
	with, without := a.byFelix(pool)
	switch {
	case len(with) == 0:
	case len(without) == 0:
		out.Notes = append(out.Notes, fmt.Sprintf("Felix programs the routes to the blocks of IPPool %s on the nodes, without BGP: who is told matters to routers outside", pool.Name))
	default:
		out.Notes = append(out.Notes, fmt.Sprintf("Felix programs the routes to the blocks of IPPool %s on %s, without BGP: who is told matters to the other nodes and to routers outside", pool.Name, listText(with)))
	}
	byReason := map[string][]string{}
	for _, node := range s.without() {
		why := s.whyNot(node, "them")
		byReason[why] = append(byReason[why], node)
	}
	for _, why := range slices.Sorted(maps.Keys(byReason)) {
		names := byReason[why]
		out.Ways = append(out.Ways, Way{By: why, Whom: first(names), Count: len(names)})
		lost := slices.DeleteFunc(slices.Clone(names), func(node string) bool { return slices.Contains(with, node) })
		if len(lost) > 0 {
			out.Swallowed = append(out.Swallowed, fmt.Sprintf("%s cannot get there (%s): %s", countText(lost), listText(first(lost)), why))
		}
	}
}

// byFelix are the nodes on which Felix programs the routes to a pool's blocks, and
// those on which it does not, by name; nil: no pool.
func (a *Asker) byFelix(pool *backends.IPPool) (with, without []string) {
	for _, n := range a.own.Nodes() {
		if pool != nil && bgp.FelixPrograms(a.state(), n.Name, pool) {
			with = append(with, n.Name)
		} else {
			without = append(without, n.Name)
		}
	}
	return with, without
}

// outside says which routers are told.
func (a *Asker) outside(out *PlaceAnswer, s *spread) {
	type group struct {
		told bool
		why  string
	}
	groups := map[group][]string{}
	for _, x := range s.outside {
		g := group{x.told, x.why}
		groups[g] = append(groups[g], x.to+" by "+x.from)
	}
	for _, g := range slices.SortedFunc(maps.Keys(groups), func(x, y group) int { return compareText(x.why, y.why) }) {
		names := groups[g]
		slices.Sort(names)
		names = slices.Compact(names)
		by := "told of it: " + g.why
		if !g.told {
			by = "not told of it: " + g.why
		}
		out.Ways = append(out.Ways, Way{By: by, Whom: first(names), Count: len(names), Told: g.told})
	}
}

func compareText(x, y string) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// kernelOf says what a node that has the route does with it in its kernel: BIRD's
// policy is the same on all, but for WireGuard. What Felix does may differ.
func (a *Asker) kernelOf(s *spread, pool *backends.IPPool) string {
	told := map[backends.ClusterRoutes][]string{}
	examples := map[backends.ClusterRoutes]*bgp.Config{}
	var text string
	for _, name := range slices.Sorted(maps.Keys(s.heard)) {
		if len(s.heard[name].way) == 1 {
			continue
		}
		felix := bgp.FelixRoutes(a.state(), name)
		told[felix] = append(told[felix], name)
		if examples[felix] != nil {
			continue
		}
		cfg, err := s.config(name)
		if err != nil {
			continue
		}
		examples[felix] = cfg
		if text == "" {
			text = s.intoKernel(cfg, name)
		}
	}
	for _, felix := range slices.Sorted(maps.Keys(examples)) {
		for _, p := range examples[felix].Problems {
			if pool == nil || p.Object != pool.ResourceKey() || p.Code != bgp.CodePoolRoutes {
				continue
			}
			text += "; " + p.Text
			if len(told) > 1 {
				text += " (on " + listText(told[felix]) + ")"
			}
		}
	}
	return text
}

// intoKernel says what BIRD of a node does with the route that it was told of.
func (s *spread) intoKernel(cfg *bgp.Config, node string) string {
	route := s.heard[node].route
	route.Session = "peer"
	out := bgp.PoliciesOf(cfg, familyIn(cfg, s.net)).TraceKernel(route)
	switch {
	case !out.Accepted:
		return "BIRD leaves it out of the kernel: " + lastStep(out)
	case out.Tunnel != "":
		return "BIRD puts it into the kernel, through " + out.Tunnel + ": " + lastStep(out)
	}
	return "BIRD puts it into the kernel: " + lastStep(out)
}
