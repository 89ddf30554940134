package folder

import (
	"maps"
	"reflect"
	"slices"

	"confd/backends"
)

// Tracker turns whole states into changes.
type Tracker struct {
	last map[backends.Key]backends.Event
}

// Changes returns what is new, different or gone since the state before,
// sorted by key. At first everything is new.
func (t *Tracker) Changes(now map[backends.Key]backends.Event) []backends.Event {
	var changes []backends.Event
	for k, e := range now {
		if old, had := t.last[k]; !had || !same(old, e) {
			changes = append(changes, e)
		}
	}
	for k := range t.last {
		if _, has := now[k]; !has {
			changes = append(changes, backends.Event{Key: k})
		}
	}
	t.last = maps.Clone(now)
	slices.SortFunc(changes, func(a, b backends.Event) int { return a.Key.Compare(b.Key) })
	return changes
}

func same(a, b backends.Event) bool {
	if !slices.Equal(a.Warnings, b.Warnings) || (a.Err == nil) != (b.Err == nil) || a.Err != nil && a.Err.Error() != b.Err.Error() {
		return false
	}
	return a.Resource == b.Resource || reflect.DeepEqual(a.Resource, b.Resource)
}
