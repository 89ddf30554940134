package guard

import (
	"fmt"
	"slices"

	"confd/backends"
)

// announcedChanges are the objects that changed and whose changes are announced, as
// well as notes on announcements of theirs that do not count.
func (q Question) announcedChanges() (keys []backends.Key, notes []string) {
	said := map[backends.Key]bool{}
	for _, a := range q.Announced {
		said[a.Object] = q.Now.Before(a.Until)
	}
	for _, key := range ChangedObjects(q.stateBefore(), q.Candidate.State) {
		ok := said[key]
		for _, s := range []*backends.State{q.Candidate.State, q.stateBefore()} {
			if s == nil {
				continue
			}
			r, _ := s.Get(key)
			_, why, counts := announced(r, q.Now)
			ok = ok || counts
			if why != "" && s == q.Candidate.State {
				notes = append(notes, fmt.Sprintf("%s: %s does not count: %s", key, backends.AnnotationDisruption, why))
			}
		}
		if ok {
			keys = append(keys, key)
		}
	}
	return keys, notes
}

// ChangedObjects are the objects of those kinds that announcements are for that differ
// between two states, sorted; where before is nil, all.
func ChangedObjects(before, after *backends.State) []backends.Key {
	if before == nil {
		before = &backends.State{}
	}
	var keys []backends.Key
	keys = Differing(keys, before.Nodes, after.Nodes)
	keys = Differing(keys, before.BGPConfigurations, after.BGPConfigurations)
	keys = Differing(keys, before.BGPPeers, after.BGPPeers)
	keys = Differing(keys, before.BGPFilters, after.BGPFilters)
	keys = Differing(keys, before.IPPools, after.IPPools)
	keys = Differing(keys, before.Secrets, after.Secrets)
	slices.SortFunc(keys, backends.Key.Compare)
	return keys
}

// Differing adds the keys of what differs: resources are never changed in place,
// so that it is enough to compare pointers.
func Differing[K comparable, R interface {
	comparable
	backends.Resource
}](keys []backends.Key, before, after map[K]R) []backends.Key {
	for k, r := range after {
		if was, ok := before[k]; !ok || was != r {
			keys = append(keys, r.ResourceKey())
		}
	}
	for k, r := range before {
		if _, ok := after[k]; !ok {
			keys = append(keys, r.ResourceKey())
		}
	}
	return keys
}

// without is the candidate's state with these objects as they were before.
func (q Question) without(keys []backends.Key) *backends.State {
	before, s := q.stateBefore(), q.Candidate.State.Clone()
	for _, key := range keys {
		was, _ := before.Get(key)
		s.Apply(backends.Event{Key: key, Resource: was, Err: before.Invalid[key]})
	}
	return s
}

// Rest is the candidate's state with all that changed and can have to do with
// sessions as it was: what is left of a change that is held, and need not wait. It
// is nil where that is not known, or where a Secret would have to be as it was of
// which nobody knows more than a salted value.
func Rest(q Question) *backends.State {
	before := q.stateBefore()
	if before == nil {
		return nil
	}
	keys := ChangedObjects(before, q.Candidate.State)
	for _, k := range keys {
		if was, ok := before.Secrets[k]; ok && q.unreadable(was) {
			return nil
		}
	}
	return q.without(keys)
}

// unreadable says that a Secret has salted values.
func (q Question) unreadable(s *backends.Secret) bool {
	for _, v := range s.Data {
		if v != "" && q.Salt.Of(v) == v {
			return true
		}
	}
	return false
}
