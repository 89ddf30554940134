package guard

import (
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
	"confd/internal/guard/outline"
)

// look finds the sessions that count, and what becomes of each.
func (j *judgement) look() {
	j.sessions = make([]session, 0, min(len(j.then.Lines), len(j.seen.list)+len(j.heldLost)))
	base := make([]bool, len(j.then.Lines)) // what runs of it
	if past, ok := j.q.Oldest(); ok {
		pardoned, ended := setOf(past.Pardoned), setOf(past.Ended)
		for _, l := range past.Outline.Lines {
			switch {
			case pardoned[l.Name]:
				// So is what runs in its place, until it has come up.
				if found := j.then.Find(l); found != outline.Nowhere && !j.upSince(j.then.Line(found).Name, past.PardonedAt) {
					base[found] = true
				}
			case !j.established(l.Name) && !j.onlyHeld(l.Name): // what runs in its place counts by itself, where it is up
			default:
				if found := j.then.Find(l); found != outline.Nowhere {
					base[found] = true
				}
				j.add(l, past.Outline, ended[l.Name])
			}
		}
	}
	for i, l := range j.then.Lines {
		if !base[i] {
			j.add(l, j.was, false)
		}
	}
	j.addOthers()
}

// addOthers adds the sessions of BIRD's that are in none of the configurations:
// those of templates of a user's own, and of files that somebody else wrote. What went
// with the files that are confirmed by now was judged then.
func (j *judgement) addOthers() {
	var running map[string]bool // the sessions in the files of what runs
	for _, s := range j.seen.without(j.then, j.now) {
		l := lineOfSeen(s)
		if l.Kind != "" || !j.counts(l, j.was) {
			continue
		}
		if running == nil && j.q.Running != nil {
			running = birdtext.Sessions(j.q.Running.Sets)
		}
		if !s.Established && len(running) > 0 && !running[l.Name] {
			continue
		}
		if j.written == nil {
			j.written = birdtext.Sessions(j.q.Candidate.Sets)
		}
		out := session{Line: l, up: s.Established, imported: j.imported(s.Name)}
		if len(j.written) > 0 && !j.written[l.Name] {
			out.fate, out.step = outline.Removed, true
			switch {
			case !l.Neighbor.IsValid():
				j.needRoutes = true // neighbors come with them
			case j.now.At(l.Neighbor):
				out.fate = outline.Remade
			}
		}
		j.sessions = append(j.sessions, out)
	}
}

// add adds l, which is of outline from, where it counts. ended: BIRD has made it anew
// since.
func (j *judgement) add(l *outline.Line, from *outline.Outline, ended bool) {
	if l.Kind == "" || !j.counts(l, from) {
		return
	}
	s := session{Line: l, up: j.seen.of(l.Name).Established, imported: j.imported(l.Name)}
	if s.fate, s.is = j.fateOf(l); s.fate == outline.Kept && ended {
		s.fate = outline.Remade
	}
	s.renamed = s.fate == outline.Remade && s.is.Terms == l.Terms && s.is.Neighbor == l.Neighbor && s.is.Port == l.Port
	if running := j.then.Line(j.then.Find(l)); running != nil {
		step, _ := j.fateOf(running)
		s.runs, s.step = running, step != outline.Kept
		if s.lost() && !s.step && j.seen.of(running.Name).Established {
			// It was made anew before, and has come up since.
			s.fate, s.up, s.imported = outline.Kept, true, j.imported(running.Name)
		}
	}
	if s.lost() && (j.replaced(l) || j.rehomed(l, s.is)) {
		s.fate, s.step = outline.Kept, false
	}
	if s.lost() || !j.onlyHeld(l.Name) {
		j.sessions = append(j.sessions, s)
	}
}

// fateOf is what the candidate makes of l: a source address that no interface has
// does for no session that is up, changed templates may have left one out, and one whose
// import filter is another goes where the neighbor cannot send its routes again.
func (j *judgement) fateOf(l *outline.Line) (outline.Fate, *outline.Line) {
	f, is := j.now.FateOf(l)
	switch {
	case f == outline.Kept && (j.ends(l) || !l.Terms.Known() && j.homeless(is.Terms.Source)):
		return outline.Remade, is
	case f != outline.Removed && j.q.OtherTemplates && len(j.q.Candidate.Sets) > 0 && !j.written[is.Name]:
		j.unwritten = true
		return outline.Removed, nil
	}
	return f, is
}

