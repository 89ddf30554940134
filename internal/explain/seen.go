package explain

import (
	"fmt"
	"slices"

	"confd/bgp"
)

// seen compares the answer with what BIRD has of the net.
func (r routing) seen(out *RouteAnswer) *Seen {
	live := r.a.Live
	seen := &Seen{Routes: []SeenRoute{}, Told: live.Told, Differences: []string{}}
	var best *bgp.Route
	for i, route := range live.Routes {
		if route.Net != out.Net {
			continue
		}
		if !route.Spare && best == nil {
			best = &live.Routes[i]
		}
		seen.Routes = append(seen.Routes, SeenRoute{Session: route.Session, Best: !route.Spare, Attributes: attributesOf(bgp.Outcome{Route: route})})
	}
	add := func(format string, args ...any) {
		seen.Differences = append(seen.Differences, fmt.Sprintf(format, args...))
	}
	if source := out.Sources[0]; best == nil && (source.From == "static" || source.From == "peer" && source.Refused == "") {
		add("by the resources the node has it (%s), and BIRD has no route to it", source.Why)
	}
	if best == nil {
		return seen
	}
	for _, s := range r.family.Sessions {
		if !slices.Contains(live.Asked, s.Name) {
			continue
		}
		tells := r.policies.Tells(s, *best, bgp.SessionNamed(r.family, best.Session))
		if told := slices.Contains(live.Told, s.Name); told != tells {
			add("%s: by the resources %s told of BIRD's route, and by BIRD it %s", s.Name, isOrNot(tells), isOrNot(told))
		}
	}
	return seen
}

func isOrNot(yes bool) string {
	if yes {
		return "is"
	}
	return "is not"
}
