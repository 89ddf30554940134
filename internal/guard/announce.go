package guard

import (
	"fmt"
	"slices"
	"time"

	"confd/backends"
)

// How far ahead an announcement may be, and by how much clocks may differ.
const (
	maxAnnouncement = 24 * time.Hour
	clockSkew       = 5 * time.Minute
)

// Announcements are the announcements of disruptions that were read, the last one
// of each object. It is a value: what changes it returns another one.
type Announcements []Announcement

// Announcement says until when the changes of an object are announced.
type Announcement struct {
	Object backends.Key `json:"object"`
	Until  time.Time    `json:"until"`
	Read   time.Time    `json:"read,omitzero"`
}

// Noted notes what a resource that has arrived announces, if anything; those that
// are over are forgotten. Have it note every event: a resource that is deleted next
// has its announcement in the version before, which nothing else may know.
func (a Announcements) Noted(r backends.Resource, now time.Time) Announcements {
	until, _, ok := announced(r, now)
	if !ok {
		return a
	}
	key := r.ResourceKey()
	out := slices.DeleteFunc(slices.Clone(a), func(x Announcement) bool { return x.Object == key || !now.Before(x.Until) })
	return append(out, Announcement{key, until, now})
}

// Settled are the announcements that are left once what runs was made from s, as it
// was at a time: one is over where a later version of its object is in place that has
// none. One of an object that is gone goes on.
func (a Announcements) Settled(s *backends.State, at time.Time) Announcements {
	return slices.DeleteFunc(slices.Clone(a), func(x Announcement) bool {
		r, there := s.Get(x.Object)
		return there && !x.Read.After(at) && backends.IntentOf(r).DisruptionUntil == ""
	})
}

// announced reads what a resource announces; why says what is wrong with it, where
// it does not count although it should.
func announced(r backends.Resource, now time.Time) (until time.Time, why string, ok bool) {
	text := backends.IntentOf(r).DisruptionUntil
	if text == "" {
		return until, "", false
	}
	until, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return until, fmt.Sprintf("%q is no time as in 2006-01-02T15:04:05Z", printed(text)), false
	case until.After(now.Add(maxAnnouncement + clockSkew)):
		return until, fmt.Sprintf("%s is more than a day ahead", until.Format(time.RFC3339)), false
	}
	return until, "", now.Before(until)
}

// printed is the start of a text that can be long.
func printed(text string) string { return text[:min(len(text), 60)] }
