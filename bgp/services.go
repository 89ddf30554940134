package bgp

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
)

// ExcludeLabel keeps a node from advertising service addresses, where it is "true".
const ExcludeLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

// serviceRanges are the ranges whose service addresses are advertised.
type serviceRanges struct {
	cluster, external, loadBalancer []netip.Prefix
}

func (r serviceRanges) all() []netip.Prefix {
	return slices.Concat(r.cluster, r.external, r.loadBalancer)
}

// routes are the entries that are static routes: of the cluster's own ranges
// also single addresses.
func (r serviceRanges) routes() []netip.Prefix {
	return slices.Concat(r.cluster, severalAddresses(r.external), severalAddresses(r.loadBalancer))
}

func severalAddresses(nets []netip.Prefix) []netip.Prefix {
	return filter(nets, func(p netip.Prefix) bool { return !p.IsSingleIP() })
}

func (c *computer) serviceRanges() serviceRanges {
	r := serviceRanges{
		cluster:      c.defaults.ServiceClusterIPs,
		external:     c.defaults.ServiceExternalIPs,
		loadBalancer: c.defaults.ServiceLoadBalancerIPs,
	}
	if c.options.ClusterIPs != nil {
		r.cluster = c.options.ClusterIPs
	}
	return r
}

// serviceRoutes are the service addresses that this node advertises: the
// ranges, and single addresses, sorted by net, each once.
func (c *computer) serviceRoutes(ranges serviceRanges) []StaticRoute {
	if len(ranges.all()) == 0 || c.me.Labels[ExcludeLabel] == "true" {
		return nil
	}
	routes := map[netip.Prefix]Reason{}
	advertise := func(nets []netip.Prefix, reason Reason) {
		for _, n := range nets {
			if _, ok := routes[n]; !ok {
				routes[n] = reason
			}
		}
	}
	c.advertiseRanges(ranges, advertise)
	endpoints := c.endpoints()
	for _, key := range slices.SortedFunc(maps.Keys(c.state.Services), backends.Key.Compare) {
		s := c.state.Services[key]
		for _, text := range s.Ignored {
			c.ignored(key, text)
		}
		if why := c.whyAdvertised(s, ranges, endpoints[key]); why != "" {
			advertise(serviceAddresses(s, ranges), Reason{Object: key, Text: fmt.Sprintf("Service %s/%s: %s", s.Namespace, s.Name, why)})
			c.outsideRanges(s, ranges.cluster)
		}
	}
	out := make([]StaticRoute, 0, len(routes))
	for net, reason := range routes {
		out = append(out, StaticRoute{Net: net, Reason: reason})
	}
	slices.SortFunc(out, func(a, b StaticRoute) int { return comparePrefixes(a.Net, b.Net) })
	return out
}

// outsideRanges reports cluster IPs that are advertised, as Calico does, though no
// range that is named holds them.
func (c *computer) outsideRanges(s *backends.Service, ranges []netip.Prefix) {
	for _, a := range s.ClusterIPs {
		if len(ranges) > 0 && !lyingIn(ranges)(a) {
			c.problem(s.ResourceKey(), CodeServiceOutside, false, "its cluster IP %s is announced, though it lies in none of the ranges of serviceClusterIPs", a)
		}
	}
}

func (c *computer) advertiseRanges(r serviceRanges, advertise func([]netip.Prefix, Reason)) {
	reason := func(field string) Reason {
		return Reason{Object: c.defaults.ResourceKey(), Text: "BGPConfiguration default: " + field}
	}
	from := reason("serviceClusterIPs")
	if c.options.ClusterIPs != nil {
		from.Text = "CALICO_ADVERTISE_CLUSTER_IPS"
	}
	advertise(r.cluster, from)
	advertise(severalAddresses(r.external), reason("serviceExternalIPs"))
	if !c.defaults.NoLoadBalancerAggregation {
		advertise(severalAddresses(r.loadBalancer), reason("serviceLoadBalancerIPs"))
	}
}

// serviceEndpoints is where a Service has ready endpoints of its families, and
// whether it has an EndpointSlice at all.
type serviceEndpoints struct{ anywhere, here, slices bool }

