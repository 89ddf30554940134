package known

import (
	"time"

	"confd/bgp"
	"confd/reload"
	"confd/reload/control"
)

// BIRD is what is known of a BIRD: one control socket.
//
//	health  event     next      besides
//	any     CameUp    up        it must be told, unless it has confirmed since
//	any     WentAway  as seen   when it was up last is remembered
//	any     Answers   as seen
//	any     Failing   as seen   by an error, where that says so
//	any     Told      up        since it came up it need not be told any more
//	any     MustRead  the same  it must be told, whatever it has confirmed
//	any     HasRead   the same  it need not be told any more
//
// The first CameUp of one that was up when the program began is no start of it.
type BIRD struct {
	health  control.Health
	version string
	// wasUp and wasDown: it has been so since the program runs.
	wasUp, wasDown bool
	up, lost       time.Time // when it was last seen to come, and to go
	told           time.Time // when it last confirmed what it was told
	// started anew it must be told, and whatever it was told it must read again.
	cameUp, mustRead bool
	// rebooted and reconfigured are BIRD's own times.
	rebooted, reconfigured time.Time
	booted                 time.Time // when it started, by this program's clock
	// started is what it was started with, as far as it takes that only then; nil:
	// not known. needs is what it must be restarted for, as was said last.
	started *bgp.Config
	needs   string
}

// Health is how it is.
func (b *BIRD) Health() control.Health { return b.health }

// MustTell says whether it must be told to read its files.
func (b *BIRD) MustTell() bool { return b.cameUp || b.mustRead }

// WasUp says whether it has been up since the program runs.
func (b *BIRD) WasUp() bool { return b.wasUp }

// LostSince says whether it went away after a time.
func (b *BIRD) LostSince(t time.Time) bool { return b.lost.After(t) }

// Started is what it was started with; nil: not known.
func (b *BIRD) Started() *bgp.Config { return b.started }

// Start is what CameUp has seen.
type Start int

// The starts.
const (
	Running   Start = iota // it was up already when the program began
	Fresh                  // it started while the program runs
	Restarted              // it was up before
)

// CameUp notes that it came up at a time: it may have read its file before the
// last change, and may be another version.
func (b *BIRD) CameUp(at time.Time, version string) Start {
	start := Running
	if b.wasDown {
		start = Fresh
	}
	if b.wasUp {
		start = Restarted
	}
	b.wasUp, b.health, b.version, b.up = true, control.Up, version, at
	if !at.Before(b.told) {
		b.cameUp = true
	}
	return start
}

// WentAway notes that it is not there, or does not answer.
func (b *BIRD) WentAway(at time.Time, err error) {
	if b.health == control.Up {
		b.lost = at
	}
	b.wasDown, b.health, b.version = true, control.HealthOf(err), ""
}

// Answers notes how it answered a look, and returns how it was before.
func (b *BIRD) Answers(h control.Health, version string) (was control.Health) {
	was = b.health
	b.health, b.version = h, version
	return was
}

// MustRead notes that it must be told to read its files.
func (b *BIRD) MustRead() { b.mustRead = true }

// HasRead notes that it was told.
func (b *BIRD) HasRead() { b.cameUp, b.mustRead = false, false }

// Told notes what it said when it was told to use a set.
func (b *BIRD) Told(r reload.Result) {
	if !r.Confirmed.IsZero() {
		b.told = r.Confirmed
		b.cameUp = b.cameUp && b.told.Before(b.up)
	}
	if r.Version != "" {
		b.version, b.health = r.Version, control.Up
	}
	if r.State == reload.Confirmed || r.State == reload.Unchanged {
		b.reconfigured, b.rebooted, b.booted = r.Reconfigured, r.Rebooted, r.Booted
	}
}

// ClockSet notes what its clock, which was set, says of the same moments.
func (b *BIRD) ClockSet(c reload.Clock) { b.reconfigured, b.rebooted = c.Reconfigured, c.Rebooted }

// Failing notes what an error says about it.
func (b *BIRD) Failing(err error) {
	if h := control.HealthOf(err); h != control.HealthUnknown && h != control.Up {
		b.health = h
	}
}

// StartedWith notes what it was started with.
func (b *BIRD) StartedWith(c *bgp.Config) { b.started = c }

// Rebooted is when it started, by its own clock; zero: it has not said.
func (b *BIRD) Rebooted() time.Time { return b.rebooted }

// Booted is when it started, by this program's clock; zero: it has not said.
func (b *BIRD) Booted() time.Time { return b.booted }

// Needs notes what it must be restarted for, in words, and says whether that is
// news.
func (b *BIRD) Needs(what string) bool {
	news := what != "" && what != b.needs
	b.needs = what
	return news
}
