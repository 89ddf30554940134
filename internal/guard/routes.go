package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// nothingTold holds a candidate with which the peers of a family are told nothing
// any more, although sessions are left to tell them.
func (j *judgement) nothingTold(family int) (finding, bool) {
	if !j.someStay(family) {
		return finding{}, false
	}
	base := j.was
	if past, ok := j.q.History.oldest(j.q); ok {
		base = past.Outline
	}
	before, lost := j.toldBy(base, family)
	_, step := j.toldBy(j.was, family)
	switch {
	case len(lost) < len(before), len(lost) > 0 && len(step) == 0:
		return finding{}, false
	case len(lost) == 0:
		return j.nothingPassedOn(family)
	case j.stillTells(family):
		return finding{}, false
	}
	return finding{ofRoutes: true, why: noneLeft(len(lost), family, "that peers are told"), routes: netTexts(lost)}, true
}

// noneLeft says that all n routes of a sort go.
func noneLeft(n, family int, which string) string {
	if n == 1 {
		return fmt.Sprintf("the only IPv%d route %s would be gone", family, which)
	}
	return fmt.Sprintf("none of the %d IPv%d routes %s would be left", n, family, which)
}

func netTexts(list []Told) []string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.Net.String()
	}
	return texts
}

// someStay says whether sessions of the family stay up.
func (j *judgement) someStay(family int) bool {
	return slices.ContainsFunc(j.sessions, func(s session) bool { return s.Family == family && !s.lost() })
}

// untold are the nets of this node's routes that the candidate does not tell of.
func (j *judgement) untold() []string {
	var nets []string
	for _, family := range []int{4, 6} {
		_, lost := j.toldBy(j.was, family)
		nets = append(nets, netTexts(lost)...)
	}
	return nets
}

// toldBy are the routes of an outline that count, and those of them that the
// candidate does not tell of.
func (j *judgement) toldBy(o *Outline, family int) (counted, lost []Told) {
	stays := map[netip.Prefix]bool{}
	for _, t := range j.is.Told {
		stays[t.Net] = true
	}
	pardoned := map[string]bool{}
	for _, p := range j.q.History.Past {
		if p.Outline == o {
			pardoned = setOf(p.Pardoned)
		}
	}
	for _, t := range o.Told {
		switch {
		case familyOf(t.Net.Addr()) != family || pardoned[t.Net.String()]:
		case stays[t.Net]:
			counted = append(counted, t)
		case !j.mayGo(t):
			counted, lost = append(counted, t), append(lost, t)
		}
	}
	return counted, lost
}

// mayGo says whether a route of this node's goes as routes do: with the workloads,
// the Service or the endpoints that it was for.
func (j *judgement) mayGo(t Told) bool {
	if j.q.Doubt != "" {
		return false
	}
	switch t.Object.Kind {
	case backends.KindBlockAffinity:
		return j.released(t)
	case backends.KindService:
		return !j.stillAsked(t) && !j.rangesChanged()
	}
	return j.excluded()
}

// released says whether IPAM gave a block back, or to another node: it says so
// before the affinity goes. It keeps a node's last block for as long as there is the
// node.
func (j *judgement) released(t Told) bool {
	a := j.state.BlockAffinities[t.Object.Name]
	if before := j.q.stateBefore(); a == nil && before != nil {
		a = before.BlockAffinities[t.Object.Name]
	}
	return a != nil && (a.Deleted || a.State == "pendingDeletion" || a.Node != j.q.Options.Node)
}

// stillAsked says whether the candidate has a route for a Service, and only does
// not tell it.
func (j *judgement) stillAsked(t Told) bool {
	for _, f := range j.config.Families() {
		if slices.ContainsFunc(f.Export.Services, func(s bgp.StaticRoute) bool { return s.Net == t.Net }) {
			return true
		}
	}
	return false
}

// rangesChanged says whether other ranges of Service addresses are told of, on all
// nodes.
func (j *judgement) rangesChanged() bool {
	before := j.q.stateBefore()
	if before == nil || j.excluded() {
		return false
	}
	key := backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}
	was, is := essenceOf(before, key, ofRoutes, j.q.Salt), essenceOf(j.state, key, ofRoutes, j.q.Salt)
	return was != is
}

// excluded says whether this node's own label keeps it from telling of Services.
func (j *judgement) excluded() bool {
	n := j.state.Nodes[j.q.Options.Node]
	return n != nil && n.Labels[bgp.ExcludeLabel] == "true"
}

// stillTells says whether sessions that stay tell of other routes than the node's
// own, as far as BIRD's routes are known.
func (j *judgement) stillTells(family int) bool {
	if j.q.Routes == nil {
		j.needRoutes = true
		return false
	}
	return j.tells(j.config, family)
}

