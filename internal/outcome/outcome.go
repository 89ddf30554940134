// Package outcome watches what becomes of changes after they were applied: whether
// the sessions that were up before, and should be up after, are. It is a machine
// without a clock: each event says when it was.
//
// Each session that is expected goes its own way:
//
//	state     event                               next
//	(none)    Applied: it was up, and is wanted   expected, until the watch is over
//	expected  Seen: up, and the watch is over     (none)
//	expected  Seen: down, and the watch is over   lost
//	expected  Applied: it is not wanted any more  (none)
//	lost      Seen: up                            (none), and it is back
//	lost      Applied: it is not wanted any more  (none)
package outcome

import (
	"maps"
	"slices"
	"time"
)

// Change is something that was applied.
type Change struct {
	Hash     string    // of the files
	Revision string    // the datastore's
	Because  []string  // the objects that changed
	At       time.Time // when BIRD used it
}

// Session is one that is expected, or lost.
type Session struct {
	Set, Name string
	// Change is what was applied when it was last known to be up.
	Change Change
	until  time.Time
	lost   bool
	Says   string // what BIRD says of it; empty: it was not asked
}

// Watch is what is expected. For is how long a change is watched; 0: not at all.
type Watch struct {
	For      time.Duration
	sessions map[key]*Session
}

type key struct{ set, name string }

// Applied notes a change: up are the sessions that were up before, by set and by
// their names now, wanted are all that there should be. Those that are watched already
// stay attributed to the change before.
func (w *Watch) Applied(c Change, up, wanted map[string][]string) {
	if w.For <= 0 || len(up) == 0 && len(w.sessions) == 0 {
		return
	}
	if w.sessions == nil {
		w.sessions = map[key]*Session{}
	}
	is := keysOf(wanted)
	maps.DeleteFunc(w.sessions, func(k key, _ *Session) bool { return !is[k] })
	for set, names := range up {
		for _, name := range names {
			k := key{set, name}
			if is[k] && w.sessions[k] == nil {
				w.sessions[k] = &Session{Set: set, Name: name, Change: c, until: c.At.Add(w.For)}
			}
		}
	}
}

// keysOf are sessions by set, as a set of keys.
func keysOf(sessions map[string][]string) map[key]bool {
	n := 0
	for _, names := range sessions {
		n += len(names)
	}
	is := make(map[key]bool, n)
	for set, names := range sessions {
		for _, name := range names {
			is[key{set, name}] = true
		}
	}
	return is
}

// Seen notes the sessions of a set that are up, and returns those that are lost by
// that, and those that are back, sorted.
func (w *Watch) Seen(now time.Time, set string, up []string) (lost, back []Session) {
	is := map[string]bool{}
	for _, name := range up {
		is[name] = true
	}
	for k, s := range w.sessions {
		over := !now.Before(s.until)
		switch {
		case k.set != set:
		case is[k.name] && s.lost:
			back = append(back, *s)
			delete(w.sessions, k)
		case is[k.name] && over:
			delete(w.sessions, k)
		case !is[k.name] && over && !s.lost:
			s.lost = true
			lost = append(lost, *s)
		}
	}
	sort(lost)
	sort(back)
	return lost, back
}

// Says notes what BIRD says of lost sessions of a set, by name.
func (w *Watch) Says(set string, words map[string]string) {
	for name, text := range words {
		if s := w.sessions[key{set, name}]; s != nil && s.lost {
			s.Says = text
		}
	}
}

// Lost are the sessions that are lost, sorted by set and name.
func (w *Watch) Lost() []Session {
	var lost []Session
	for _, s := range w.sessions {
		if s.lost {
			lost = append(lost, *s)
		}
	}
	sort(lost)
	return lost
}

// Watching says whether something is expected still.
func (w *Watch) Watching() bool {
	for _, s := range w.sessions {
		if !s.lost {
			return true
		}
	}
	return false
}

func sort(list []Session) {
	slices.SortFunc(list, func(a, b Session) int {
		return slices.Compare([]string{a.Set, a.Name}, []string{b.Set, b.Name})
	})
}
