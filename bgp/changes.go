package bgp

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"confd/backends"
)

// Changes are what a node does differently with a new configuration, in the
// words of the model.
type Changes struct {
	// Added and Removed are sessions by name, IPv4 first.
	Added, Removed []string
	// Restarted are sessions that BIRD takes down and up again.
	Restarted []string
	// Refiltered are sessions that stay up, and whose routes are looked at again.
	Refiltered []string
	// Reimporting are those of Refiltered that may take other routes; not known
	// where only texts tell.
	Reimporting []string
	// Reasked are those of Refiltered whose import filter is another: BIRD asks the
	// neighbor to send its routes again.
	Reasked []string
	// Families has what differs besides the sessions; IPv4 first.
	Families [2]FamilyChanges
	// Settings names what else differs, in words and sorted.
	Settings []string
}

// FamilyChanges are the routes of one address family that differ.
type FamilyChanges struct {
	Version int
	// Statics are static routes, each sorted by net. A route that has another
	// gateway now is in both.
	StaticsGained, StaticsLost []StaticRoute
	// Blocks are those of which peers are told one route each.
	BlocksGained, BlocksLost []netip.Prefix
	// Kernel is set where other routes go into the kernel.
	Kernel bool
}

// Compare says what differs between old, which may be nil, and new, for a BIRD
// of that major version: BIRD 1 restarts sessions for more than later ones do.
// What is only said about a session or route (its reason, the name of a pool)
// is no difference.
func Compare(old, new *Config, bird int) Changes {
	var c Changes
	if old == nil {
		old = &Config{IPv4: Family{Version: 4}, IPv6: Family{Version: 6}}
	}
	before := old.Families()
	for i, f := range new.Families() {
		x := comparison{bird: bird, old: before[i], new: f, rules: changedRules(old.Filters, new.Filters, f.Version)}
		x.restartAll = old.RouterID != new.RouterID || bird > 1 && listenPortOf(before[i]) != listenPortOf(f)
		x.refilterAll = !sameExport(before[i], f)
		x.sessions(&c)
		c.Families[i] = compareRoutes(before[i], f)
	}
	c.Settings = comparedSettings(old, new)
	return c
}

// WithoutRefresh has sessions restart that would be asked for their routes again, where
// deaf says that the neighbor cannot send them: BIRD ends those sessions instead.
func (c *Changes) WithoutRefresh(deaf func(session string) bool) {
	if len(c.Reasked) == 0 {
		return
	}
	restarts := map[string]bool{}
	for _, name := range c.Reasked {
		restarts[name] = deaf(name)
	}
	gone := func(name string) bool { return restarts[name] }
	for _, name := range c.Refiltered {
		if gone(name) {
			c.Restarted = append(c.Restarted, name)
		}
	}
	for _, list := range []*[]string{&c.Refiltered, &c.Reimporting, &c.Reasked} {
		*list = slices.DeleteFunc(slices.Clone(*list), gone)
	}
}

// Empty says whether BIRD does the same as before.
func (c Changes) Empty() bool {
	for _, f := range c.Families {
		if f.Kernel || len(f.StaticsGained)+len(f.StaticsLost)+len(f.BlocksGained)+len(f.BlocksLost) > 0 {
			return false
		}
	}
	return len(c.Added)+len(c.Removed)+len(c.Restarted)+len(c.Refiltered)+len(c.Settings) == 0
}

// comparison compares the sessions of one family.
type comparison struct {
	bird     int
	old, new *Family
	// rules has the lists of BGPFilter rules that are others now.
	rules map[ruleList]bool
	// restartAll and refilterAll are set where what all sessions have in common
	// differs.
	restartAll, refilterAll bool
}

// ruleList is the rules of a BGPFilter in one direction.
type ruleList struct {
	filter string
	export bool
}

// sessions walks both lists, which are sorted by name.
func (x comparison) sessions(c *Changes) {
	old, new := x.old.Sessions, x.new.Sessions
	// Where all that they have in common is the same, so are sessions that are equal.
	alike := !x.restartAll && !x.refilterAll && len(x.rules) == 0 && x.old.ListenAddress == x.new.ListenAddress
	if alike && SameList(old, new) {
		return
	}
	if x.refilterAll {
		c.Refiltered = slices.Grow(c.Refiltered, len(new))
	}
	for len(old) > 0 || len(new) > 0 {
		switch {
		case len(old) > 0 && len(new) > 0 && old[0] == new[0]: // as most are
			if !alike {
				x.both(c, old[0], new[0])
			}
			old, new = old[1:], new[1:]
		case len(old) == 0 || len(new) > 0 && new[0].Name < old[0].Name:
			c.Added = append(c.Added, new[0].Name)
			new = new[1:]
		case len(new) == 0 || old[0].Name < new[0].Name:
			c.Removed = append(c.Removed, old[0].Name)
			old = old[1:]
		default:
			if !alike || !old[0].Equal(new[0]) {
				x.both(c, old[0], new[0])
			}
			old, new = old[1:], new[1:]
		}
	}
}

