package agent

import (
	"time"

	"confd/internal/guard/recall"
)

// remember has written down what the next start must know, where it is time.
func (a *Agent) remember(now time.Time) {
	if a.runs.Running() == nil || a.settings.Templates.SyncOnly || !a.conduct.memory.isTimeToWrite(now) {
		return
	}
	if k, ok := a.knowledge(now); ok {
		a.jobs.remember(a.birds.daemon.Dir, k)
	} else {
		a.conduct.memory.written()
	}
}

// rememberLast writes it down before the program ends, where something has changed
// since it was.
func (a *Agent) rememberLast(now time.Time) {
	if a.runs.Running() == nil || a.settings.Templates.SyncOnly || !a.conduct.memory.mustWrite() {
		return
	}
	if k, ok := a.knowledge(now); ok {
		a.observer.complain(notRemembered, a.opts.World.Remember(a.birds.daemon.Dir, k))
	}
}

const notRemembered = "what the next start must know to judge changes is not written down"

// knowledge is what the next start must know; false: nothing.
func (a *Agent) knowledge(now time.Time) (Knowledge, bool) {
	m := recall.Remember(a.conduct.question(now, nil, surveyed{}))
	if m == nil {
		return Knowledge{}, false
	}
	return Knowledge{m, a.conduct.memory.salt, a.inbox.Stores(), diskHash(a.daemonSets())}, true
}
