package guard

import (
	"fmt"

	"confd/bgp"
	"confd/internal/guard/outline"
)

// nothingTaken holds a candidate with which no route of a family is left that came
// from a peer.
func (r *routeLosses) nothingTaken(family int) (finding, bool) {
	t := r.taken(family)
	switch {
	case !t.step:
	case t.before > 0 && t.left == 0:
		return finding{ofRoutes: true, why: noneLeft(t.before, family, "from peers"), lost: t.lost, once: t.once, kept: t.kept}, true
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
	// lost are sessions, once older names of theirs.
	lost, once []string
	// kept: sessions that are kept lose routes.
	kept bool
}

func (r *routeLosses) taken(family int) taken {
	var t taken
	other := setOf(r.changes.Reimporting)
	for _, s := range r.sessions {
		if s.Family != family {
			continue
		}
		stays, changed := r.left(s, other)
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
			name, once := s.names()
			t.lost, t.once = append(t.lost, name), append(t.once, once...)
		}
		t.kept = t.kept || !s.lost() && stays < s.imported
	}
	return t
}

// left is how many of a session's routes are left, and whether the candidate has it
// take others.
func (r *routeLosses) left(s session, other map[string]bool) (routes int, changed bool) {
	switch {
	case s.renamed && !s.is.Closed: // it comes back, and its routes with it
		return s.imported, false
	case s.lost() || s.is == nil:
		return 0, false
	}
	changed = other[s.is.Name]
	if was := r.then.Line(r.then.Named(s.Family, s.is.Name)); was != nil {
		changed = changed || was.Closed != s.is.Closed
	}
	switch {
	case s.is.Closed:
		return 0, changed
	case !changed:
		return s.imported, false
	case r.routes == nil:
		r.needRoutes = true
		return s.imported, true
	}
	return r.taking(s.is), true
}

// from are the routes that BIRD has from a session.
func (r *routeLosses) from(session string) []bgp.Route {
	if r.bySession == nil {
		r.bySession = map[string][]bgp.Route{}
		for _, known := range r.q.Routes {
			r.bySession[known.Session] = append(r.bySession[known.Session], known)
		}
	}
	return r.bySession[session]
}

// taking is how many of the routes that BIRD has from a session the candidate
// takes.
func (r *routeLosses) taking(l *outline.Line) int {
	f, n := (l.Family-4)/2, 0
	s := bgp.SessionNamed(r.config.Families()[f], l.Name)
	if s == nil {
		return 0
	}
	for _, known := range r.from(l.Name) {
		if r.policies[f].Takes(s, known) {
			n++
		}
	}
	return n
}