// both says what becomes of a session that is in both lists.
func (x comparison) both(c *Changes, old, new *Session) {
	switch {
	case x.restarts(old, new):
		c.Restarted = append(c.Restarted, new.Name)
	case x.refilters(old, new):
		c.Refiltered = append(c.Refiltered, new.Name)
		others := takesOthers(old, new, x.rules)
		if others {
			c.Reimporting = append(c.Reimporting, new.Name)
		}
		// What all import filters share depends on the priority alone.
		if others || x.old.NormalPriority != x.new.NormalPriority {
			c.Reasked = append(c.Reasked, new.Name)
		}
	}
}

// wire is what BIRD restarts a session for: it is part of the connection, or of
// what was agreed upon when it was opened.
type wire struct {
	neighbor, source, clusterID netip.Addr
	port                        uint16
	as, localAS                 uint32
	passive, strictBind         bool
	ttlHops                     uint8
	allowLocalAS                uint32
	password                    string
	restartTime, keepalive      uint32
	nextHop                     NextHop
}

func (x comparison) wire(f *Family, s *Session) wire {
	const birdRestartTime = 120 // where none is given
	w := wire{
		neighbor: s.Neighbor, source: s.Source, port: cmp.Or(s.Port, bgpPort), as: s.AS, localAS: s.LocalAS,
		passive: s.Passive, ttlHops: s.TTLHops, allowLocalAS: valueOr(s.AllowLocalAS, 0), password: s.Password,
		restartTime: valueOr(s.GracefulRestartTime, birdRestartTime), keepalive: valueOr(s.KeepaliveTime, 0),
	}
	if s.RRClient {
		w.clusterID = s.ClusterID
	}
	if x.bird == 1 {
		w.nextHop = s.NextHop
	} else {
		w.strictBind = f.ListenAddress.IsValid() && s.Source.IsValid()
	}
	return w
}

func listenPortOf(f *Family) uint16 { return cmp.Or(f.ListenPort, bgpPort) }

func valueOr(p *uint32, otherwise uint32) uint32 {
	if p == nil {
		return otherwise
	}
	return *p
}

func (x comparison) restarts(old, new *Session) bool {
	if old == new && x.old.ListenAddress == x.new.ListenAddress { // as in the lists that Memory gives again
		return x.restartAll
	}
	return x.restartAll || x.wire(x.old, old) != x.wire(x.new, new)
}

func (x comparison) refilters(old, new *Session) bool {
	changed := func(export bool) func(FilterCall) bool {
		return func(c FilterCall) bool { return x.rules[ruleList{c.Filter, export}] }
	}
	return x.refilterAll || old.NextHop != new.NextHop ||
		!slices.Equal(old.Import, new.Import) || !slices.Equal(old.Export, new.Export) ||
		slices.ContainsFunc(new.Import, changed(false)) || slices.ContainsFunc(new.Export, changed(true))
}

// changedRules compares the filters that are in both, for one family.
func changedRules(old, new []*backends.BGPFilter, version int) map[ruleList]bool {
	before := map[string]*backends.BGPFilter{}
	for _, f := range old {
		before[f.Name] = f
	}
	changed := map[ruleList]bool{}
	for _, f := range new {
		was, ok := before[f.Name]
		if !ok || was == f {
			continue
		}
		wasIn, wasOut := rulesOf(was, version)
		in, out := rulesOf(f, version)
		changed[ruleList{f.Name, false}] = !reflect.DeepEqual(wasIn, in)
		changed[ruleList{f.Name, true}] = !reflect.DeepEqual(wasOut, out)
	}
	return changed
}

func rulesOf(f *backends.BGPFilter, version int) (in, out []backends.FilterRule) {
	if version == 4 {
		return f.ImportV4, f.ExportV4
	}
	return f.ImportV6, f.ExportV6
}

// sameExport compares the policies that all sessions of a family share.
func sameExport(old, new *Family) bool {
	a, b := old.Export, new.Export
	return old.NormalPriority == new.NormalPriority && a.RejectTunnel == b.RejectTunnel &&
		slices.EqualFunc(a.RejectPools, b.RejectPools, sameNet) && slices.EqualFunc(a.Pools, b.Pools, sameNet) &&
		slices.Equal(a.Blocks, b.Blocks) && slices.Equal(a.ReflectedServices, b.ReflectedServices) &&
		slices.EqualFunc(a.Services, b.Services, sameRoute) && reflect.DeepEqual(a.Communities, b.Communities)
}