// nothingPassedOn holds what has a node that tells only of the routes of others, a
// route reflector, tell nothing any more.
func (j *judgement) nothingPassedOn(family int) (finding, bool) {
	if slices.ContainsFunc(j.is.Told, func(t Told) bool { return familyOf(t.Net.Addr()) == family }) {
		return finding{}, false
	}
	open, silenced, exported, unknown := 0, 0, 0, false
	for _, s := range j.sessions {
		if s.Family != family || s.lost() || s.is == nil {
			continue
		}
		was := j.then.line(j.then.named(family, s.is.Name))
		switch {
		case !s.is.Silent:
			open++
		case was != nil && !was.Silent:
			silenced++
		}
		if c := j.seen.of(s.is.Name).Counts; c != nil {
			exported += c.Exported
		} else {
			unknown = true
		}
	}
	if unknown && exported == 0 && (open == 0 && silenced > 0 || j.refiltered(family)) {
		j.needRoutes = true // they come with the counts
	}
	switch {
	case open == 0 && silenced > 0 && exported > 0:
	case exported == 0 || !j.refiltered(family):
		return finding{}, false
	case j.q.Routes == nil:
		j.needRoutes = true
		return finding{}, false
	case j.q.Running.Config == nil || !j.tells(j.q.Running.Config, family) || j.tells(j.config, family):
		return finding{}, false
	}
	return finding{ofRoutes: true, why: fmt.Sprintf("no IPv%d route would be told to any peer", family)}, true
}

// refiltered says whether sessions of the family are told other routes.
func (j *judgement) refiltered(family int) bool {
	names := setOf(j.changes.Refiltered)
	return slices.ContainsFunc(j.sessions, func(s session) bool { return s.Family == family && names[s.Name] })
}

// tells says whether a configuration tells some peer of a route that BIRD has, over
// a session that is established and that the candidate leaves.
func (j *judgement) tells(c *bgp.Config, family int) bool {
	f := c.Families()[(family-4)/2]
	p := bgp.PoliciesOf(c, f)
	for _, s := range policies(f) {
		if slices.ContainsFunc(j.q.Routes, func(r bgp.Route) bool {
			return familyOf(r.Net.Addr()) == family && p.Tells(s, r, bgp.SessionNamed(f, r.Session))
		}) {
			return true
		}
	}
	return false
}

// nothingTaken holds a candidate with which no route of a family is left that came
// from a peer.
func (j *judgement) nothingTaken(family int) (finding, bool) {
	t := j.taken(family)
	switch {
	case !t.step:
	case t.before > 0 && t.left == 0:
		return finding{ofRoutes: true, why: noneLeft(t.before, family, "from peers"), lost: t.lost, kept: t.kept}, true
	case t.unknown > 0 && t.unknown == t.closed && t.before == 0:
		return finding{ofRoutes: true, why: fmt.Sprintf("no IPv%d route would be taken from any of %d established sessions", family, t.closed)}, true
	}
	return finding{}, false
}

// taken are the routes from peers of one family, and what is left of them.
type taken struct {
	before, left int
	// unknown are sessions of which nobody knows how many routes they had; closed
	// those of them that take none any more, whatever it is.
	unknown, closed int
	// step: the candidate itself changes something about them.
	step bool
	lost []string
	// kept: sessions that are kept lose routes.
	kept bool
}

func (j *judgement) taken(family int) taken {
	var t taken
	other := setOf(j.changes.Reimporting)
	for _, s := range j.sessions {
		if s.Family != family {
			continue
		}
		stays, changed := j.left(s, other)
		t.step = t.step || s.step || changed
		if s.imported < 0 {
			t.unknown++
			if changed && s.is.Closed {
				t.closed++
			}
			continue
		}
		t.before, t.left = t.before+s.imported, t.left+stays
		if s.lost() {
			t.lost = append(t.lost, s.Name)
		}
		t.kept = t.kept || !s.lost() && stays < s.imported
	}
	return t
}

// left is how many of a session's routes are left, and whether the candidate has it
// take others.
func (j *judgement) left(s session, other map[string]bool) (routes int, changed bool) {
	switch {
	case s.renamed && !s.is.Closed: // it comes back, and its routes with it
		return s.imported, false
	case s.lost() || s.is == nil:
		return 0, false
	}
	changed = other[s.is.Name]
	if was := j.then.line(j.then.named(s.Family, s.is.Name)); was != nil {
		changed = changed || was.Closed != s.is.Closed
	}
	switch {
	case s.is.Closed:
		return 0, changed
	case !changed:
		return s.imported, false
	case j.routes == nil:
		j.needRoutes = true
		return s.imported, true
	}
	return j.taking(*s.is), true
}

// from are the routes that BIRD has from a session.
func (j *judgement) from(session string) []bgp.Route {
	if j.bySession == nil {
		j.bySession = map[string][]bgp.Route{}
		for _, r := range j.q.Routes {
			j.bySession[r.Session] = append(j.bySession[r.Session], r)
		}
	}
	return j.bySession[session]
}

// taking is how many of the routes that BIRD has from a session the candidate
// takes.
func (j *judgement) taking(l Line) int {
	f, n := (l.Family-4)/2, 0
	s := bgp.SessionNamed(j.config.Families()[f], l.Name)
	if s == nil {
		return 0
	}
	for _, r := range j.from(l.Name) {
		if j.policies[f].Takes(s, r) {
			n++
		}
	}
	return n
}
