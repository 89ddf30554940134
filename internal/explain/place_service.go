package explain

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/internal/terminal"
)

// placeService says of an address or net of services whose it is, and which nodes tell
// of it. False: it is none of theirs.
func (a *Asker) placeService(out *PlaceAnswer) bool {
	if len(a.owners(out.Net)) > 0 {
		return false
	}
	out.Service = a.serviceWith(out.Net)
	if out.Service == "" && !a.inServiceRange(out.Net) {
		return false
	}
	switch {
	case out.Service != "":
	case out.Net.IsSingleIP():
		out.Service = "in a range of service addresses; no Service that is known has it"
	default:
		out.Service = "a range of service addresses"
	}
	said := a.announcedOf(out.Net)
	for _, s := range said {
		out.Notes = append(out.Notes, fmt.Sprintf("%s is told of by %s: %s", s.net, listText(s.nodes), s.why))
	}
	if len(said) > 0 {
		out.Announced = fmt.Sprintf("%s, a blackhole on each node that tells of it", said[0].net)
	} else {
		out.Swallowed = append(out.Swallowed, "no node tells of it: BGPConfiguration default names no range that holds it (serviceClusterIPs, serviceExternalIPs, serviceLoadBalancerIPs), or no node has an endpoint of the Service")
	}
	out.Notes = append(out.Notes, "it is an address of a service and no pod's: the node that packets for it reach sends them on to an endpoint (kube-proxy, or what does its work there)")
	return true
}

// serviceWith names the Service that has an address; empty: none that was read has it.
func (a *Asker) serviceWith(net netip.Prefix) string {
	if !net.IsSingleIP() {
		return ""
	}
	services := maps.Collect(a.state().Services.All())
	for _, key := range slices.SortedFunc(maps.Keys(services), backends.Key.Compare) {
		s := services[key]
		for _, kind := range []struct {
			name      string
			addresses []netip.Addr
		}{{"cluster IP", s.ClusterIPs}, {"external IP", s.ExternalIPs}, {"load balancer's IP", s.LoadBalancerIPs}} {
			if slices.Contains(kind.addresses, net.Addr()) {
				return fmt.Sprintf("%s of Service %s/%s", kind.name, s.Namespace, s.Name)
			}
		}
	}
	return ""
}

// inServiceRange says whether one of the ranges of service addresses holds a net.
func (a *Asker) inServiceRange(net netip.Prefix) bool {
	ranges := a.options.ClusterIPs
	if c := a.state().BGPConfigurations["default"]; c != nil {
		ranges = slices.Concat(ranges, c.ServiceClusterIPs, c.ServiceExternalIPs, c.ServiceLoadBalancerIPs)
	}
	return slices.ContainsFunc(ranges, func(r netip.Prefix) bool { return within(net, r) })
}

// announcement is a net of services that nodes tell of, for one reason.
type announcement struct {
	net   netip.Prefix
	why   string
	nodes []string
}

// announcedOf are the nets of services that hold a net and that nodes tell of, the
// smallest first.
func (a *Asker) announcedOf(net netip.Prefix) []announcement {
	type key struct {
		net netip.Prefix
		why string
	}
	nodes := map[key][]string{}
	for _, kind := range a.others.Alike().Kinds {
		cfg, err := a.compute(kind[0].Name)
		if err != nil {
			continue
		}
		for _, s := range familyIn(cfg, net).Statics {
			if !within(net, s.Net) || s.Reason.Object.Kind != backends.KindService && s.Reason.Object.Kind != backends.KindBGPConfiguration {
				continue
			}
			if s.Reason.Object.Kind == backends.KindService && a.isLocal(s.Reason.Object) {
				continue // of each node by itself, below
			}
			k := key{s.Net, s.Reason.Text}
			for _, n := range kind {
				nodes[k] = append(nodes[k], n.Name)
			}
		}
	}
	for name, nets := range a.own.LocalServices(a.options) {
		for _, n := range nets {
			if within(net, n) {
				k := key{n, "externalTrafficPolicy Local, with a ready endpoint there"}
				nodes[k] = append(nodes[k], name)
			}
		}
	}
	var out []announcement
	for k, names := range nodes {
		slices.Sort(names)
		out = append(out, announcement{k.net, k.why, names})
	}
	slices.SortFunc(out, func(x, y announcement) int {
		return cmp.Or(cmp.Compare(y.net.Bits(), x.net.Bits()), cmp.Compare(x.why, y.why))
	})
	return out
}

func (a *Asker) isLocal(service backends.Key) bool {
	s, _ := a.state().Services.Get(service)
	return s != nil && s.Local
}

// placeAround says of a net that holds blocks, and is in none, which those are. False:
// it is no such net.
func (a *Asker) placeAround(out *PlaceAnswer) bool {
	if out.Net.IsSingleIP() || len(a.owners(out.Net)) > 0 {
		return false
	}
	inside := a.blocksIn(out.Net)
	if len(inside) == 0 {
		return false
	}
	nodes := map[string]bool{}
	for _, b := range inside {
		out.Inside = append(out.Inside, PlaceBlock{b.CIDR, b.Node, stateText(b)})
		nodes[b.Node] = true
	}
	out.Notes = append(out.Notes, fmt.Sprintf("no node tells of it as a whole: it is around %s of %s, each of which is told of by itself (confd explain block %s)",
		terminal.Count(len(inside), "block"), terminal.Count(len(nodes), "node"), inside[0].CIDR))
	return true
}

// blocksIn are the affinities of the blocks in a net, in order.
func (a *Asker) blocksIn(net netip.Prefix) []*backends.BlockAffinity {
	var out []*backends.BlockAffinity
	if a.options.UsePodCIDR {
		for _, n := range a.own.Nodes() {
			for _, p := range n.PodCIDRs {
				if within(p, net) {
					out = append(out, &backends.BlockAffinity{Name: n.Name, Node: n.Name, CIDR: p, State: "confirmed"})
				}
			}
		}
	} else {
		for _, b := range a.state().BlockAffinities {
			if within(b.CIDR, net) {
				out = append(out, b)
			}
		}
	}
	slices.SortFunc(out, func(x, y *backends.BlockAffinity) int {
		return cmp.Or(x.CIDR.Addr().Compare(y.CIDR.Addr()), cmp.Compare(x.CIDR.Bits(), y.CIDR.Bits()), cmp.Compare(x.Name, y.Name))
	})
	return out
}
