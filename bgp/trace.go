package bgp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// Step is one thing that a policy asks about a route, or does to it.
type Step struct {
	// Object is the resource that it comes from; empty: it is Calico's own rule, or
	// BGP's.
	Object backends.Key
	// List and Rule say which rule of a BGPFilter it is: "exportV4", from 1.
	List string
	Rule int
	// Asks says what is asked, in words.
	Asks string
	// Holds says that it is so; WhyNot why it is not, where that needs words.
	Holds  bool
	WhyNot string
	// Does says what comes of it: accept, reject, or how the route is changed.
	Does string
}

// Outcome is what becomes of a route, and how.
type Outcome struct {
	Accepted bool
	Steps    []Step
	// Route has the attributes that the route leaves the policy with.
	Route Route
	// Preferred: it is better than the local route to the same net (preference 200).
	Preferred bool
	// Tunnel is the interface that the kernel is told to send through; empty: none.
	Tunnel string
}

// What steps do.
const (
	accept = "accept"
	reject = "reject"
)

// trace collects steps; nil collects none, and costs nothing.
type trace struct{ steps []Step }

// end adds a step that decides.
func (t *trace) end(object backends.Key, asks string, accepted bool) {
	if t == nil {
		return
	}
	does := reject
	if accepted {
		does = accept
	}
	t.steps = append(t.steps, Step{Object: object, Asks: asks, Holds: true, Does: does})
}

// asks adds a step about a pool, and is whether it holds.
func (t *trace) asks(object backends.Key, format string, pool Pool, holds bool, does string) bool {
	if t != nil {
		s := Step{Object: object, Asks: fmt.Sprintf(format, pool.CIDR), Holds: holds}
		if holds {
			s.Does = does
		}
		t.steps = append(t.steps, s)
	}
	return holds
}

// ruleOf names a rule.
type ruleOf struct {
	filter  string
	export  bool
	version int
	number  int
}

// RuleList is the field of a BGPFilter that has the rules of a direction and family.
func RuleList(export bool, version int) string {
	if export {
		return fmt.Sprintf("exportV%d", version)
	}
	return fmt.Sprintf("importV%d", version)
}

// rule adds a rule, and does to the route what it says where it holds.
func (t *trace) rule(of ruleOf, rule backends.FilterRule, why condition, internal bool, r *Route) {
	if t == nil {
		return
	}
	s := Step{
		Object: backends.Key{Kind: backends.KindBGPFilter, Name: of.filter}, List: RuleList(of.export, of.version), Rule: of.number,
		Asks: RuleText(rule), Holds: why == "",
	}
	if s.Holds {
		s.Does = operate(rule, r)
	} else {
		s.WhyNot = whyUnmet(why, internal, *r)
	}
	t.steps = append(t.steps, s)
}

// operate does what a rule says to r, and says it in words.
func operate(rule backends.FilterRule, r *Route) string {
	var parts []string
	for _, o := range rule.Operations {
		switch {
		case o.AddCommunity != nil:
			r.Communities = withCommunity(r.Communities, *o.AddCommunity)
			parts = append(parts, "adds the community "+o.AddCommunity.String())
		case o.SetPriority != nil:
			preference := maxPreference - *o.SetPriority
			r.LocalPref = &preference
			parts = append(parts, fmt.Sprintf("sets the priority to %d", *o.SetPriority))
		default:
			r.Path = slices.Concat(o.PrependASPath, r.Path)
			parts = append(parts, "prepends "+numbersText(o.PrependASPath)+" to the path")
		}
	}
	if rule.Accept {
		return strings.Join(append(parts, accept), ", ")
	}
	return strings.Join(append(parts, reject), ", ")
}

// withCommunity adds one that may be there already, and leaves the list that others
// have as it is.
func withCommunity(list []backends.Community, c backends.Community) []backends.Community {
	if slices.Contains(list, c) {
		return list
	}
	return append(slices.Clone(list), c)
}

func (t *trace) communities(advertised []Advertisement, r *Route) {
	if t == nil {
		return
	}
	for _, a := range advertised {
		if !within(r.Net, a.CIDR) {
			continue
		}
		var names []string
		for _, c := range a.Communities {
			r.Communities = withCommunity(r.Communities, c)
			names = append(names, c.String())
		}
		t.steps = append(t.steps, Step{
			Object: defaultConfiguration(), Asks: "in prefixAdvertisements " + a.CIDR.String(), Holds: true,
			Does: "adds the communities " + strings.Join(names, ", "),
		})
	}
}

func (t *trace) block(b netip.Prefix, r Route, told bool) {
	if t == nil {
		return
	}
	switch {
	case r.Net == b:
		t.end(backends.Key{}, "a block of this node: "+b.String(), true)
	case told:
		t.end(backends.Key{}, fmt.Sprintf("in this node's block %s, and preferred (metric %d): a workload on the move", b, *r.Metric), true)
	default:
		t.end(backends.Key{}, fmt.Sprintf("in this node's block %s: peers are told of the block alone", b), false)
	}
}

func poolKey(p Pool) backends.Key { return backends.Key{Kind: backends.KindIPPool, Name: p.Name} }

func defaultConfiguration() backends.Key {
	return backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
}

// TraceImport is Takes, step by step.
func (p Policies) TraceImport(s *Session, r Route) Outcome {
	t := &trace{}
	accepted, decided := p.filters(s.Import, false, s.Internal, &r, t)
	out := Outcome{Accepted: accepted || !decided}
	if !decided {
		if out.Preferred = r.LocalPref != nil && *r.LocalPref > maxPreference-p.family.NormalPriority; out.Preferred {
			t.steps = append(t.steps, Step{Asks: "better than the normal priority: a workload that moves here", Holds: true, Does: "preference 200"})
		}
		t.end(backends.Key{}, "no rule decides", true)
	}
	out.Steps, out.Route = t.steps, r
	return out
}

