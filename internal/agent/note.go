package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"confd/bgp"
	"confd/internal/known"
	"confd/internal/metrics"
	"confd/internal/report"
	"confd/internal/rollout"
	"confd/reload"
	"confd/reload/control"
)

// note notes what came of applying a set, or of having it read again: it is called
// once for each order that does so.
func (d *desk) note(now time.Time, done Done) {
	s, r := done.Set, done.Result
	of := d.of(s)
	d.count(done)
	d.news = true
	if done.Err != nil {
		of.Files.Erred(done.Err)
		if s.Daemon != nil {
			of.BIRD.Failing(done.Err)
		}
		return
	}
	of.Files.Done(now, r, s.Mark)
	if s.Daemon != nil {
		was := of.BIRD.Health()
		of.BIRD.Told(r)
		d.logAnswers(s, was)
	}
	if len(r.Commands) > 0 {
		d.lanes.run(s, r.Commands)
	}
}

// logAnswers says that a BIRD answers again which did not.
func (d *desk) logAnswers(s reload.Set, was control.Health) {
	if is := d.of(s).BIRD.Health(); is != was && is != control.Hung && (was == control.Hung || was == control.Busy) {
		d.log.Info("BIRD answers again", "set", s.Name, "state", is.String(), "was", was.String())
	}
}

// count counts what came of a set.
func (d *desk) count(done Done) {
	err := done.Err
	switch {
	case err == nil && !done.Result.Checked.IsZero():
		d.metrics.Checked(metrics.CheckOK)
	case rollout.IsRefusal(err):
		d.metrics.Checked(metrics.CheckRefused)
		return
	case errors.Is(err, reload.ErrCannotCheck):
		d.metrics.Checked(metrics.CheckImpossible)
		return
	}
	if result := reloadResult(done.Result, err); result != "" {
		d.metrics.Reloaded(done.Set.Name, result)
	}
}

// reloadResult is what came of having BIRD read a set; empty: it was not told.
func reloadResult(r reload.Result, err error) string {
	switch {
	case err == nil && r.State == reload.Confirmed:
		return metrics.ReloadConfirmed
	case err == nil && r.State == reload.Installed && len(r.Changed) > 0:
		return metrics.ReloadInstalled
	case err == nil:
		return ""
	case errors.As(err, new(*reload.UndoneError)):
		return metrics.ReloadUndone
	case errors.As(err, new(*reload.RefusedError)):
		return metrics.ReloadRefused
	}
	switch control.HealthOf(err) {
	case control.Hung:
		return metrics.ReloadHung
	case control.Busy:
		return metrics.ReloadBusy
	case control.Restarting:
		return metrics.ReloadRestarting
	case control.Absent:
		return metrics.ReloadNotRunning
	}
	return metrics.ReloadFailed
}

// noteEvent notes that a BIRD came or went. One that came up is to be told; where
// that is the first thing that is known of it, it is no restart.
func (d *desk) noteEvent(e control.Event) {
	d.news = true
	set := d.setAt(e.Socket)
	b := &d.known.Of(set).BIRD
	if !e.Up {
		d.logAway(e, b.WasUp())
		b.WentAway(e.At, e.Err)
		return
	}
	d.log.Info("BIRD is up", "socket", e.Socket, "version", e.Version)
	switch b.CameUp(e.At, e.Version) {
	case known.Restarted:
		d.metrics.Drift(metrics.DriftRestart)
		d.known.Of(set).Files.Counted()
		b.StartedWith(d.inPlace())
	case known.Fresh:
		b.StartedWith(d.inPlace())
	}
}

// logAway says that a BIRD is not there. That nobody misses it, or that it is being
// started, is no reason to worry.
func (d *desk) logAway(e control.Event, wasUp bool) {
	level := slog.LevelWarn
	if d.children.Has(e.Socket) && !wasUp || !d.missed(d.setAt(e.Socket)) {
		level = slog.LevelInfo
	}
	d.log.Log(context.Background(), level, "BIRD is not up", "socket", e.Socket, "error", e.Err)
}

// noteStarted notes what each BIRD was started with, where it is not known: what it
// took only then does not change when it is reconfigured.
func (d *desk) noteStarted(before *report.Report) {
	for _, s := range d.runs.Current() {
		of := d.of(s)
		if of.BIRD.Started() == nil {
			of.BIRD.StartedWith(startedBefore(before, s.Name, of.BIRD.Rebooted(), d.runs.Running().ConfigOrNil()))
		}
		needs := strings.Join(d.restartNeeded(s.Name, of.BIRD.Started()), ", ")
		if of.BIRD.Needs(needs) {
			d.log.Warn("BIRD must be restarted: it takes this only when it starts", "set", s.Name, "setting", needs)
		}
	}
}

// startedBefore is what a BIRD was started with: cfg, or, where it has been running
// since before this program, what the last report knows.
func startedBefore(before *report.Report, set string, rebooted time.Time, cfg *bgp.Config) *bgp.Config {
	if before == nil {
		return cfg
	}
	for _, old := range before.Sets {
		if old.Name == set && old.Started != nil && !old.Rebooted.IsZero() && old.Rebooted.Sub(rebooted).Abs() < 2*time.Second {
			return startedWith(*old.Started, set, cfg)
		}
	}
	return cfg
}

// startedWith is cfg with the listening of then.
func startedWith(then report.Listening, set string, cfg *bgp.Config) *bgp.Config {
	c := *cfg
	f := known.FamilyOf(set, &c)
	f.ListenPort = then.Port
	f.ListenAddress, _ = netip.ParseAddr(then.Address) // empty: all
	return &c
}

// restartNeeded is what the BIRD of a set takes only when it starts.
func (d *desk) restartNeeded(set string, started *bgp.Config) []string {
	running := d.runs.Running().ConfigOrNil()
	if running == nil || started == nil {
		return nil
	}
	family := known.FamilyOf(set, started).Version
	var list []string
	for _, text := range bgp.NeedsRestart(started, running, d.birds.daemon.Version.Major) {
		if strings.HasPrefix(text, [...]string{4: "IPv4 ", 6: "IPv6 "}[family]) {
			list = append(list, text)
		}
	}
	return list
}
