package guard

import (
	"maps"
	"slices"

	"confd/backends"
)

// excuse takes sessions off the list of those that must return whose loss is
// approved, or comes from an object whose changes are announced; and those that would
// not be back if the trial was undone.
func (q Question) excuse(v *Verdict, j *judgement) {
	var keys []backends.Key
	if slices.ContainsFunc(slices.Collect(maps.Values(v.Watch)), func(w Watch) bool { return len(w.Return) > 0 }) {
		keys, _ = q.announcedChanges() // it looks at all objects
	}
	meant := setOf(v.Pardoned)
	for set, w := range v.Watch {
		w.Return = slices.DeleteFunc(w.Return, func(name string) bool {
			return meant[name] || j.announced(name, keys) || j.movesOn(name)
		})
		v.Watch[set] = w
	}
}

// movesOn says whether the candidate gives a session of what runs a source address that
// the machine has, in the place of one that it has no more.
func (j *judgement) movesOn(name string) bool {
	for _, family := range []int{4, 6} {
		if l := j.then.Line(j.then.Named(family, name)); l != nil {
			_, is := j.fateOf(l)
			return j.rehomed(l, is)
		}
	}
	return false
}

// announced says whether one of these objects is a reason for what becomes of a
// session.
func (j *judgement) announced(session string, keys []backends.Key) bool {
	if len(keys) == 0 || j.q.stateBefore() == nil {
		return false
	}
	for _, family := range []int{4, 6} {
		if l := j.then.Line(j.then.Named(family, session)); l != nil {
			s := suspects{j: j, before: j.q.stateBefore(), after: j.state, keys: map[backends.Key]aspect{}}
			s.line(l)
			return slices.ContainsFunc(keys, func(k backends.Key) bool { _, is := s.keys[k]; return is })
		}
	}
	return false
}
