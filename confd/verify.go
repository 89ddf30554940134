package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"confd/bgp"
	"confd/internal/metrics"
	"confd/internal/report"
	"confd/reload"
	"confd/reload/control"
)

// verify looks whether what was put in place is still there, and BIRD still uses
// it, and puts right what is not.
func (d *daemon) verify(ctx context.Context) {
	now := time.Now()
	if d.onTrial() || now.Before(d.checkAt) {
		return
	}
	d.checkAt = now.Add(d.node.settings.Timing.Verify)
	sets := d.inUse()
	if sets == nil {
		sets = d.last // how their BIRDs are
	}
	for _, s := range sets {
		drift, err := d.applier.Verify(ctx, s)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.log.Debug("looking whether all is as it was left", "set", s.Name, "error", err)
		}
		d.noteHealth(s, drift)
		st := d.standing(s.Name)
		switch {
		case st.installed != s.Hash():
			// Another set of the same change has failed: this one is ahead. Or nobody
			// is there to check it.
		case !drift.Any() && (!st.unrepaired || !d.unasked()):
			st.found = ""
		case !drift.Any() && drift.BIRD != control.Up:
			// What could not be put right is tried again when BIRD is there.
		case drift.BIRD != control.Busy && d.inUse() != nil:
			d.repair(ctx, s, drift)
		}
	}
}

// unasked says that nothing is applied just now which would put right, too, what
// is not: nobody knows what should run, or it is held.
func (d *daemon) unasked() bool { return d.live == nil || d.held != nil || !d.in.complete() }

// noteHealth notes how BIRD is. One that answers again is told at once what it
// could not be told before.
func (d *daemon) noteHealth(s reload.Set, drift reload.Drift) {
	if s.Daemon == nil || s.Daemon.Socket == "" {
		return
	}
	st := d.standing(s.Name)
	was := st.bird
	st.bird, st.version = drift.BIRD.String(), drift.Version
	if st.bird == was {
		return
	}
	d.observer.changed()
	switch {
	case drift.BIRD == control.Hung:
		d.log.Error("BIRD does not answer: it takes connections only", "set", s.Name, "socket", s.Daemon.Socket)
	case was == control.Hung.String() || was == control.Busy.String():
		d.log.Info("BIRD answers again", "set", s.Name, "state", st.bird, "was", was)
	}
	if drift.BIRD == control.Up && d.failures.tries > 0 {
		d.pace.soon(time.Now())
	}
}

// repair puts right what has drifted, or, where nothing has, what it could not put
// right before. A BIRD that came up has an event, too, with which it is told: that
// is waited for where the datastore is known.
func (d *daemon) repair(ctx context.Context, s reload.Set, drift reload.Drift) {
	st := d.standing(s.Name)
	first, up := drift.Any() && st.found != drift.String(), drift.Restarted && len(drift.Files) == 0
	if drift.Any() {
		st.found = drift.String()
	}
	if up && d.in.complete() && (first || d.restarted[s.Daemon.Socket]) {
		if _, pending := d.pace.pending(); !first && !pending {
			d.pace.soon(time.Now())
		}
		return
	}
	if first || up {
		d.noteDrift(s, drift)
	}
	if drift.Restarted && s.Daemon != nil {
		d.restarted[s.Daemon.Socket] = true
	}
	r, err := d.mend(ctx, s, drift)
	if d.forNobody(err, d.liveConfig(), s.Name) {
		st.installed = ""
		return
	}
	d.noteResult(s, r, err)
	st.unrepaired = err != nil
	if err != nil {
		level := slog.LevelDebug
		if first || up {
			level = slog.LevelError
		}
		d.log.Log(ctx, level, "not put right: trying again", "set", s.Name, "error", err)
		d.dirty = true
		d.fail(err)
		return
	}
	st.found = ""
	d.log.Info("put right", "set", s.Name, "state", r.State.String())
}

// noteDrift counts what was found changed. A restart is counted where BIRD is
// seen to come up.
func (d *daemon) noteDrift(s reload.Set, drift reload.Drift) {
	for kind, found := range map[string]bool{
		metrics.DriftFile: len(drift.Files) > 0, metrics.DriftReconfigured: drift.Reconfigured,
	} {
		if found {
			d.observer.metrics.Drift(kind)
		}
	}
	d.standing(s.Name).drifts++
	d.log.Warn("not as it was left: putting it right", "set", s.Name, "found", drift.String())
}

