package inbox

import (
	"maps"
	"slices"
	"time"

	"confd/backends"
)

// Batch is what has changed, and is to be applied together.
type Batch struct {
	Keys  []backends.Key // sorted
	Since time.Time      // when the first of it arrived; zero: nothing has
}

// Since is when the oldest change arrived that was not given out, or came back;
// zero: there is none.
func (in *Inbox) Since() time.Time { return in.since }

// Batch gives out what has changed. Where it does not come to be applied, Return
// takes it back.
func (in *Inbox) Batch() Batch {
	b := Batch{slices.SortedFunc(maps.Keys(in.changed), backends.Key.Compare), in.since}
	clear(in.changed)
	in.since = time.Time{}
	return b
}

// Return takes back what was not applied.
func (in *Inbox) Return(b Batch) {
	for _, k := range b.Keys {
		in.changed[k] = true
	}
	if in.since.IsZero() || !b.Since.IsZero() && b.Since.Before(in.since) {
		in.since = b.Since
	}
}
