package agent

import (
	"runtime/debug"
	"time"

	"confd/bgp"
)

// restAfter is how long nothing new must run before the system gets back the memory
// that making it took.
const restAfter = 10 * time.Second

// rest says since when nothing new runs.
type rest struct {
	runs  *bgp.Config
	since time.Time
	over  bool // what was needed was given back
}

// lookAt gives memory back to the system where nothing new has run for a while: the
// runtime would keep as much again as is in use.
func (r *rest) lookAt(now time.Time, runs *bgp.Config) {
	switch {
	case runs != r.runs:
		*r = rest{runs: runs, since: now}
	case !r.over && runs != nil && now.Sub(r.since) >= restAfter:
		r.over = true
		debug.FreeOSMemory()
	}
}
