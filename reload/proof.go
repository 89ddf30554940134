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

// Ages are compared, not times: they hold when the clock is set.

// restarted says that BIRD was started after o, as now shows.
func (o observation) restarted(now observation) bool {
	was, known := o.status.UpFor()
	is, knownNow := now.status.UpFor()
	return known && knownNow && is < was+now.from.Sub(o.to)-proofSlack
}

// replaced says that BIRD uses another configuration than at o, as now shows.
func (o observation) replaced(now observation) bool {
	was, known := o.status.ConfigAge()
	is, knownNow := now.status.ConfigAge()
	return known && knownNow && (is < was+now.from.Sub(o.to)-proofSlack || is > was+now.to.Sub(o.from)+proofSlack)
}

// stepped is by how much BIRD's clock was set between o and now, where BIRD was
// not started in between.
func (o observation) stepped(now observation) time.Duration {
	return o.status.Stepped(now.status)
}
