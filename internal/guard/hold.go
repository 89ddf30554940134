package guard

import (
	"maps"
	"slices"
	"strings"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard/outline"
)

// hold says whether the candidate may go live.
func (q Question) hold(v *Verdict, j *judgement) {
	v.Notes = append(v.Notes, j.homelessNotes()...)
	list := j.findings()
	v.NeedRoutes = j.needRoutes && q.Routes == nil
	if len(list) == 0 {
		return
	}
	rest, left := q.unannounced(v, j, list)
	v.NeedRoutes = v.NeedRoutes || rest.needRoutes && q.Routes == nil
	if left == nil {
		v.Pardoned = pardoned(list, nil)
		return
	}
	reasons := rest.reasons(left)
	v.ID = rest.idOf(reasons, left)
	v.fill(rest, left, reasons)
	v.Approved = slices.Contains(q.Approved, v.ID) || q.approvedByAnnotation(v.ID, reasons)
	v.Held = !v.Approved
	if v.Approved {
		v.Pardoned = pardoned(list, nil)
	}
}

// unannounced judges what is left of a candidate when the objects whose changes are
// announced stay as they were; nil: nothing that is to be held.
func (q Question) unannounced(v *Verdict, j *judgement, list []finding) (*judgement, []finding) {
	keys, notes := q.announcedChanges()
	v.Notes = append(v.Notes, notes...)
	if len(keys) == 0 {
		return j, list
	}
	if q.stateBefore() == nil {
		return standingAnnounced(v, j, list, keys)
	}
	state := q.without(keys)
	config, err := bgp.Compute(state, q.Options)
	if err != nil { // it announces the node itself
		v.Announced = keys
		return j, nil
	}
	rest := q.judgement(config, state, outline.Of(config, q.Salt), q.compare(config))
	left := rest.findings()
	if len(left) < len(list) || len(left) == 0 {
		v.Announced = keys
	}
	if len(left) == 0 {
		return rest, nil
	}
	return rest, left
}

// standingAnnounced is unannounced where nobody knows what was before: what is the
// reason then must be announced, all of it.
func standingAnnounced(v *Verdict, j *judgement, list []finding, keys []backends.Key) (*judgement, []finding) {
	reasons := j.reasons(list)
	if len(reasons) == 0 {
		return j, list
	}
	for key := range reasons {
		if !slices.Contains(keys, key) {
			return j, list
		}
	}
	v.Announced = slices.SortedFunc(maps.Keys(reasons), backends.Key.Compare)
	return j, nil
}

// pardoned are the sessions and routes of list that are not in left.
func pardoned(list, left []finding) []string {
	stays := map[string]bool{}
	for _, f := range left {
		maps.Copy(stays, setOf(f.all()))
	}
	gone := map[string]bool{}
	for _, f := range list {
		for _, name := range f.all() {
			if !stays[name] {
				gone[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(gone))
}

// fill says what was found.
func (v *Verdict) fill(j *judgement, list []finding, reasons map[backends.Key]aspect) {
	v.Why = list[0].why
	lost, remade := map[string]bool{}, map[string]bool{}
	for _, f := range list {
		maps.Copy(lost, setOf(f.lost))
		maps.Copy(remade, setOf(f.remade))
		if f.ofRoutes && !strings.Contains(v.Why, f.why) {
			v.Why += "; " + f.why
		}
	}
	v.Lost, v.Remade = slices.Sorted(maps.Keys(lost)), slices.Sorted(maps.Keys(remade))
	v.Objects = j.describe(reasons, v.Lost)
}

// approvedByAnnotation says whether somebody has approved what is held for all
// nodes: on the default BGPConfiguration, or on an object that is the reason.
func (q Question) approvedByAnnotation(id string, reasons map[backends.Key]aspect) bool {
	keys := append(slices.Collect(maps.Keys(reasons)), backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"})
	return slices.ContainsFunc(keys, func(k backends.Key) bool {
		r, _ := q.Candidate.State.Get(k)
		return slices.Contains(backends.IntentOf(r).ApprovedIDs(), id)
	})
}

// findings are the reasons to hold the candidate, the most general one first.
func (j *judgement) findings() []finding {
	j.look()
	sessions, routes := &sessionLosses{judgement: j}, routeLossesOf(j)
	var list []finding
	add := func(f finding, ok bool) {
		if ok {
			list = append(list, f)
		}
	}
	add(sessions.doubtful(routes.untold()))
	for i := range 2 {
		add(sessions.homelessFamily(i))
	}
	for _, g := range groups() {
		add(sessions.tooMuch(g))
	}
	for _, family := range []int{4, 6} {
		add(sessions.allThatAreUp(family))
	}
	for _, family := range []int{4, 6} {
		add(routes.nothingTold(family))
		add(routes.nothingTaken(family))
	}
	return list
}
