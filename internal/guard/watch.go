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
		v.Watch[set.Name] = q.watched(c).of(set.Name, q.Seen)
	}
	v.Known, v.Changes = len(new) > 0 && len(new) == len(q.Candidate.Sets), birdtext.Compare(old, new, q.BIRD)
}

// watched are the sessions, of whatever set, that changes touch or remake.
type watched struct{ touched, remade map[string]bool }

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

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}