// endpoints gathers the EndpointSlices of each Service.
func (c *computer) endpoints() map[backends.Key]serviceEndpoints {
	out := map[backends.Key]serviceEndpoints{}
	for _, e := range c.state.EndpointSlices {
		key := backends.Key{Kind: backends.KindService, Namespace: e.Namespace, Name: e.Service}
		s, ok := c.state.Services[key]
		if !ok {
			continue
		}
		all, one := out[key], c.endpointsOf(s, e)
		out[key] = serviceEndpoints{all.anywhere || one.anywhere, all.here || one.here, true}
	}
	return out
}

// readyHere says whether e has a ready endpoint on this node.
func readyHere(e *backends.EndpointSlice, o Options) bool {
	return slices.Contains(e.Nodes, cmp.Or(o.K8sNode, o.Node))
}

// whyAdvertised says why this node advertises a Service's single addresses;
// empty: it does not.
func (c *computer) whyAdvertised(s *backends.Service, r serviceRanges, e serviceEndpoints) string {
	advertisable := s.Type == "ClusterIP" || s.Type == "NodePort" || s.Type == "LoadBalancer"
	switch {
	case !advertisable || len(s.ClusterIPs) == 0 || !e.slices:
		return ""
	case s.Local && e.here:
		return "externalTrafficPolicy Local, with a ready endpoint on this node"
	case s.Local:
		return ""
	case slices.ContainsFunc(s.LoadBalancerIPs, namedSingly(r.loadBalancer)), slices.ContainsFunc(s.ExternalIPs, namedSingly(r.external)):
		return "the configuration names one of its addresses by itself"
	case c.defaults.NoLoadBalancerAggregation && e.anywhere:
		return "serviceLoadBalancerAggregation is Disabled, and it has ready endpoints"
	}
	return ""
}

// LocalServices are the single addresses that nodes advertise for having an endpoint
// (externalTrafficPolicy Local), by node, sorted, each once. o says which ranges there are.
func (c *Cluster) LocalServices(o Options) map[string][]netip.Prefix {
	ranges := (&computer{Cluster: c, options: o}).serviceRanges()
	out := map[string][]netip.Prefix{}
	if len(ranges.all()) == 0 {
		return out
	}
	for _, e := range c.state.EndpointSlices {
		s := c.state.Services[backends.Key{Kind: backends.KindService, Namespace: e.Namespace, Name: e.Service}]
		if s == nil || !s.Local {
			continue
		}
		for _, name := range e.Nodes {
			if n := c.state.Nodes[name]; n == nil || n.Labels[ExcludeLabel] == "true" {
				continue
			}
			here := &computer{Cluster: c, options: o.For(name)}
			if ends := here.endpointsOf(s, e); ends.here && here.whyAdvertised(s, ranges, ends) != "" {
				out[name] = append(out[name], serviceAddresses(s, ranges)...)
			}
		}
	}
	for name, nets := range out {
		out[name] = sortedPrefixes(nets)
	}
	return out
}

// endpointsOf is what one EndpointSlice says of its Service.
func (c *computer) endpointsOf(s *backends.Service, e *backends.EndpointSlice) serviceEndpoints {
	if e.IPv6 && !s.IPv6 || !e.IPv6 && !s.IPv4 {
		return serviceEndpoints{slices: true}
	}
	return serviceEndpoints{anywhere: e.Ready, here: readyHere(e, c.options), slices: true}
}

func namedSingly(ranges []netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool { return slices.Contains(ranges, netip.PrefixFrom(a, a.BitLen())) }
}

// serviceAddresses are the addresses of s that may be advertised.
func serviceAddresses(s *backends.Service, r serviceRanges) []netip.Prefix {
	var out []netip.Prefix
	add := func(addresses []netip.Addr, within func(netip.Addr) bool) {
		for _, a := range addresses {
			if within(a) {
				out = append(out, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	add(s.ClusterIPs, func(netip.Addr) bool { return len(r.cluster) > 0 })
	add(s.ExternalIPs, lyingIn(r.external))
	add(s.LoadBalancerIPs, lyingIn(r.loadBalancer))
	return out
}

// lyingIn says of an address whether one of the ranges holds it.
func lyingIn(ranges []netip.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
	}
}
