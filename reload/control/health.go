package control

import "errors"

// Health is how BIRD is.
type Health int

// How BIRD can be.
const (
	HealthUnknown Health = iota // there is no control socket, or it cannot be used
	Up                          // it answers
	Absent                      // it is not running
	Hung                        // it takes connections, and does not answer in time
	Busy                        // it answers, and a reconfiguration is under way
	Restarting                  // it went away while it was reconfiguring
)

// String is one lower-case word.
func (h Health) String() string {
	return [...]string{"unknown", "up", "absent", "hung", "busy", "restarting"}[h]
}

// HealthOf is what an error of this package says about BIRD; Up where err is nil.
func HealthOf(err error) Health {
	switch {
	case err == nil:
		return Up
	case errors.Is(err, ErrWentAway):
		return Restarting
	case errors.Is(err, ErrNotRunning):
		return Absent
	case errors.Is(err, ErrHung):
		return Hung
	case errors.Is(err, ErrBusy):
		return Busy
	}
	return HealthUnknown
}
