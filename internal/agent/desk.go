package agent

import (
	"log/slog"
	"slices"
	"time"

	"confd/bgp"
	"confd/internal/edition"
	"confd/internal/hold"
	"confd/internal/inbox"
	"confd/internal/known"
	"confd/internal/metrics"
	"confd/internal/runs"
	"confd/internal/schedule"
	"confd/internal/settings"
	"confd/reload"
)

// desk is what the parts of the loop have in common: the machines, each of which
// alone writes what it knows, and the lanes.
type desk struct {
	settings settings.Settings
	log      *slog.Logger
	metrics  *metrics.Metrics
	world    World
	children Children
	lanes    *lanes

	machines
	// news is set where something of weight is not in the report yet.
	news bool
}

// holds are the two that keep something back, the first one to be shown first.
func (d *desk) holds() []*hold.Hold { return []*hold.Hold{d.hold, d.tried} }

// isHeld says whether something is held back.
func (d *desk) isHeld() bool { return d.hold.Current() != nil || d.tried.Current() != nil }

// machines are what the loop knows.
type machines struct {
	inbox    *inbox.Inbox
	schedule *schedule.Schedule
	edition  *edition.Edition
	hold     *hold.Hold // by the judgement
	tried    *hold.Hold // as it has failed its trial
	runs     *runs.Runs
	known    *known.Sets
	birds    finder
	failures failures
}

// of is what is known of a set and its BIRD.
func (d *desk) of(s reload.Set) *known.Set { return d.known.Of(s.Name) }

// setAt is the name of the set that the BIRD of a socket reads.
func (d *desk) setAt(socket string) string {
	if d.birds.daemon.Version.Major == 1 && socket == d.birds.daemon.Socket6 {
		return "bird6"
	}
	return "bird"
}

// missed says whether a set is of use: of BIRD 1's two daemons, that of an
// address family which the node does not have is not.
func (d *desk) missed(set string) bool {
	needed := d.runs.Needed()
	return needed == nil || d.missedFor(needed, set)
}

func (d *desk) missedFor(cfg *bgp.Config, set string) bool {
	return d.birds.daemon.Version.Major != 1 || known.FamilyOf(set, cfg).Address.IsValid()
}

// fail notes a failure, and plans another try.
func (d *desk) fail(now time.Time, err error) {
	pause := d.schedule.Failed(now)
	d.metrics.Retry()
	d.failures.note(err, now, pause)
}

// recovered notes that what failed works again: nothing is on trial, which may end
// as the one before did, and no reload command is still running.
func (d *desk) recovered(now time.Time) {
	if d.runs.OnTrial() || d.lanes.anyRuns() {
		return
	}
	d.failures.over(now)
	d.schedule.Succeeded()
}

// hasDaemon says whether a set has a BIRD that can be asked.
func hasDaemon(s reload.Set) bool { return s.Daemon != nil && s.Daemon.Socket != "" }

// find is the set of a name.
func find(sets []reload.Set, name string) (reload.Set, bool) {
	i := slices.IndexFunc(sets, func(s reload.Set) bool { return s.Name == name })
	if i < 0 {
		return reload.Set{}, false
	}
	return sets[i], true
}

// inPlace is the configuration that lies on disk; nil: that is not known.
func (d *desk) inPlace() *bgp.Config {
	if whole := d.runs.Trial().Whole(); whole != nil {
		return whole.Config
	}
	return d.runs.Running().ConfigOrNil()
}
