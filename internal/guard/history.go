package guard

import (
	"slices"
	"time"

	"confd/internal/guard/outline"
)

// DefaultWindow is for how long what was counts: sessions that were established,
// and configurations that ran.
const DefaultWindow = 5 * time.Minute

// History are configurations that ran until a short while ago, the oldest first:
// what a row of changes does is judged against the oldest that still counts. It is
// a value: what changes it returns another one. The zero value is empty.
type History struct {
	Past []Past `json:"past,omitempty"`
}

// Past is a configuration that ran.
type Past struct {
	Outline *outline.Outline `json:"outline"`
	// Until is when something else was confirmed.
	Until time.Time `json:"until"`
	// Pardoned are sessions and routes of it whose loss was approved or announced,
	// PardonedAt is when the last of them went; zero: none did.
	Pardoned   []string  `json:"pardoned,omitempty"`
	PardonedAt time.Time `json:"pardoned_at,omitzero"`
	// Ended are sessions that BIRD has made anew since, although they are the same ones
	// (Verdict.Ended).
	Ended []string `json:"ended,omitempty"`
}

// Moved is p with its times as at has them.
func (p Past) Moved(at func(time.Time) time.Time) Past {
	if p.Until = at(p.Until); !p.PardonedAt.IsZero() {
		p.PardonedAt = at(p.PardonedAt)
	}
	return p
}

// slots is how many parts the window has for this: of configurations that were
// replaced within the same one, only the first is kept, until the last was. Many
// changes in a row do not fill the memory that way, and none is forgotten early.
const slots = 5

// Replaced is the history once something else runs than was: was is nil where that
// is not known. v is the Verdict on what runs now, window the Question's.
func (h History) Replaced(was *outline.Outline, now time.Time, window time.Duration, v Verdict) History {
	if window <= 0 {
		window = DefaultWindow
	}
	past := slices.DeleteFunc(slices.Clone(h.Past), func(p Past) bool { return now.Sub(p.Until) >= window })
	slot := window / slots
	switch last := len(past) - 1; {
	case was == nil:
	case last >= 0 && past[last].Until.Truncate(slot).Equal(now.Truncate(slot)):
		past[last].Until = now
	default:
		past = append(past, Past{Outline: was, Until: now})
	}
	for i := range past {
		past[i].Pardoned = merged(past[i].Pardoned, v.Pardoned)
		if len(v.Pardoned) > 0 {
			past[i].PardonedAt = now
		}
		past[i].Ended = merged(past[i].Ended, v.Ended)
	}
	return History{past}
}
