package guard

import (
	"slices"

	"confd/bgp"
	"confd/internal/birdtext"
)

// changes says what differs, and which sessions a trial is judged on: set by set
// where only texts tell.
func (q Question) changes(v *Verdict) {
	switch {
	case q.Running == nil:
	case q.Running.Config != nil && !q.OtherTemplates:
		v.Known, v.Changes = true, bgp.Compare(q.Running.Config, q.Candidate.Config, q.BIRD)
		q.ask(v)
		if q.Untried {
			return
		}
		w := q.watched(v.Changes)
		for _, set := range q.Candidate.Sets {
			v.Watch[set.Name] = w.of(set.Name, q.Seen)
		}
		for _, s := range q.Seen { // where the candidate's texts are not at hand
			if _, ok := v.Watch[s.Set]; !ok {
				v.Watch[s.Set] = w.of(s.Set, q.Seen)
			}
		}
	default:
		q.textChanges(v)
	}
}

// textChanges compares the texts of sets that both sides have.
func (q Question) textChanges(v *Verdict) {
	var old, new []birdtext.Set
	for _, set := range q.Candidate.Sets {
		i := slices.IndexFunc(q.Running.Sets, func(s birdtext.Set) bool { return s.Name == set.Name })
		if i < 0 {
			continue
		}
		old, new = append(old, q.Running.Sets[i]), append(new, set)
		c := birdtext.Compare(old[len(old)-1:], new[len(new)-1:], q.BIRD)
		q.refreshing(&c)
		v.Watch[set.Name] = q.watched(c).of(set.Name, q.Seen)
	}
	v.Known, v.Changes = len(new) > 0 && len(new) == len(q.Candidate.Sets), birdtext.Compare(old, new, q.BIRD)
	q.ask(v)
}

// ask says of which neighbors it matters whether they can send their routes again, and
// what is known of that.
func (q Question) ask(v *Verdict) {
	v.Ask = q.reasked(v.Changes)
	v.Ended = slices.DeleteFunc(slices.Clone(v.Ask), func(name string) bool { return !q.Deaf[name] })
	q.refreshing(&v.Changes)
}

// reasked are the established sessions whose neighbors would be asked for their routes
// again; none with templates of a user's: BIRD need not ask where they have it keep what
// it has received.
func (q Question) reasked(c bgp.Changes) []string {
	if q.OtherTemplates || len(c.Reasked) == 0 {
		return nil
	}
	var names []string
	asked := setOf(c.Reasked)
	for _, s := range q.Seen {
		if s.Established && asked[s.Name] {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// refreshing has those of the sessions restart whose neighbor cannot.
func (q Question) refreshing(c *bgp.Changes) {
	if names := q.reasked(*c); len(names) > 0 {
		up := setOf(names)
		c.WithoutRefresh(func(session string) bool { return up[session] && q.Deaf[session] })
	}
}

// watched are the sessions, of whatever set, that changes touch or remake.
type watched struct{ touched, remade map[string]bool }

// of are those of one set that are established.
func (w watched) of(set string, seen []Seen) Watch {
	var out Watch
	for _, s := range seen {
		switch {
		case s.Set != set || !s.Established:
		case w.remade[s.Name]:
			out.Return = append(out.Return, s.Name)
		case w.touched[s.Name]:
			out.Stay = append(out.Stay, s.Name)
		}
	}
	slices.Sort(out.Stay)
	slices.Sort(out.Return)
	return out
}

func (q Question) watched(c bgp.Changes) watched {
	return watched{setOf(bgp.Touched(q.modelBefore(), q.Candidate.Config, c)), setOf(c.Restarted)}
}

// modelBefore is the model of what runs, where it says what BIRD has.
func (q Question) modelBefore() *bgp.Config {
	if q.OtherTemplates {
		return nil
	}
	return q.Running.Config
}

// compare says what a configuration does differently from what runs.
func (q Question) compare(c *bgp.Config) bgp.Changes {
	if q.Running == nil || q.Running.Config == nil {
		return bgp.Changes{}
	}
	changes := bgp.Compare(q.Running.Config, c, q.BIRD)
	q.refreshing(&changes)
	return changes
}
