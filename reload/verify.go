package reload

import (
	"context"
	"strings"
	"time"

	"confd/reload/control"
)

// Drift is how things differ from what was applied.
type Drift struct {
	Files        []string // the Dests that are not as the set says, or gone
	Restarted    bool     // BIRD was started since it confirmed the set, or came up late
	Reconfigured bool     // somebody else has had BIRD take another configuration
	BIRD         control.Health
	Version      string // of the BIRD that answers
	// Clock is set where BIRD's clock was: what it says now of what has not changed.
	Clock *Clock
}

// Clock is what Result has of the same names, by a clock that was set since.
type Clock struct{ Reconfigured, Rebooted time.Time }

// Any says that there is something to repair.
func (d Drift) Any() bool { return len(d.Files) > 0 || d.Restarted || d.Reconfigured }

// String says what is to repair, in words; empty where nothing is.
func (d Drift) String() string {
	var parts []string
	for _, f := range d.Files {
		parts = append(parts, "file changed: "+f)
	}
	if d.Restarted {
		parts = append(parts, "BIRD was restarted")
	}
	if d.Reconfigured {
		parts = append(parts, "BIRD was reconfigured by somebody else")
	}
	return strings.Join(parts, ", ")
}

// verify looks whether the set is as it was left.
func (k *keeper) verify(ctx context.Context, s Set) (Drift, error) {
	var d Drift
	if k.phase != absent && k.phase != unsure {
		for _, f := range s.Files {
			if k.prints.drifted(f) {
				d.Files = append(d.Files, f.Dest)
			}
		}
	}
	if s.socket() == "" {
		return d, nil
	}
	now, version, err := k.bird.look(ctx, s.socket())
	d.BIRD, d.Version = control.HealthOf(err), version
	if err != nil {
		if d.BIRD != control.HealthUnknown {
			err = nil
		}
		return d, err
	}
	if now.status.InProgress() {
		d.BIRD = control.Busy
	}
	d.Restarted = k.phase == installed
	if k.proof != nil {
		d.Restarted = d.Restarted || k.proof.restarted(now)
		d.Reconfigured = !d.Restarted && d.BIRD == control.Up && k.proof.replaced(now)
	}
	if k.phase == confirmed && k.proof != nil && d.BIRD == control.Up && !d.Restarted && !d.Reconfigured && k.proof.stepped(now).Abs() > proofSlack {
		k.proof = &now
		d.Clock = &Clock{now.status.LastReconfiguration, now.status.LastReboot}
	}
	return d, nil
}
