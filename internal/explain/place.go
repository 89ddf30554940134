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
	case pool.DisableBGPExport && !bgp.FelixPrograms(a.state(), pool):
		add("IPPool %s has disableBGPExport: peers are not told of it, unless a BGPFilter accepts it before", pool.Name)
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
	felix := pool != nil && bgp.FelixPrograms(a.state(), pool)
	if felix {
		out.Notes = append(out.Notes, fmt.Sprintf("Felix programs the routes to the blocks of IPPool %s on the nodes, without BGP: who is told matters to routers outside", pool.Name))
	}
	if missing := s.without(); len(missing) > 0 {
		byReason := map[string][]string{}
		for _, node := range missing {
			why := s.whyNot(node, "them")
			byReason[why] = append(byReason[why], node)
		}
		for _, why := range slices.Sorted(maps.Keys(byReason)) {
			out.Ways = append(out.Ways, Way{By: why, Whom: first(byReason[why]), Count: len(byReason[why])})
			if felix {
				continue
			}
			out.Swallowed = append(out.Swallowed, fmt.Sprintf("%s cannot get there (%s): %s", countText(byReason[why]), listText(first(byReason[why])), why))
		}
	}
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

// kernelOf says what a node that has the route does with it in its kernel: the
// policy is the same on all, but for WireGuard.
func (a *Asker) kernelOf(s *spread, pool *backends.IPPool) string {
	for _, name := range slices.Sorted(maps.Keys(s.heard)) {
		h := s.heard[name]
		if len(h.way) == 1 {
			continue
		}
		cfg, err := s.config(name)
		if err != nil {
			continue
		}
		route := h.route
		route.Session = "peer"
		f := familyIn(cfg, s.net)
		out := bgp.PoliciesOf(cfg, f).TraceKernel(route)
		text := "BIRD puts it into the kernel: "
		if !out.Accepted {
			text = "BIRD leaves it out of the kernel: "
		}
		if out.Tunnel != "" {
			text = "BIRD puts it into the kernel, through " + out.Tunnel + ": "
		}
		text += lastStep(out)
		for _, p := range cfg.Problems {
			if pool != nil && p.Object == pool.ResourceKey() && p.Code == bgp.CodePoolRoutes {
				text += "; " + p.Text
			}
		}
		return text
	}
	return ""
}
