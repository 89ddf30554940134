package agent

import (
	"slices"
	"time"

	"confd/internal/guard"
)

// recovery is the time after a trial that has failed: what comes next waits until the
// sessions that fell are up again, for as long as a trial takes at most. Before that
// no trial could tell whether it leaves them up.
//
//	state    event                    next
//	none     begin                    waiting
//	waiting  saw (one of them)        waiting
//	waiting  saw (all of them)        none
//	waiting  open (in time)           waiting
//	waiting  open (its time is over)  none
type recovery struct {
	fallen map[string][]string // by set
	until  time.Time
}

// begin waits for sessions of a set until a time.
func (r *recovery) begin(set string, sessions []string, until time.Time) {
	if r.fallen == nil {
		r.fallen = map[string][]string{}
	}
	r.fallen[set], r.until = sessions, until
}

// saw notes which sessions of a set are established.
func (r *recovery) saw(set string, established []guard.Seen) {
	if r.fallen[set] == nil {
		return
	}
	r.fallen[set] = slices.DeleteFunc(slices.Clone(r.fallen[set]), func(name string) bool {
		return slices.ContainsFunc(established, func(s guard.Seen) bool { return s.Name == name })
	})
	if len(r.fallen[set]) == 0 {
		delete(r.fallen, set)
	}
}

// open says whether it is still waited.
func (r *recovery) open(now time.Time) bool {
	if len(r.fallen) > 0 && !now.Before(r.until) {
		r.fallen = nil
	}
	return len(r.fallen) > 0
}
