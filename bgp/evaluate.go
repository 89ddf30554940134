package bgp

import (
	"net/netip"
	"slices"

	"confd/backends"
)

// Route is a route that BIRD has, as far as policies ask about it.
type Route struct {
	Net netip.Prefix
	// Session is the one that the route came by; empty: no BGP peer told it.
	Session string
	// Spare: BIRD uses another route to that net, and tells of that one.
	Spare bool
	// Interface is where it leads; empty: nowhere, or not known.
	Interface string
	// Metric is the kernel's, nil where it has none (krt_metric).
	Metric *uint32
	// The BGP attributes; nil where it has none.
	LocalPref   *uint32
	Path        []uint32
	Communities []backends.Community
}

// Policies say what becomes of routes in the sessions of one family. They follow
// the built-in templates: ones of a user's may do as they like.
type Policies struct {
	family *Family
	rules  map[ruleList][]backends.FilterRule
}

// PoliciesOf are the policies of one of c's families.
func PoliciesOf(c *Config, f *Family) Policies {
	p := Policies{family: f, rules: map[ruleList][]backends.FilterRule{}}
	for _, b := range c.Filters {
		in, out := rulesOf(b, f.Version)
		p.rules[ruleList{b.Name, false}], p.rules[ruleList{b.Name, true}] = in, out
	}
	return p
}

// Takes says whether s takes r from its peer.
func (p Policies) Takes(s *Session, r Route) bool {
	accepted, decided := p.filters(s.Import, false, s.Internal, &r)
	return accepted || !decided
}

// TakesNothing says that s takes no route, whatever it is.
func (p Policies) TakesNothing(s *Session) bool { return p.closed(s.Import, false, s.Internal) }

// TellsNothing says that the filters of s let no route out, whatever it is.
func (p Policies) TellsNothing(s *Session) bool { return p.closed(s.Export, true, s.Internal) }

// closed says that the first rule that is for all routes rejects them, and that
// none before it accepts one.
func (p Policies) closed(calls []FilterCall, export, internal bool) bool {
	for _, call := range calls {
		for _, r := range p.rules[ruleList{call.Filter, export}] {
			switch {
			case r.PeerType != "" && (r.PeerType == backends.PeerInternal) != internal:
			case r.Accept:
				return false
			case unconditional(r):
				return true
			}
		}
	}
	return false
}

func unconditional(r backends.FilterRule) bool {
	return !r.CIDR.IsValid() && !r.RemotePeers && r.Interface == "" && r.Community == nil && len(r.ASPathPrefix) == 0 && r.Priority == nil
}

// Tells says whether s tells its peer of r. Of routes that an internal peer told,
// other internal peers hear nothing, but of or by the clients of a route
// reflector: from is the session that r came by, nil where it came by none.
func (p Policies) Tells(s *Session, r Route, from *Session) bool {
	if r.Spare || from != nil && (from.Name == s.Name || from.Internal && s.Internal && !from.RRClient && !s.RRClient) {
		return false
	}
	p.metric(&r)
	if accepted, decided := p.filters(s.Export, true, s.Internal, &r); decided {
		return accepted
	}
	return p.exports(s.Internal, r)
}

// maxPreference less a route's metric is its local preference.
const maxPreference = 1<<31 - 1

// metric gives r what each route has that is told: a metric and a local
// preference.
func (p Policies) metric(r *Route) {
	if r.Session != "" && r.LocalPref != nil {
		metric := maxPreference - *r.LocalPref
		r.Metric = &metric
		return
	}
	if r.Metric == nil {
		r.Metric = &p.family.NormalPriority
	}
	preference := maxPreference - *r.Metric
	r.LocalPref = &preference
}

// exports is the policy that all sessions share.
func (p Policies) exports(internal bool, r Route) bool {
	e := p.family.Export
	inPool := func(pool Pool) bool { return within(r.Net, pool.CIDR) }
	switch {
	case slices.ContainsFunc(e.RejectPools, inPool):
		return false
	case internal && (matches("*.cali", r.Interface) || matches("*.calico", r.Interface) || e.RejectTunnel && r.Interface == "tunl0"):
		return false
	case matches("bpf*.cali", r.Interface):
		return false
	}
	for _, b := range e.Blocks {
		if within(r.Net, b) {
			return r.Net == b || *r.Metric < p.family.NormalPriority
		}
	}
	return slices.ContainsFunc(e.Services, func(s StaticRoute) bool { return within(r.Net, s.Net) }) ||
		slices.ContainsFunc(e.ReflectedServices, func(n netip.Prefix) bool { return within(r.Net, n) }) ||
		slices.ContainsFunc(e.Pools, inPool)
}

// filters goes through the rules of all calls: the first that is for r decides.
// What rules before it do to r stays done.
func (p Policies) filters(calls []FilterCall, export, internal bool, r *Route) (accepted, decided bool) {
	for _, call := range calls {
		for _, rule := range p.rules[ruleList{call.Filter, export}] {
			if holds(rule, internal, *r) {
				return rule.Accept, true
			}
		}
	}
	return false, false
}

// holds says whether all conditions of a rule hold for r.
func holds(rule backends.FilterRule, internal bool, r Route) bool {
	switch {
	case rule.CIDR.IsValid() && !netHolds(rule, r.Net):
	case rule.RemotePeers && r.Session == "":
	case rule.Interface != "" && !matches(rule.Interface, r.Interface):
	case rule.PeerType != "" && (rule.PeerType == backends.PeerInternal) != internal:
	case rule.Community != nil && !slices.Contains(r.Communities, *rule.Community):
	case len(rule.ASPathPrefix) > 0 && !startsWith(r.Path, rule.ASPathPrefix):
	case rule.Priority != nil && (r.LocalPref == nil || *r.LocalPref != maxPreference-*rule.Priority):
	default:
		return true
	}
	return false
}

func netHolds(rule backends.FilterRule, net netip.Prefix) bool {
	in := within(net, rule.CIDR)
	if l := rule.PrefixLength; l != nil {
		in = in && net.Bits() >= int(l.Min) && net.Bits() <= int(l.Max)
	}
	switch rule.Match {
	case backends.MatchEqual:
		return in && net == rule.CIDR
	case backends.MatchNotEqual:
		return !in || net != rule.CIDR
	case backends.MatchNotIn:
		return !in
	default:
		return in
	}
}

func startsWith(path, prefix []uint32) bool {
	return len(path) >= len(prefix) && slices.Equal(path[:len(prefix)], prefix)
}

// within says whether net lies in outer, or is it.
func within(net, outer netip.Prefix) bool {
	return net.Bits() >= outer.Bits() && outer.Contains(net.Addr())
}

// matches says whether an interface's name is as BIRD's pattern has it: "*" stands
// for any characters, "?" for one. No name matches nothing.
func matches(pattern, name string) bool { return name != "" && glob(pattern, name) }

func glob(pattern, name string) bool {
	for i := range len(pattern) {
		switch {
		case pattern[i] == '*':
			rest := pattern[i+1:]
			for j := i; j <= len(name); j++ {
				if glob(rest, name[j:]) {
					return true
				}
			}
			return false
		case i >= len(name) || pattern[i] != '?' && pattern[i] != name[i]:
			return false
		}
	}
	return len(pattern) == len(name)
}