// ends says whether BIRD makes l anew as its import filter is another, and its neighbor
// cannot send its routes again.
func (j *judgement) ends(l *outline.Line) bool { return j.restarted[l.Name] && j.q.Deaf[l.Name] }

// rehomed says whether the candidate gives l, whose source address is on no interface of
// the machine any more, one that is, and leaves its other terms, and who its neighbor is
// (a node may have another address by now): to hold that would not bring the session
// back, and this does.
func (j *judgement) rehomed(l, is *outline.Line) bool {
	if is == nil || !l.Terms.Known() || !j.homeless(l.Terms.Source) || !is.Terms.Source.IsValid() || j.homeless(is.Terms.Source) {
		return false
	}
	terms := l.Terms
	terms.Source = is.Terms.Source
	same := is.Neighbor == l.Neighbor || l.Node != "" && is.Node == l.Node
	return terms == is.Terms && same && is.Port == l.Port
}

// counts says whether l counts: it is or was established, it is no local
// workload's, which come and go, and what is behind it is still there.
func (j *judgement) counts(l *outline.Line, from *outline.Outline) bool {
	if !j.established(l.Name) && !j.onlyHeld(l.Name) || l.Kind == bgp.LocalWorkloadSession {
		return false
	}
	return j.q.Doubt != "" || !j.gone(l) && !j.leftForReflecting(l, from)
}

// established says whether a session counts as such.
func (j *judgement) established(name string) bool {
	s := j.seen.of(name)
	return s.Established || j.q.Within(s.Last)
}

// upSince says whether a session is up, or was after a time.
func (j *judgement) upSince(name string, at time.Time) bool {
	s := j.seen.of(name)
	return s.Established || s.Last.After(at)
}

// onlyHeld says whether a session counts for no other reason than that what is held
// takes it away: as long as the candidate does.
func (j *judgement) onlyHeld(name string) bool { return j.heldLost[name] && !j.established(name) }

// gone says whether the node behind l is. A Node without an address is still
// there; so may be one behind a session of which only the name is known.
func (j *judgement) gone(l *outline.Line) bool {
	switch {
	case l.Node != "":
		return j.state.Nodes[l.Node] == nil && j.state.Invalid[backends.Key{Kind: backends.KindNode, Name: l.Node}] == nil
	case l.Kind != bgp.MeshSession:
		return false
	}
	return !j.cluster.mayHave(l.Neighbor)
}

// leftForReflecting says whether a session of the mesh goes since one of its ends
// becomes a route reflector: that takes it down whoever holds what, and is how a
// mesh becomes one with reflectors. That most nodes do at once is another matter.
func (j *judgement) leftForReflecting(l *outline.Line, from *outline.Outline) bool {
	if l.Kind != bgp.MeshSession || !meshOn(j.state.BGPConfigurations["default"]) || !j.cluster.fewReflect() {
		return false
	}
	peer := j.state.Nodes[l.Node]
	return !from.Reflector && j.is.Reflector || peer != nil && peer.ClusterID.IsValid()
}

// replaced says whether a route reflector has what the session of the mesh, l,
// was for: this node has an internal session with it that is up and stays.
func (j *judgement) replaced(l *outline.Line) bool {
	if l.Kind != bgp.MeshSession || l.Node == "" {
		return false
	}
	return j.cluster.reflected(l.Family, func() []string { return j.reflectors(l.Family) })[l.Node]
}

// reflectors are those with which this node has a session that is up, and stays.
func (j *judgement) reflectors(family int) []string {
	var names []string
	for _, l := range j.then.Lines {
		f, is := j.fateOf(l)
		if f == outline.Kept && is.Reflector && l.Family == family && j.seen.of(l.Name).Established {
			names = append(names, is.Node)
		}
	}
	return names
}

// imported is how many routes a session has from its peer, or had when it was last
// established; -1: not known.
func (j *judgement) imported(name string) int {
	s := j.seen.of(name)
	switch {
	case s.Established && j.routes != nil:
		return j.routes[name]
	case s.Counts != nil:
		return s.Counts.Imported
	}
	return -1
}
