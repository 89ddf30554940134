// Package outage keeps what a backend has said of a time in which it is out of step, so that
// one thing is said once, and that it goes on only now and then.
package outage

import "time"

// remindEvery is how often it is logged that an outage goes on: as often as the program
// does of what else fails again and again.
const remindEvery = 5 * time.Minute

// Outage is a time out of step. The zero value is one that has not begun.
type Outage[Kind comparable] struct {
	start    time.Time
	reminded time.Time // when it was logged last that it goes on; at first: start
	attempts int
	told     map[Kind]bool
}

// Begin notes that the outage has begun, where that is not known yet.
func (o *Outage[Kind]) Begin(now time.Time) {
	if o.start.IsZero() {
		*o = Outage[Kind]{start: now, reminded: now, told: map[Kind]bool{}}
	}
}

// Failed notes that an attempt to end it has failed; news says that it was for a kind of
// reason that has not been told yet.
func (o *Outage[Kind]) Failed(now time.Time, why Kind) (news bool) {
	o.Begin(now)
	o.attempts++
	news = !o.told[why]
	o.told[why] = true
	return news
}

// Reminder is what there is to log of an outage that goes on, as attributes for slog; nil:
// it was logged a short time ago.
func (o *Outage[Kind]) Reminder(now time.Time) []any {
	if o.start.IsZero() || now.Sub(o.reminded) < remindEvery {
		return nil
	}
	o.reminded = now
	return []any{"attempts", o.attempts, "for", now.Sub(o.start).Round(time.Second)}
}
