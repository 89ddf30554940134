package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"confd/internal/hold"
	"confd/internal/metrics"
	"confd/reload"
	"confd/reload/control"
)

// care looks after what runs: whether it is still there, and BIRD still uses it. It
// puts right what is not, and has BIRDs that came up read it again.
type care struct {
	*desk
	start   *startup
	checkAt time.Time // not before
	tellAt  time.Time // not before
}

// live notes that BIRD runs what it should.
func (c *care) live() {
	c.start.live(c.runs.Running().Hash)
	c.noteStarted(c.start.before())
}

// notInPlace is what is done where what should run is not in place: BIRDs that came
// up read what runs again, and where nothing is known to run, what lies on disk is
// what BIRD starts with.
func (c *care) notInPlace(now time.Time) {
	if c.isHeld() && c.runs.Running() == nil {
		c.children.InPlace()
	}
	c.retell()
	c.tellAt = now.Add(c.settings.Timing.Verify)
}

// retell has BIRDs that came up read what runs again, while what should run cannot
// be put in place.
func (c *care) retell() {
	for _, s := range c.runs.InUse() {
		of := c.of(s)
		if s.Daemon == nil || !of.BIRD.MustTell() || c.runs.Running() == nil && !of.Files.IsInstalled(s.Hash()) {
			continue
		}
		s.Guard = nil
		c.lanes.give(Order{Action: Reconfigure, For: ForRetell, Set: s})
	}
}

// retellUnasked does so while nobody knows what should run.
func (c *care) retellUnasked(now time.Time) {
	if c.inbox.Complete() || c.runs.OnTrial() || len(c.known.MustTell()) == 0 || now.Before(c.tellAt) {
		return
	}
	c.tellAt = now.Add(c.settings.Timing.Verify)
	c.retell()
}

// retold has what came of telling a BIRD again.
func (c *care) retold(now time.Time, done Done) {
	c.note(now, done)
	if done.Err != nil {
		return
	}
	c.of(done.Set).BIRD.HasRead()
	if c.runs.Running() != nil {
		c.noteStarted(c.start.before())
	}
}

// verify looks, from time to time, whether what was put in place is still there.
func (c *care) verify(now time.Time) {
	if c.runs.OnTrial() || now.Before(c.checkAt) {
		return
	}
	c.checkAt = now.Add(c.settings.Timing.Verify)
	if c.runs.Running() != nil && !c.isHeld() { // an approval may come when the hold is over already
		c.world.Forget(c.birds.daemon.Dir)
	}
	sets := c.runs.InUse()
	if sets == nil {
		sets = c.runs.Current() // how their BIRDs are
	}
	for _, s := range sets {
		if !c.lanes.running(s.Name) {
			c.lanes.give(Order{Action: Verify, For: ForCare, Set: s})
		}
	}
}

// verified has how a set was found.
func (c *care) verified(now time.Time, done Done) {
	s, drift, of := done.Set, done.Drift, c.of(done.Set)
	if done.Err != nil {
		c.log.Debug("looking whether all is as it was left", "set", s.Name, "error", done.Err)
	}
	c.noteHealth(now, s, drift)
	switch {
	case c.runs.OnTrial(), c.lanes.running(s.Name):
	case !of.Files.IsInstalled(s.Hash()):
		// Another set of the same change has failed: this one is ahead. Or nobody
		// is there to check it.
	case !drift.Any() && (!of.Files.Unrepaired() || !c.unasked()):
		of.Files.Drifted("")
	case !drift.Any() && drift.BIRD != control.Up:
		// What could not be put right is tried again when BIRD is there.
	case drift.BIRD != control.Busy && c.runs.InUse() != nil:
		c.repair(now, s, drift)
	}
}

// unasked says that nothing is applied just now which would put right, too, what
// is not: nobody knows what should run, or it is held.
func (c *care) unasked() bool {
	return c.runs.Running() == nil || c.isHeld() || !c.inbox.Complete()
}

