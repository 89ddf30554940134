package bgp

import (
	"net/netip"
	"slices"
	"strings"
)

// Touched are the sessions that new has as old had them, and that the change from
// old to new, c, can bring down or empty all the same; IPv4 first, then by name.
// Others have nothing to do with it: what becomes of them meanwhile is not its
// doing. old may be nil, where only texts tell what differs: then c alone says
// what was. Touched are
//
//   - sessions that are refiltered;
//   - all, where something changes that all have in common (but what is logged);
//   - all of a family whose routes go into the kernel by other rules now;
//   - those whose neighbor lies in a static route that came or went;
//   - those with the same neighbor as a session that came or went;
//   - those with a neighbor outside of the node's own network, where the routes
//     can change that the node is told: the way to it may be one of them.
func Touched(old, new *Config, c Changes) []string {
	t := toucher{
		common: slices.ContainsFunc(c.Settings, concernsSessions),
		added:  nameSet(c.Added), removed: nameSet(c.Removed), restarted: nameSet(c.Restarted), refiltered: nameSet(c.Refiltered),
	}
	var names []string
	for i, f := range new.Families() {
		r := reach{family: f, routes: c.Families[i], neighbors: map[netip.Addr]bool{}}
		if old != nil {
			t.since(&r, old.Families()[i], changedRules(old.Filters, new.Filters, f.Version))
		} else {
			t.named(&r)
		}
		names = append(names, t.family(r)...)
	}
	return names
}

// concernsSessions says whether a setting that changed, in the words of Changes
// or in BIRD's, is more than what is logged.
func concernsSessions(setting string) bool {
	word, _, _ := strings.Cut(setting, " ")
	return word != "logging" && word != "log" && word != "debug"
}

func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// toucher finds what a change touches.
type toucher struct {
	common                                bool // something changed that all have in common
	added, removed, restarted, refiltered map[string]bool
}

// reach is how far a change reaches in one family of the new configuration.
type reach struct {
	family *Family
	routes FamilyChanges
	// neighbors are those of sessions that came or went.
	neighbors map[netip.Addr]bool
	// imports is set where the routes that the node is told can be others.
	imports bool
}

// since looks at the sessions that came, went, or take other routes.
func (t toucher) since(r *reach, old *Family, rules map[ruleList]bool) {
	for _, s := range old.Sessions {
		if len(t.removed) == 0 {
			break // of thousands of sessions
		}
		r.note(s, t.removed[s.Name])
	}
	for _, s := range r.family.Sessions {
		if len(t.added)+len(t.restarted)+len(t.refiltered) == 0 {
			break
		}
		r.note(s, t.added[s.Name])
		r.imports = r.imports || t.restarted[s.Name] || t.refiltered[s.Name] && takesOthers(SessionNamed(old, s.Name), s, rules)
	}
}

// note notes a session that came or went.
func (r *reach) note(s *Session, moved bool) {
	if moved {
		r.neighbors[s.Neighbor], r.imports = true, true
	}
}

func takesOthers(was, is *Session, rules map[ruleList]bool) bool {
	return was == nil || !slices.Equal(was.Import, is.Import) ||
		slices.ContainsFunc(is.Import, func(c FilterCall) bool { return rules[ruleList{c.Filter, false}] })
}

// named is since where nobody knows the old configuration: what a session was
// its name says, or nothing does.
func (t toucher) named(r *reach) {
	for name := range t.removed {
		_, a, _, _ := ParseSessionName(name)
		r.neighbors[a] = true
		r.imports = r.imports || !a.IsValid() || VersionOf(a) == r.family.Version
	}
	for _, s := range r.family.Sessions {
		r.note(s, t.added[s.Name])
		r.imports = r.imports || t.restarted[s.Name] || t.refiltered[s.Name]
	}
}

// family are the touched sessions of one family.
func (t toucher) family(r reach) []string {
	statics := slices.Concat(r.routes.StaticsGained, r.routes.StaticsLost)
	if !t.common && !r.routes.Kernel && !r.imports && len(t.refiltered)+len(r.neighbors)+len(statics) == 0 {
		return nil
	}
	var names []string
	for _, s := range r.family.Sessions {
		switch {
		case t.added[s.Name] || t.restarted[s.Name]:
		case t.common, r.routes.Kernel, t.refiltered[s.Name], r.neighbors[s.Neighbor],
			r.imports && !r.family.Subnet.Contains(s.Neighbor), lieIn(statics, s.Neighbor):
			names = append(names, s.Name)
		}
	}
	return names
}

// lieIn says whether one of the routes leads to a.
func lieIn(routes []StaticRoute, a netip.Addr) bool {
	return slices.ContainsFunc(routes, func(r StaticRoute) bool { return r.Net.Contains(a) })
}
