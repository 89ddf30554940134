// Package clock keeps times right where the machine's clock is set: times that are
// written down, and read again.
package clock

import "time"

// At is t as the machine's clock shows it at now, a time that the clock has just told.
// A time that this process has had from the clock moves with it, where it was set in
// between, by whole seconds: asked twice, it is the same time, though clocks run a little
// faster or slower. One that was read from somewhere is as it was, and from then on moves
// with it.
func At(t, now time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	moved := now.Add(t.Sub(now))
	by := moved.Round(0).Sub(t.Round(0))
	if by != 0 && by.Abs() < time.Second {
		return t // it was not set
	}
	return moved.Add(by.Round(time.Second) - by)
}
