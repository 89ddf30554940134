package known

import (
	"cmp"
	"slices"
	"time"
)

// Sessions remembers when each session was last seen established.
type Sessions struct {
	last map[string]map[string]time.Time
}

// Saw notes the sessions of a set that are established at a time.
func (k *Sessions) Saw(now time.Time, set string, established []string) {
	if k.last == nil {
		k.last = map[string]map[string]time.Time{}
	}
	if k.last[set] == nil {
		k.last[set] = map[string]time.Time{}
	}
	for _, name := range established {
		k.last[set][name] = now
	}
}

// Forget forgets what was last seen before a time.
func (k *Sessions) Forget(before time.Time) {
	for _, set := range k.last {
		for name, at := range set {
			if at.Before(before) {
				delete(set, name)
			}
		}
	}
}

// Sighting is when a session was last seen established.
type Sighting struct {
	Set, Name string
	At        time.Time
}

// All are all sightings, sorted by set and name.
func (k *Sessions) All() []Sighting {
	var all []Sighting
	for set, sessions := range k.last {
		for name, at := range sessions {
			all = append(all, Sighting{set, name, at})
		}
	}
	slices.SortFunc(all, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Name, b.Name))
	})
	return all
}