func (d *daemon) mend(ctx context.Context, s reload.Set, drift reload.Drift) (reload.Result, error) {
	s.Guard = nil
	if len(drift.Files) > 0 || !drift.Any() {
		r, err := d.applier.Apply(ctx, s)
		if err != nil || !drift.Restarted && !drift.Reconfigured {
			return r, err
		}
	}
	r, err := d.applier.Reconfigure(ctx, s)
	if err == nil && s.Daemon != nil {
		delete(d.restarted, s.Daemon.Socket)
	}
	return r, err
}

// noteBird notes that a BIRD came or went.
func (d *daemon) noteBird(e control.Event) {
	for _, s := range d.currentSets() {
		if s.Daemon == nil || s.Daemon.Socket != e.Socket {
			continue
		}
		st := d.standing(s.Name)
		st.bird, st.version = control.HealthOf(e.Err).String(), e.Version
	}
	d.observer.changed()
}

// noteResult notes what came of applying a set, or of having it read again.
func (d *daemon) noteResult(s reload.Set, r reload.Result, err error) {
	st := d.standing(s.Name)
	st.err = ""
	d.countResult(s, r, err)
	if err != nil {
		st.err = err.Error()
		if h := control.HealthOf(err); h != control.HealthUnknown && h != control.Up {
			st.bird = h.String()
		}
		if undone := (*reload.UndoneError)(nil); errors.As(err, &undone) {
			st.trial = time.Time{}
			if undone.Restored {
				st.installed = st.confirmed
			}
		}
		d.observer.changed()
		return
	}
	if s.Daemon != nil && !r.Confirmed.IsZero() {
		d.seenAt(s.Daemon.Socket).told = r.Confirmed
	}
	st.installed, st.trial, st.unrepaired = r.Hash, r.TrialEnds, false
	if r.Version != "" {
		st.version, st.bird = r.Version, control.Up.String()
	}
	if r.State == reload.Confirmed || r.State == reload.Unchanged {
		if r.State == reload.Confirmed {
			st.at = time.Now()
		}
		st.confirmed, st.revision = r.Hash, s.Mark
		st.reconfigured, st.rebooted = r.Reconfigured, r.Rebooted
	}
	d.observer.changed()
}

// noteStarted notes what each BIRD was started with: what it took only then does
// not change when it is reconfigured.
func (d *daemon) noteStarted(cfg *bgp.Config) {
	for _, s := range d.currentSets() {
		st := d.standing(s.Name)
		if st.started == nil {
			st.started = d.startedBefore(s, st, cfg)
		}
		if st.started == nil {
			st.started = cfg
		}
		needs := strings.Join(d.restartNeeded(s.Name, st.started), ", ")
		if needs != "" && needs != st.needs {
			d.log.Warn("BIRD must be restarted: it takes this only when it starts", "set", s.Name, "setting", needs)
		}
		st.needs = needs
	}
}

// noteFresh notes that a BIRD has just started, with what lies on disk.
func (d *daemon) noteFresh(socket string) {
	for _, s := range d.currentSets() {
		if s.Daemon != nil && s.Daemon.Socket == socket {
			d.standing(s.Name).started = d.inPlace()
		}
	}
}

// startedBefore is what a BIRD that has been running since before this program
// was started with, as far as the last report knows.
func (d *daemon) startedBefore(s reload.Set, st *setStanding, cfg *bgp.Config) *bgp.Config {
	for _, old := range d.before.Sets {
		if old.Name == s.Name && !old.Rebooted.IsZero() && old.Rebooted.Sub(st.rebooted).Abs() < 2*time.Second {
			return startedWith(old.Started, s.Name, cfg)
		}
	}
	return nil
}

// startedWith is cfg with the listening of then.
func startedWith(then *report.Listening, set string, cfg *bgp.Config) *bgp.Config {
	if then == nil {
		return nil
	}
	c := *cfg
	f := familyOf(set, &c)
	f.ListenPort = then.Port
	f.ListenAddress, _ = netip.ParseAddr(then.Address) // empty: all
	return &c
}

// familyOf is the address family whose listening is that of a set's daemon.
func familyOf(set string, c *bgp.Config) *bgp.Family {
	if set == "bird6" {
		return &c.IPv6
	}
	return &c.IPv4
}

// listening is what a report keeps of what a BIRD was started with.
func listening(set string, started *bgp.Config) *report.Listening {
	if started == nil {
		return nil
	}
	f := familyOf(set, started)
	l := &report.Listening{Port: f.ListenPort}
	if f.ListenAddress.IsValid() {
		l.Address = f.ListenAddress.String()
	}
	return l
}
