package agent

import (
	"maps"
	"slices"
	"time"

	"confd/internal/guard"
)

// sightings remember when each session was last seen established, by set.
type sightings struct {
	last map[string]map[string]guard.Seen
	// sorted are the names in last, until one comes or goes: there can be thousands.
	sorted map[string][]string
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
		k.put(s)
	}
	return cameUp
}

// put notes a sighting.
func (k *sightings) put(s guard.Seen) {
	of := k.of(s.Set)
	if _, known := of[s.Name]; !known {
		delete(k.sorted, s.Set)
	}
	of[s.Name] = s
}

// of are the sightings of a set.
func (k *sightings) of(set string) map[string]guard.Seen {
	if k.last == nil {
		k.last, k.sorted = map[string]map[string]guard.Seen{}, map[string][]string{}
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
		k.put(s)
	}
}

// presume notes sessions of a set as if they had been seen, of which it is not known
// when they were.
func (k *sightings) presume(now time.Time, set string, names []string) {
	of := k.of(set)
	for _, name := range names {
		if _, known := of[name]; !known {
			k.put(guard.Seen{Name: name, Set: set, Last: now})
		}
	}
}

// forget forgets what was last seen before a time.
func (k *sightings) forget(before time.Time) {
	for set, of := range k.last {
		for name, s := range of {
			if s.Last.Before(before) {
				delete(of, name)
				delete(k.sorted, set)
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
	for _, set := range slices.Sorted(maps.Keys(k.last)) {
		of := k.last[set]
		if k.sorted[set] == nil {
			k.sorted[set] = slices.Sorted(maps.Keys(of))
		}
		all = slices.Grow(all, len(of))
		for _, name := range k.sorted[set] {
			all = append(all, of[name])
		}
	}
	return all
}
