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
	said := c.services.of(c.serviceRules(ranges), c.state)
	for _, key := range slices.SortedFunc(maps.Keys(said), backends.Key.Compare) {
		is := said[key]
		for _, text := range is.ignored {
			c.ignored(key, text)
		}
		for _, a := range is.outside {
			c.problem(key, CodeServiceOutside, false, "its cluster IP %s is announced, though it lies in none of the ranges of serviceClusterIPs", a)
		}
		advertise(is.nets, Reason{Object: key, Text: fmt.Sprintf("Service %s/%s: %s", key.Namespace, key.Name, is.why)})
	}
	out := make([]StaticRoute, 0, len(routes))
	for net, reason := range routes {
		out = append(out, StaticRoute{Net: net, Reason: reason})
	}
	slices.SortFunc(out, func(a, b StaticRoute) int { return comparePrefixes(a.Net, b.Net) })
	return out
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

// serviceRules are what decides, besides a Service and its endpoints, what a node
// advertises of it.
type serviceRules struct {
	ranges serviceRanges
	// single says that single addresses are advertised of the ranges of load
	// balancers, instead of the ranges.
	single bool
	node   string // in EndpointSlices
}

func (c *computer) serviceRules(ranges serviceRanges) serviceRules {
	return serviceRules{ranges, c.defaults.NoLoadBalancerAggregation, cmp.Or(c.options.K8sNode, c.options.Node)}
}

// serviceEndpoints is where a Service has ready endpoints of its families, and
// whether it has an EndpointSlice at all.
type serviceEndpoints struct{ anywhere, here, slices bool }

// announcement is what a node says of a Service.
type announcement struct {
	nets    []netip.Prefix
	why     string       // they are announced; empty: none are
	outside []netip.Addr // cluster IPs that are announced, as Calico does, though no range that is named holds them
	ignored []string
}

// announce is what is said of a Service.
func (r serviceRules) announce(s *backends.Service, e serviceEndpoints) announcement {
	a := announcement{why: r.whyAdvertised(s, e), ignored: s.Ignored}
	if a.why == "" {
		return a
	}
	a.nets = serviceAddresses(s, r.ranges)
	for _, ip := range s.ClusterIPs {
		if len(r.ranges.cluster) > 0 && !lyingIn(r.ranges.cluster)(ip) {
			a.outside = append(a.outside, ip)
		}
	}
	return a
}

func (a announcement) isNothing() bool { return a.why == "" && len(a.ignored) == 0 }

// whyAdvertised says why a node advertises a Service's single addresses; empty: it
// does not.
func (r serviceRules) whyAdvertised(s *backends.Service, e serviceEndpoints) string {
	advertisable := s.Type == "ClusterIP" || s.Type == "NodePort" || s.Type == "LoadBalancer"
	switch {
	case !advertisable || len(s.ClusterIPs) == 0 || !e.slices:
		return ""
	case s.Local && e.here:
		return "externalTrafficPolicy Local, with a ready endpoint on this node"
	case s.Local:
		return ""
	case slices.ContainsFunc(s.LoadBalancerIPs, namedSingly(r.ranges.loadBalancer)), slices.ContainsFunc(s.ExternalIPs, namedSingly(r.ranges.external)):
		return "the configuration names one of its addresses by itself"
	case r.single && e.anywhere:
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
	for _, e := range c.state.EndpointSlices.All() {
		s, _ := c.state.Services.Get(backends.Key{Kind: backends.KindService, Namespace: e.Namespace, Name: e.Service})
		if s == nil || !s.Local {
			continue
		}
		for _, name := range e.Nodes {
			if n := c.state.Nodes[name]; n == nil || n.Labels[ExcludeLabel] == "true" {
				continue
			}
			rules := (&computer{Cluster: c, options: o.For(name)}).serviceRules(ranges)
			if ends := tallyOf(e, rules.node).endpointsOf(s); ends.here && rules.whyAdvertised(s, ends) != "" {
				out[name] = append(out[name], serviceAddresses(s, ranges)...)
			}
		}
	}
	for name, nets := range out {
		out[name] = sortedPrefixes(nets)
	}
	return out
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
