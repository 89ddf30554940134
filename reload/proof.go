package reload

import (
	"time"

	"confd/reload/control"
)

// observation is what BIRD said of itself, at some moment between from and to.
type observation struct {
	status   control.Status
	from, to time.Time
}

// proofSlack is by how much two ages of the same thing may differ: BIRD 1 counts
// seconds, and later ones' times waver under load.
const proofSlack = 3 * time.Second

// ageSlack is how much older than the command BIRD's configuration may look: BIRD 1
// counts seconds, and not precisely.
const ageSlack = 2 * time.Second

// restarted says that BIRD was started after o, as now shows.
func (o observation) restarted(now observation) bool {
	return o.another(now, control.Status.UpFor, o.status.LastReboot, now.status.LastReboot)
}

// replaced says that BIRD uses another configuration than at o, as now shows.
func (o observation) replaced(now observation) bool {
	return o.another(now, control.Status.ConfigAge, o.status.LastReconfiguration, now.status.LastReconfiguration)
}

// another says that a moment of BIRD's is not the one that it was at o: neither its time
// nor its age is. A clock that is set changes times and no ages; one that goes to summer
// time, or back, changes the ages of what was before, and no times.
func (o observation) another(now observation, age func(control.Status) (time.Duration, bool), before, after time.Time) bool {
	was, known := age(o.status)
	is, knownNow := age(now.status)
	if !known || !knownNow || near(before, after) {
		return false
	}
	return is < was+now.from.Sub(o.to)-proofSlack || is > was+now.to.Sub(o.from)+proofSlack
}

// stepped is by how much BIRD's clock was set between o and now, where BIRD was
// not started in between.
func (o observation) stepped(now observation) time.Duration {
	return o.status.Stepped(now.status)
}

// near says that two of BIRD's times are the same: those of later BIRDs waver.
func near(a, b time.Time) bool {
	d := a.Sub(b).Abs()
	if a.Year() == 0 && b.Year() == 0 { // times of the day
		d = min(d, 24*time.Hour-d)
	}
	return d <= proofSlack
}

// booted is when BIRD was started, by this program's clock; zero: not known.
func (o observation) booted() time.Time {
	up, known := o.status.UpFor()
	if !known {
		return time.Time{}
	}
	return o.from.Add(-up)
}
