package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard/outline"
)

// nothingTold holds a candidate with which the peers of a family are told nothing
// any more, although sessions are left to tell them.
func (r *routeLosses) nothingTold(family int) (finding, bool) {
	if !r.someStay(family) {
		return finding{}, false
	}
	base := r.was
	if past, ok := r.q.Oldest(); ok {
		base = past.Outline
	}
	before, lost := r.toldBy(base, family)
	_, step := r.toldBy(r.was, family)
	switch {
	case len(lost) < len(before), len(lost) > 0 && len(step) == 0:
		return finding{}, false
	case len(lost) == 0:
		return r.nothingPassedOn(family)
	case r.stillTells(family):
		return finding{}, false
	}
	return finding{ofRoutes: true, why: noneLeft(len(lost), family, "that peers are told"), routes: netTexts(lost)}, true
}

func netTexts(list []outline.Told) []string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.Net.String()
	}
	return texts
}

// someStay says whether sessions of the family stay up.
func (r *routeLosses) someStay(family int) bool {
	return slices.ContainsFunc(r.sessions, func(s session) bool { return s.Family == family && !s.lost() })
}

// untold are the nets of this node's routes that the candidate does not tell of.
func (r *routeLosses) untold() []string {
	var nets []string
	for _, family := range []int{4, 6} {
		_, lost := r.toldBy(r.was, family)
		nets = append(nets, netTexts(lost)...)
	}
	return nets
}

// toldBy are the routes of an outline that count, and those of them that the
// candidate does not tell of.
func (r *routeLosses) toldBy(o *outline.Outline, family int) (counted, lost []outline.Told) {
	stays := map[netip.Prefix]bool{}
	for _, t := range r.is.Told {
		stays[t.Net] = true
	}
	pardoned := map[string]bool{}
	for _, p := range r.q.History.Past {
		if p.Outline == o {
			pardoned = setOf(p.Pardoned)
		}
	}
	for _, t := range o.Told {
		switch {
		case bgp.VersionOf(t.Net.Addr()) != family || pardoned[t.Net.String()]:
		case stays[t.Net]:
			counted = append(counted, t)
		case !r.mayGo(t):
			counted, lost = append(counted, t), append(lost, t)
		}
	}
	return counted, lost
}

// mayGo says whether a route of this node's goes as routes do: with the workloads,
// the Service or the endpoints that it was for.
func (r *routeLosses) mayGo(t outline.Told) bool {
	if r.q.Doubt != "" {
		return false
	}
	switch t.Object.Kind {
	case backends.KindBlockAffinity:
		return r.released(t)
	case backends.KindService:
		return !r.stillAsked(t) && !r.rangesChanged()
	}
	return r.excluded()
}

// released says whether IPAM gave a block back, or to another node: it says so
// before the affinity goes. It keeps a node's last block for as long as there is the
// node.
func (r *routeLosses) released(t outline.Told) bool {
	a := r.state.BlockAffinities[t.Object.Name]
	if before := r.q.stateBefore(); a == nil && before != nil {
		a = before.BlockAffinities[t.Object.Name]
	}
	return a != nil && (a.Deleted || a.State == "pendingDeletion" || a.Node != r.q.Options.Node)
}

// stillAsked says whether the candidate has a route for a Service, and only does
// not tell it.
func (r *routeLosses) stillAsked(t outline.Told) bool {
	for _, f := range r.config.Families() {
		if slices.ContainsFunc(f.Export.Services, func(s bgp.StaticRoute) bool { return s.Net == t.Net }) {
			return true
		}
	}
	return false
}

// rangesChanged says whether other ranges of Service addresses are told of, on all
// nodes.
func (r *routeLosses) rangesChanged() bool {
	before := r.q.stateBefore()
	if before == nil || r.excluded() {
		return false
	}
	key := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
	was, is := essenceOf(before, key, ofRoutes, r.q.Salt), essenceOf(r.state, key, ofRoutes, r.q.Salt)
	return was != is
}

// excluded says whether this node's own label keeps it from telling of Services.
func (r *routeLosses) excluded() bool {
	n := r.state.Nodes[r.q.Options.Node]
	return n != nil && n.Labels[bgp.ExcludeLabel] == "true"
}

// stillTells says whether sessions that stay tell of other routes than the node's
// own, as far as BIRD's routes are known.
func (r *routeLosses) stillTells(family int) bool {
	if r.q.Routes == nil {
		r.needRoutes = true
		return false
	}
	return r.tells(r.config, family)
}

// nothingPassedOn holds what has a node that tells only of the routes of others, a
// route reflector, tell nothing any more.
func (r *routeLosses) nothingPassedOn(family int) (finding, bool) {
	if slices.ContainsFunc(r.is.Told, func(t outline.Told) bool { return bgp.VersionOf(t.Net.Addr()) == family }) {
		return finding{}, false
	}
	open, silenced, exported, unknown := 0, 0, 0, false
	for _, s := range r.sessions {
		if s.Family != family || s.lost() || s.is == nil {
			continue
		}
		was := r.then.Line(r.then.Named(family, s.is.Name))
		switch {
		case !s.is.Silent:
			open++
		case was != nil && !was.Silent:
			silenced++
		}
		if c := r.seen.of(s.is.Name).Counts; c != nil {
			exported += c.Exported
		} else {
			unknown = true
		}
	}
	if unknown && exported == 0 && (open == 0 && silenced > 0 || r.refiltered(family)) {
		r.needRoutes = true // they come with the counts
	}
	switch {
	case open == 0 && silenced > 0 && exported > 0:
	case exported == 0 || !r.refiltered(family):
		return finding{}, false
	case r.q.Routes == nil:
		r.needRoutes = true
		return finding{}, false
	case r.q.Running.Config == nil || !r.tells(r.q.Running.Config, family) || r.tells(r.config, family):
		return finding{}, false
	}
	return finding{ofRoutes: true, why: fmt.Sprintf("no IPv%d route would be told to any peer", family)}, true
}

// refiltered says whether sessions of the family are told other routes.
func (r *routeLosses) refiltered(family int) bool {
	names := setOf(r.changes.Refiltered)
	return slices.ContainsFunc(r.sessions, func(s session) bool { return s.Family == family && names[s.Name] })
}

// tells says whether a configuration tells some peer of a route that BIRD has, over
// a session that is established and that the candidate leaves.
func (r *routeLosses) tells(c *bgp.Config, family int) bool {
	f := c.Families()[(family-4)/2]
	p := bgp.PoliciesOf(c, f)
	for _, s := range outline.Tellers(f) {
		if slices.ContainsFunc(r.q.Routes, func(known bgp.Route) bool {
			return bgp.VersionOf(known.Net.Addr()) == family && p.Tells(s, known, bgp.SessionNamed(f, known.Session))
		}) {
			return true
		}
	}
	return false
}
