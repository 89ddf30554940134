package agent

import (
	"cmp"
	"slices"
	"time"

	"confd/internal/guard"
)

// sightings remember when each session was last seen established, by set.
type sightings struct {
	last map[string]map[string]guard.Seen
}

// saw notes the sessions of a set that are established at a time, and says whether
// one is among them that was not. Of those that are not any more it stays known when
// they were.
func (k *sightings) saw(now time.Time, set string, established []guard.Seen) (cameUp bool) {
	of, was := k.of(set), map[string]bool{}
	for name, s := range of {
		was[name] = s.Established
		s.Established = false
		of[name] = s
	}
	for _, s := range established {
		cameUp = cameUp || !was[s.Name]
		if s.Counts == nil {
			s.Counts = of[s.Name].Counts
		}
		s.Set, s.Established, s.Last = set, true, now
		of[s.Name] = s
	}
	return cameUp
}

// of are the sightings of a set.
func (k *sightings) of(set string) map[string]guard.Seen {
	if k.last == nil {
		k.last = map[string]map[string]guard.Seen{}
	}
	if k.last[set] == nil {
		k.last[set] = map[string]guard.Seen{}
	}
	return k.last[set]
}

// lost notes that the sessions of a set that there were until a time are away.
func (k *sightings) lost(now time.Time, set string, names []string) {
	k.saw(now, set, nil)
	of := k.of(set)
	for _, name := range names {
		s := of[name]
		s.Name, s.Set, s.Last = name, set, now
		of[name] = s
	}
}

// presume notes sessions of a set as if they had been seen, of which it is not known
// when they were.
func (k *sightings) presume(now time.Time, set string, names []string) {
	of := k.of(set)
	for _, name := range names {
		if _, known := of[name]; !known {
			of[name] = guard.Seen{Name: name, Set: set, Last: now}
		}
	}
}

// forget forgets what was last seen before a time.
func (k *sightings) forget(before time.Time) {
	for _, set := range k.last {
		for name, s := range set {
			if s.Last.Before(before) {
				delete(set, name)
			}
		}
	}
}

// established are the names of the sessions that were established when it was last
// looked, by set.
func (k *sightings) established() map[string][]string {
	up := map[string][]string{}
	for _, s := range k.all() {
		if s.Established {
			up[s.Set] = append(up[s.Set], s.Name)
		}
	}
	return up
}

// all are all sightings, sorted by set and name.
func (k *sightings) all() []guard.Seen {
	var all []guard.Seen
	for _, set := range k.last {
		for _, s := range set {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b guard.Seen) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Name, b.Name)) })
	return all
}
