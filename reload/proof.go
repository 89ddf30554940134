package reload

import (
	"context"
	"errors"
	"time"
)

// observation is what BIRD said of itself, at some moment between from and to.
type observation struct {
	status   Status
	from, to time.Time
}

// proofSlack is by how much two ages of the same thing may differ: BIRD 1 counts
// seconds, and later ones' times waver under load.
const proofSlack = 3 * time.Second

// observe asks for BIRD's status.
func (c *Client) observe(ctx context.Context) (observation, error) {
	from := time.Now()
	status, err := c.Status(ctx)
	return observation{status, from, time.Now()}, err
}

// Ages are compared, not times: they hold when the clock is set.

// restarted says that BIRD was started after o, as now shows.
func (o observation) restarted(now observation) bool {
	was, known := o.status.upFor()
	is, knownNow := now.status.upFor()
	return known && knownNow && is < was+now.from.Sub(o.to)-proofSlack
}

// replaced says that BIRD uses another configuration than at o, as now shows.
func (o observation) replaced(now observation) bool {
	was, known := o.status.configAge()
	is, knownNow := now.status.configAge()
	return known && knownNow && (is < was+now.from.Sub(o.to)-proofSlack || is > was+now.to.Sub(o.from)+proofSlack)
}

// stepped is by how much BIRD's clock was set between o and now, where BIRD was
// not started in between.
func (o observation) stepped(now observation) time.Duration {
	was, is := o.status.LastReboot, now.status.LastReboot
	if isDate(was) || isDate(is) || (was.Year() == 0) != (is.Year() == 0) {
		return 0
	}
	return is.Sub(was)
}

// proven adds what BIRD said to a result.
func (m *memory) proven(res Result) Result {
	res.Version = m.version
	if m.proof != nil {
		res.Reconfigured, res.Rebooted = m.proof.status.LastReconfiguration, m.proof.status.LastReboot
	}
	return res
}

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
