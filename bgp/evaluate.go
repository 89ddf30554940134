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
	// NextHop is BGP's; not valid: it has none.
	NextHop netip.Addr
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
	bird1  bool
}

// InBIRD1 are the policies as BIRD 1.6 has them: into the path of what an external
// peer is told it puts this node's AS number before it asks the filters, later ones
// do so after them.
func (p Policies) InBIRD1() Policies {
	p.bird1 = true
	return p
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
	accepted, decided := p.filters(s.Import, false, s.Internal, &r, nil)
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
func (p Policies) Tells(s *Session, r Route, from *Session) bool { return p.tells(s, &r, from, nil) }

func (p Policies) tells(s *Session, r *Route, from *Session, t *trace) bool {
	if why := notPassedOn(s, *r, from); why != "" {
		t.end(backends.Key{}, string(why), false)
		return false
	}
	p.metric(r)
	if p.bird1 && !s.Internal {
		r.Path = slices.Concat([]uint32{s.LocalAS}, r.Path)
	}
	if accepted, decided := p.filters(s.Export, true, s.Internal, r, t); decided {
		return accepted
	}
	return p.exports(s.Internal, r, t)
}

// A reason for which BGP itself tells a peer nothing of a route.
type notTold string

const (
	spareRoute   notTold = "BIRD uses another route to this net, and tells of that one"
	fromThatPeer notTold = "the peer told it: nothing is told back"
	fromInternal notTold = "an internal peer told it, which is no client of this node as a route reflector, and neither is this peer (RFC 4456)"
)

// notPassedOn says why BGP does not tell of r in s; empty: it does.
func notPassedOn(s *Session, r Route, from *Session) notTold {
	switch {
	case r.Spare:
		return spareRoute
	case from == nil:
		return ""
	case from.Name == s.Name:
		return fromThatPeer
	case from.Internal && s.Internal && !from.RRClient && !s.RRClient:
		return fromInternal
	}
	return ""
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
func (p Policies) exports(internal bool, r *Route, t *trace) bool {
	e := p.family.Export
	for _, pool := range e.RejectPools {
		if t.asks(poolKey(pool), "in %s, with disableBGPExport", pool, within(r.Net, pool.CIDR), reject) {
			return false
		}
	}
	if why := overTunnel(e, internal, *r); why != "" {
		t.end(backends.Key{}, string(why), false)
		return false
	}
	t.communities(e.Communities, r)
	for _, b := range e.Blocks {
		if within(r.Net, b) {
			told := r.Net == b || *r.Metric < p.family.NormalPriority
			t.block(b, *r, told)
			return told
		}
	}
	for _, s := range e.Services {
		if within(r.Net, s.Net) {
			t.end(s.Reason.Object, "in the service route "+s.Net.String()+": "+s.Reason.Text, true)
			return true
		}
	}
	for _, n := range e.ReflectedServices {
		if within(r.Net, n) {
			t.end(defaultConfiguration(), "in the service range "+n.String()+", which this route reflector passes on", true)
			return true
		}
	}
	for _, pool := range e.Pools {
		if t.asks(poolKey(pool), "in %s", pool, within(r.Net, pool.CIDR), accept) {
			return true
		}
	}
	t.end(backends.Key{}, "in no pool, block of this node or service range that is told of", false)
	return false
}

// A reason for which routes over tunnels of Felix's are not told.
type tunnelled string

const (
	overFelix tunnelled = "it leads over a tunnel of Felix's (*.cali, *.calico), and the peer is internal"
	overTunl0 tunnelled = "it leads over tunl0, whose routes Felix programs, and the peer is internal"
	overBPF   tunnelled = "it leads over bpf*.cali"
)

func overTunnel(e ExportPolicy, internal bool, r Route) tunnelled {
	switch {
	case internal && (matches("*.cali", r.Interface) || matches("*.calico", r.Interface)):
		return overFelix
	case internal && e.RejectTunnel && r.Interface == "tunl0":
		return overTunl0
	case matches("bpf*.cali", r.Interface):
		return overBPF
	}
	return ""
}

// filters goes through the rules of all calls: the first that is for r decides.
// What rules before it do to r stays done.
func (p Policies) filters(calls []FilterCall, export, internal bool, r *Route, t *trace) (accepted, decided bool) {
	for _, call := range calls {
		for i, rule := range p.rules[ruleList{call.Filter, export}] {
			why := unmet(rule, internal, *r)
			t.rule(ruleOf{call.Filter, export, p.family.Version, i + 1}, rule, why, internal, r)
			if why == "" {
				return rule.Accept, true
			}
		}
	}
	return false, false
}

// condition is one of a rule's, by its field.
type condition string

const (
	onNet       condition = "cidr"
	onSource    condition = "source"
	onInterface condition = "interface"
	onPeerType  condition = "peerType"
	onCommunity condition = "communities"
	onPath      condition = "asPathPrefix"
	onPriority  condition = "priority"
)

// unmet is the first condition of a rule that does not hold for r; empty: all do.
func unmet(rule backends.FilterRule, internal bool, r Route) condition {
	switch {
	case rule.CIDR.IsValid() && !netHolds(rule, r.Net):
		return onNet
	case rule.RemotePeers && r.Session == "":
		return onSource
	case rule.Interface != "" && !matches(rule.Interface, r.Interface):
		return onInterface
	case rule.PeerType != "" && (rule.PeerType == backends.PeerInternal) != internal:
		return onPeerType
	case rule.Community != nil && !slices.Contains(r.Communities, *rule.Community):
		return onCommunity
	case len(rule.ASPathPrefix) > 0 && !startsWith(r.Path, rule.ASPathPrefix):
		return onPath
	case rule.Priority != nil && (r.LocalPref == nil || *r.LocalPref != maxPreference-*rule.Priority):
		return onPriority
	}
	return ""
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
// for any characters, "?" for one. For BIRD the interface of a route that leads to
// none is the empty name, which "*" matches.
func matches(pattern, name string) bool { return glob(pattern, name) }

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