// TraceExport is Tells, step by step.
func (p Policies) TraceExport(s *Session, r Route, from *Session) Outcome {
	t := &trace{}
	accepted := p.tells(s, &r, from, t)
	return Outcome{Accepted: accepted, Steps: t.steps, Route: r}
}

// TraceKernel says whether a route goes into the kernel. Routes of BIRD's to the
// networks of the node's own interfaces do not, whatever this says.
func (p Policies) TraceKernel(r Route) Outcome {
	t, out := &trace{}, Outcome{}
	out.Accepted = p.toKernel(&r, t, &out)
	out.Steps, out.Route = t.steps, r
	return out
}

func (p Policies) toKernel(r *Route, t *trace, out *Outcome) bool {
	k := p.family.Kernel
	for _, n := range k.RejectServices {
		if within(r.Net, n) {
			t.end(defaultConfiguration(), "in the service range "+n.String()+", which the kernel has its own ways for", false)
			return false
		}
	}
	if r.leadsNowhere() && slices.Contains(k.RejectBlackholes, r.Net) {
		t.end(backends.Key{}, "a service address, which the node's own processes use, too", false)
		return false
	}
	p.kernelMetric(r, out)
	if r.NextHop.IsValid() && slices.Contains(k.RejectNextHops, r.NextHop) {
		t.end(backends.Key{}, "its next hop "+r.NextHop.String()+" is a node that WireGuard reaches", false)
		return false
	}
	for _, pool := range k.Pools {
		if !within(r.Net, pool.CIDR) {
			continue
		}
		out.Tunnel = p.tunnel(pool, *r)
		t.end(poolKey(pool.Pool), fmt.Sprintf("in %s: %s", pool.CIDR, pool.Text), pool.Action != PoolReject)
		return pool.Action != PoolReject
	}
	t.end(backends.Key{}, "in no pool", true)
	return true
}

// leadsNowhere says whether it is a static route of this node's, without a way.
func (r Route) leadsNowhere() bool {
	return r.Session == "" && r.Interface == "" && !r.NextHop.IsValid()
}

// kernelMetric gives a route that a peer told its metric.
func (p Policies) kernelMetric(r *Route, out *Outcome) {
	if r.Session == "" || r.Metric != nil {
		return
	}
	metric := p.family.NormalPriority
	if r.LocalPref != nil {
		metric = maxPreference - *r.LocalPref
	}
	r.Metric, out.Preferred = &metric, metric < p.family.NormalPriority
}

func (p Policies) tunnel(pool PoolRoutes, r Route) string {
	near := r.NextHop.IsValid() && p.family.Subnet.Contains(r.NextHop)
	if pool.Action == PoolTunnel || pool.Action == PoolCrossSubnet && !near {
		return "tunl0"
	}
	return ""
}

// TraceFilter goes through one BGPFilter's rules of a direction and the route's
// family, as in a session that is internal or not. decided is false where no rule is
// for the route: then what comes after the filter decides.
func TraceFilter(f *backends.BGPFilter, export, internal bool, r Route) (out Outcome, decided bool) {
	family := &Family{Version: VersionOf(r.Net.Addr()), NormalPriority: defaultPriority}
	p := PoliciesOf(&Config{Filters: []*backends.BGPFilter{f}}, family)
	t := &trace{}
	if export { // BIRD works out the metric before the filters
		p.metric(&r)
	}
	out.Accepted, decided = p.filters([]FilterCall{{Filter: f.Name}}, export, internal, &r, t)
	out.Steps, out.Route = t.steps, r
	return out, decided
}

// RuleText is what a rule asks, in words.
func RuleText(rule backends.FilterRule) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if rule.CIDR.IsValid() {
		length := ""
		if l := rule.PrefixLength; l != nil {
			length = fmt.Sprintf(", length %d to %d", l.Min, l.Max)
		}
		add("net %s %s%s", rule.Match, rule.CIDR, length)
	}
	if rule.RemotePeers {
		add("told by a peer")
	}
	if rule.Interface != "" {
		add("interface %s", rule.Interface)
	}
	if rule.PeerType != "" {
		add("session %s", rule.PeerType)
	}
	if rule.Community != nil {
		add("community %s", rule.Community)
	}
	if len(rule.ASPathPrefix) > 0 {
		add("path begins with %s", numbersText(rule.ASPathPrefix))
	}
	if rule.Priority != nil {
		add("priority %d", *rule.Priority)
	}
	if len(parts) == 0 {
		return "any route"
	}
	return strings.Join(parts, ", ")
}

// whyUnmet says what of a route does not fit a condition.
func whyUnmet(c condition, internal bool, r Route) string {
	switch c {
	case onNet:
		return "the net is " + r.Net.String()
	case onSource:
		return "no peer told it"
	case onInterface:
		return "its interface is " + orNone(r.Interface)
	case onPeerType:
		if internal {
			return "the session is iBGP"
		}
		return "the session is eBGP"
	case onCommunity:
		var texts []string
		for _, c := range r.Communities {
			texts = append(texts, c.String())
		}
		return "its communities are " + orNone(strings.Join(texts, ", "))
	case onPath:
		return "its path is " + orNone(numbersText(r.Path))
	}
	return "its priority is " + PriorityText(r.LocalPref)
}

// PriorityText is the priority that a local preference stands for.
func PriorityText(preference *uint32) string {
	switch {
	case preference == nil:
		return "none"
	case *preference > maxPreference:
		return fmt.Sprintf("none (local preference %d)", *preference)
	}
	return fmt.Sprint(maxPreference - *preference)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func numbersText(n []uint32) string { return strings.Trim(fmt.Sprint(n), "[]") }