// noteHealth notes how BIRD is. One that answers again is told at once what it
// could not be told before.
func (c *care) noteHealth(now time.Time, s reload.Set, drift reload.Drift) {
	if !hasDaemon(s) {
		return
	}
	if drift.Clock != nil {
		c.log.Info("BIRD's clock was set", "set", s.Name)
		c.of(s).BIRD.ClockSet(*drift.Clock)
		c.news = true
	}
	was := c.of(s).BIRD.Answers(drift.BIRD, drift.Version)
	if was == drift.BIRD {
		return
	}
	c.news = true
	if drift.BIRD == control.Hung {
		c.log.Error("BIRD does not answer: it takes connections only", "set", s.Name, "socket", s.Daemon.Socket)
	}
	c.logAnswers(s, was)
	if drift.BIRD == control.Up && c.failures.failing() {
		c.schedule.Soon(now)
	}
}

// repair puts right what has drifted, or, where nothing has, what it could not put
// right before. A BIRD that came up has an event, too, with which it is told: that
// is waited for where the datastore is known.
func (c *care) repair(now time.Time, s reload.Set, drift reload.Drift) {
	of := c.of(s)
	news, up := false, drift.Restarted && len(drift.Files) == 0
	if drift.Any() {
		news = of.Files.Drifted(drift.String())
	}
	if up && c.inbox.Complete() && (news || of.BIRD.MustTell()) {
		if !news && c.schedule.Due().IsZero() {
			c.schedule.Soon(now)
		}
		return
	}
	if news || up {
		c.drifted(s, drift)
	}
	if drift.Restarted && s.Daemon != nil {
		of.BIRD.MustRead()
	}
	s.Guard = nil
	c.lanes.give(Order{Action: Mend, For: ForCare, Set: s, Found: drift, Loud: news || up})
}

// drifted counts what was found changed. A restart is counted where BIRD is seen to
// come up.
func (c *care) drifted(s reload.Set, drift reload.Drift) {
	if len(drift.Files) > 0 {
		c.metrics.Drift(metrics.DriftFile)
	}
	if drift.Reconfigured {
		c.metrics.Drift(metrics.DriftReconfigured)
	}
	c.of(s).Files.Counted()
	c.log.Warn("not as it was left: putting it right", "set", s.Name, "found", drift.String())
}

// mended has what came of putting a set right.
func (c *care) mended(now time.Time, done Done) {
	s, of := done.Set, c.of(done.Set)
	if errors.Is(done.Err, reload.ErrCannotCheck) && !c.missed(s.Name) {
		of.Files.NotNeeded()
		return
	}
	c.note(now, done)
	of.Files.Repaired(done.Err)
	if done.Err != nil {
		level := slog.LevelDebug
		if done.Loud {
			level = slog.LevelError
		}
		c.log.Log(context.Background(), level, "not put right: trying again", "set", s.Name, "error", done.Err)
		c.runs.Doubt()
		c.fail(now, done.Err)
		return
	}
	if s.Daemon != nil && (done.Found.Restarted || done.Found.Reconfigured) {
		of.BIRD.HasRead()
	}
	c.log.Info("put right", "set", s.Name, "state", done.Result.State.String())
	if c.failures.failing() { // which may have been this
		c.schedule.Soon(now)
	}
}

// approvals lets what is held go on where somebody has approved it, or its time is
// over.
func (c *care) approvals(now time.Time) {
	if !c.isHeld() || !c.inbox.Complete() {
		return
	}
	for _, h := range c.holds() {
		if c.goesOn(now, h) {
			c.runs.Doubt()
			c.news = true
			c.schedule.Soon(now)
		}
	}
}

// goesOn says whether what one of them holds goes on from now on.
func (c *care) goesOn(now time.Time, h *hold.Hold) bool {
	held := h.Current()
	switch {
	case held == nil:
		return false
	case c.world.Approved(c.birds.daemon.Dir, held.Token):
		h.Approve()
		c.log.Warn("what was held back is approved", "hash", held.Hash)
	case h.Expire(now):
		c.log.Warn("what was held back goes on: its time is over", "hash", held.Hash)
	default:
		return false
	}
	return true
}

// commandsRan has how a set's reload commands went.
func (c *care) commandsRan(now time.Time, e commandsRan) {
	c.lanes.queue(Order{Action: Ran, For: ForCommand, Set: e.set, Err: e.err})
}

// ran has what the set is after its commands.
func (c *care) ran(now time.Time, done Done) {
	c.lanes.ran(done.Set)
	if !c.of(done.Set).Files.IsInstalled(done.Set.Hash()) {
		return // another set is in place by now, whose commands are another matter
	}
	c.note(now, done)
	if done.Err != nil {
		c.runs.Doubt()
		c.fail(now, done.Err)
		return
	}
	c.recovered(now)
}
