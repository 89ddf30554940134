package control

import (
	"strings"
	"time"
)

// Timed says that Since is in a format that we know, so that it is another one
// after the session was down.
func (s SessionState) Timed() bool { return !parseTime(s.Since).IsZero() }

// sinceSlack is by how much one session's time may waver.
const sinceSlack = 2 * time.Second

// SameSince says that s has been in its state since the moment that before gives,
// where BIRD's clock was set by stepped meanwhile. It compares what BIRD prints:
// of a session that is a day old that is a date alone.
func (s SessionState) SameSince(before SessionState, stepped time.Duration) bool {
	return sameSince(before.Since, s.Since, stepped)
}

// sameSince says that two texts for when a session came up mean one moment. BIRD
// prints a session's age as a date alone once it is a day old.
func sameSince(was, is string, stepped time.Duration) bool {
	if was == is {
		return true
	}
	before, after := parseTime(was), parseTime(is)
	switch {
	case before.IsZero() || after.IsZero():
		return false
	case !strings.Contains(is, ":"):
		return true // a session that came up a moment ago has a time of the day
	}
	d := (after.Sub(before) - stepped).Abs()
	if before.Year() == 0 && after.Year() == 0 {
		d = min(d, 24*time.Hour-d)
	}
	return d <= sinceSlack
}