func sameNet(a, b Pool) bool { return a.CIDR == b.CIDR }

// route is what BIRD knows of a static route.
type route struct {
	net netip.Prefix
	via netip.Addr
}

func routeOf(r StaticRoute) route { return route{r.Net, r.Via} }

func sameRoute(a, b StaticRoute) bool { return routeOf(a) == routeOf(b) }

func compareRoutes(old, new *Family) FamilyChanges {
	c := FamilyChanges{Version: new.Version, Kernel: !sameKernel(old, new)}
	c.StaticsGained, c.StaticsLost = gainedAndLost(old.Statics, new.Statics, routeOf)
	c.BlocksGained, c.BlocksLost = gainedAndLost(old.Export.Blocks, new.Export.Blocks, func(p netip.Prefix) netip.Prefix { return p })
	return c
}

// gainedAndLost are the entries of new that old lacks, and the other way round,
// each in its own order.
func gainedAndLost[T any, K comparable](old, new []T, key func(T) K) (gained, lost []T) {
	without := func(list, others []T) []T {
		there := make(map[K]bool, len(others))
		for _, o := range others {
			there[key(o)] = true
		}
		return filter(list, func(x T) bool { return !there[key(x)] })
	}
	return without(new, old), without(old, new)
}

func sameKernel(old, new *Family) bool {
	a, b := old.Kernel, new.Kernel
	crosses := func(r PoolRoutes) bool { return r.Action == PoolCrossSubnet }
	return old.NormalPriority == new.NormalPriority && old.PreferMoved == new.PreferMoved &&
		slices.Equal(a.RejectServices, b.RejectServices) && slices.Equal(a.RejectBlackholes, b.RejectBlackholes) &&
		slices.Equal(a.RejectNextHops, b.RejectNextHops) &&
		slices.EqualFunc(a.Pools, b.Pools, func(x, y PoolRoutes) bool { return x.CIDR == y.CIDR && x.Action == y.Action }) &&
		(old.Subnet == new.Subnet || !slices.ContainsFunc(b.Pools, crosses))
}

func comparedSettings(old, new *Config) []string {
	var names []string
	add := func(name string, differs bool) {
		if differs && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add("AS number", old.ASNumber != new.ASNumber)
	add("direct interfaces", !slices.Equal(old.Interfaces, new.Interfaces))
	for i, f := range new.Families() {
		was := old.Families()[i]
		add("listening", listenPortOf(was) != listenPortOf(f) || was.ListenAddress != f.ListenAddress)
	}
	add("logging", old.LogLevel != new.LogLevel)
	add("router ID", old.RouterID != new.RouterID)
	return names
}

// String is one line, such as "1 session added, 3 sessions refiltered, 1 IPv4
// block gained"; "no change of meaning" where there is none.
func (c Changes) String() string {
	var parts []string
	count := func(n int, what, how string) {
		if n == 1 {
			parts = append(parts, fmt.Sprintf("1 %s %s", what, how))
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss %s", n, what, how))
		}
	}
	for _, l := range c.Sessions() {
		count(len(l.Names), "session", l.How)
	}
	for _, f := range c.Families {
		count(len(f.StaticsGained), fmt.Sprintf("IPv%d static route", f.Version), "gained")
		count(len(f.StaticsLost), fmt.Sprintf("IPv%d static route", f.Version), "lost")
		count(len(f.BlocksGained), fmt.Sprintf("IPv%d block", f.Version), "gained")
		count(len(f.BlocksLost), fmt.Sprintf("IPv%d block", f.Version), "lost")
		if f.Kernel {
			parts = append(parts, fmt.Sprintf("IPv%d kernel policy changed", f.Version))
		}
	}
	for _, s := range c.Settings {
		parts = append(parts, s+" changed")
	}
	if len(parts) == 0 {
		return "no change of meaning"
	}
	return strings.Join(parts, ", ")
}

// NamedSessions are the sessions to which something happens, and what.
type NamedSessions struct {
	How   string // added, removed, restarted or refiltered
	Names []string
}

// Sessions are the four lists of sessions, for those who print them.
func (c Changes) Sessions() []NamedSessions {
	return []NamedSessions{{"added", c.Added}, {"removed", c.Removed}, {"restarted", c.Restarted}, {"refiltered", c.Refiltered}}
}
