package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/metrics"
	"confd/internal/notify"
	"confd/internal/report"
	"confd/internal/serve"
	"confd/internal/settings"
	"confd/reload"
	"confd/reload/control"
)

// How often the report's file is written at most where something of weight
// changed (a revision is of none), and how often where only that did.
const (
	reportEvery     = 500 * time.Millisecond
	reportEveryIdle = time.Minute
)

// maxBeat is how long the loop may be at one thing before it is taken for hung:
// a check, the wait for BIRD, and reload commands may each take their time.
const maxBeat = 3 * time.Minute

// observer has what others see of the daemon: the report, metrics, and word to
// systemd. The loop alone makes reports; whoever asks reads the last one.
type observer struct {
	log      *slog.Logger
	metrics  *metrics.Metrics
	notifier *notify.Notifier
	last     atomic.Pointer[report.Report]
	beat     atomic.Int64 // when the loop turned last, in Unix nanoseconds

	dirty   bool // something of weight is not in the report yet
	written time.Time
	// failed is why a file could not be written last, by what was said of it.
	failed map[string]string
}

// newObserver makes the observer of a run. usage reads the use of the IP pools;
// nil: nobody does.
func newObserver(s settings.Settings, usage backends.UsageReader, log *slog.Logger) *observer {
	o := &observer{log: log, notifier: notify.New(log), failed: map[string]string{}}
	options := metrics.Options{Version: version(), Node: s.Node, Report: o.last.Load, PerSession: s.Watch.Sessions, Log: log}
	if usage != nil && s.Watch.IPAM {
		options.IPAM = func(ctx context.Context) (backends.Usage, error) { return usage.Usage(ctx, s.Node) }
	}
	o.metrics = metrics.New(options)
	return o
}

// start serves what is observed, where somebody wants that.
func (o *observer) start(ctx context.Context, g *errgroup.Group, s settings.Settings) error {
	if s.Watch.Listen == "" {
		return nil
	}
	l, err := serve.Listen(s.Watch.Listen)
	if err != nil {
		return err
	}
	o.log.Info("serving metrics and probes", "listen", l.Addr().String())
	o.turned()
	g.Go(func() error {
		return serve.Serve(ctx, l, serve.Handlers{
			Metrics: o.metrics.Handler(), Report: o.last.Load, PProf: s.Watch.PProf, Log: o.log, MaxBeat: maxBeat,
			Beat: func() time.Time { return time.Unix(0, o.beat.Load()) },
		})
	})
	g.Go(func() error { o.metrics.WatchIPAM(ctx); return nil })
	return nil
}

// changed says that the report is old.
func (o *observer) changed() { o.dirty = true }

// turned notes that the loop turns.
func (o *observer) turned() {
	o.beat.Store(time.Now().UnixNano())
	o.notifier.Beat()
}

// stop says that the program ends: it is not ready any more.
func (o *observer) stop(readyFile string) {
	o.notifier.Stopping()
	if err := notify.ReadyFile(readyFile, false); err != nil {
		o.log.Warn("the file that says whether this program is ready stays", "error", err)
	}
}

// setStanding is what the loop knows of one set besides what it asked for.
type setStanding struct {
	// The hashes of what should run, is on disk, and is confirmed.
	rendered, installed, confirmed string

	revision string    // the datastore's, of what is confirmed
	at       time.Time // of confirmation
	// unrepaired: what has drifted could not be put right.
	unrepaired bool
	// reconfigured and rebooted are BIRD's own times.
	reconfigured, rebooted time.Time
	trial                  time.Time // when its trial ends
	err                    string
	drifts                 int
	// found is what was found changed and is not put right yet, in words.
	found string
	// bird is the state of its BIRD, version what it says of itself.
	bird, version string
	// started is what the BIRD that runs was started with, as far as it takes
	// that only then; nil: not known. needs is what it must be restarted for, as it
	// was logged last.
	started *bgp.Config
	needs   string
}

// publish makes the report, and writes it where it is due.
func (d *daemon) publish() {
	o := d.observer
	now := time.Now()
	since := now.Sub(o.written)
	if since < reportEvery || !o.dirty && since < reportEveryIdle {
		return
	}
	r := d.report(now)
	o.last.Store(r)
	o.dirty, o.written = false, now
	o.told(r, d.node.settings.Watch.ReadyFile)
	if d.birds.Dir == "" {
		return
	}
	o.complain("confd status cannot see how this program stands", r.Write(d.birds.Dir))
}

// complain logs what is wrong with a file, once; nil: nothing is any more.
func (o *observer) complain(about string, err error) {
	if err == nil {
		delete(o.failed, about)
		return
	}
	if text := numbers.ReplaceAllString(err.Error(), "N"); o.failed[about] != text {
		o.failed[about] = text
		o.log.Warn(about, "error", err)
	}
}

// told passes on whether the program is ready.
func (o *observer) told(r *report.Report, readyFile string) {
	if r.Ready {
		o.notifier.Ready()
		o.notifier.Status(fmt.Sprintf("in step, %d sessions configured", len(r.Sessions)))
	} else if len(r.NotReady) > 0 {
		o.notifier.Status("not ready: " + r.NotReady[0])
	}
	o.complain("the file that says whether this program is ready is not as it should be", notify.ReadyFile(readyFile, r.Ready))
}

// report says where the daemon stands.
func (d *daemon) report(now time.Time) *report.Report {
	r := &report.Report{
		Program: version(), Node: d.node.settings.Node, PID: os.Getpid(), Started: d.began, At: now,
		Sources: d.in.report(), Pending: d.since, Waiting: d.waiting, Failure: d.failures.last, Held: d.held,
		Templates: d.brokenTemplates, Stale: d.boot,
		Problems: reportedProblems(d.problems), Quarantined: d.reportedQuarantine(),
	}
	if d.birds.Version.Major != 0 {
		r.BIRD = d.birds.Version.String()
	}
	if d.live != nil {
		r.Sessions, r.Blocks = d.liveSessions(), blocksOf(d.live.config)
	} else { // what BIRD has is from before
		r.Sessions, r.Blocks = d.before.Sessions, d.before.Blocks
	}
	r.Sets = d.reportedSets()
	r.NotReady = d.notReady(r)
	r.Ready = len(r.NotReady) == 0
	return r
}

// report says where the sources stand, by name.
func (in *intake) report() []report.Source {
	var list []report.Source
	for _, name := range slices.Sorted(maps.Keys(in.sources)) {
		s := in.sources[name]
		row := report.Source{Name: name, InSync: s.inSync, Since: s.since, Revision: s.revision}
		if s.err != nil {
			row.Error = s.err.Error()
		}
		list = append(list, row)
	}
	return list
}

func reportedProblems(problems []bgp.Problem) []report.Problem {
	var list []report.Problem
	for _, p := range problems {
		list = append(list, report.Problem{Object: p.Object.String(), Code: string(p.Code), Text: p.Text, LeftOut: p.LeftOut, Place: p.Place})
	}
	return list
}

func (d *daemon) reportedQuarantine() []report.Problem {
	if d.live == nil {
		return nil
	}
	var list []report.Problem
	for _, k := range sortedKeys(maps.Keys(d.live.quarantined)) {
		list = append(list, report.Problem{Object: k.String(), Text: d.live.quarantined[k], LeftOut: true})
	}
	return list
}

// liveSessions are the sessions of what is live. The list is made once for each
// configuration: there can be thousands.
func (d *daemon) liveSessions() []report.Session {
	if d.listed != d.live {
		d.listed, d.sessions = d.live, reportedSessions(d.live.config)
	}
	return d.sessions
}

func reportedSessions(cfg *bgp.Config) []report.Session {
	var list []report.Session
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			list = append(list, report.Session{
				Name: s.Name, Family: f.Version, Kind: string(s.Kind), Neighbor: s.Neighbor.String(), Port: s.Port, AS: s.AS,
				PeerNode: s.PeerNode, Passive: s.Passive, Object: s.Reason.Object.String(), Why: s.Reason.Text,
			})
		}
	}
	return list
}

func blocksOf(cfg *bgp.Config) []string {
	var list []string
	for _, f := range cfg.Families() {
		for _, b := range f.Export.Blocks {
			list = append(list, b.String())
		}
	}
	return list
}

func (d *daemon) reportedSets() []report.Set {
	var list []report.Set
	for _, s := range d.currentSets() {
		st := d.standing(s.Name)
		row := report.Set{
			Name: s.Name, Files: destinations([]reload.Set{s}), State: cmp.Or(st.bird, "unknown"), Version: st.version,
			Rendered: st.rendered, Installed: st.installed, Confirmed: st.confirmed, Revision: st.revision, ConfirmedAt: st.at,
			Reconfigured: st.reconfigured, Rebooted: st.rebooted, TrialEnds: st.trial, Error: st.err, Drifts: st.drifts,
			Started: listening(s.Name, st.started),
		}
		if s.Daemon != nil {
			row.Socket = s.Daemon.Socket
		}
		if d.settled() && st.confirmed == st.rendered {
			// What came since then makes no difference here.
			row.Revision = cmp.Or(d.in.revision(), st.revision)
		}
		if d.live != nil && st.started != nil && st.bird != control.Absent.String() {
			row.RestartNeeded = d.restartNeeded(s.Name, st.started)
		}
		list = append(list, row)
	}
	return list
}

// settled says that all that has arrived is in what is live.
func (d *daemon) settled() bool {
	return d.live != nil && d.since.IsZero() && d.trial == nil && d.held == nil && d.failures.tries == 0 && d.waiting == ""
}

// restartNeeded is what the BIRD of a set takes only when it starts.
func (d *daemon) restartNeeded(set string, started *bgp.Config) []string {
	family := fmt.Sprintf("IPv%d ", familyOf(set, started).Version)
	return slices.DeleteFunc(bgp.NeedsRestart(started, d.live.config, d.birds.Version.Major), func(text string) bool {
		return !strings.HasPrefix(text, family)
	})
}

// currentSets are those that are in place, or were last to be, or lay there.
func (d *daemon) currentSets() []reload.Set {
	switch {
	case d.trial != nil:
		return d.trial.sets
	case d.live != nil:
		return d.live.sets
	case d.last != nil:
		return d.last
	}
	return d.found
}

// inPlace is the configuration that lies on disk; nil: that is not known.
func (d *daemon) inPlace() *bgp.Config {
	if d.trial != nil {
		return d.trial.config
	}
	return d.liveConfig()
}

func (d *daemon) standing(set string) *setStanding {
	st := d.standings[set]
	if st == nil {
		st = &setStanding{}
		d.standings[set] = st
	}
	return st
}

// notReady says what is missing until everything is as it should be.
func (d *daemon) notReady(r *report.Report) []string {
	var list []string
	for _, s := range r.Sources {
		if !s.InSync {
			list = append(list, "datastore "+s.Name+" is out of step: "+cmp.Or(s.Error, "it has not told its whole state"))
		}
	}
	if r.Stale != nil {
		list = append(list, r.Stale.Why+": BIRD runs on files of "+r.Stale.Confirmed.Format(time.RFC3339))
	}
	if r.Held != nil {
		list = append(list, "a change is held back: "+heldText(*r.Held))
	}
	if d.live != nil && !d.in.complete() {
		list = append(list, "waiting for what is needed: "+d.in.missing().Error())
	}
	if r.Waiting != "" {
		list = append(list, "waiting: "+r.Waiting)
	}
	if d.live == nil && d.trial == nil && r.Stale == nil {
		list = append(list, "no configuration is in place yet")
	}
	if r.Failure != "" {
		list = append(list, "not applied: "+r.Failure)
	}
	for _, s := range r.Sets {
		if s.Rendered != "" && s.Confirmed != s.Rendered && s.TrialEnds.IsZero() && !d.needless(s) {
			list = append(list, "set "+s.Name+": BIRD has not confirmed what should run"+after(": ", s.Error))
		}
		if away := []string{control.Absent.String(), control.Hung.String(), control.Restarting.String()}; slices.Contains(away, s.State) && !d.needless(s) {
			list = append(list, "set "+s.Name+": BIRD is "+s.State)
		}
	}
	return list
}

// needless says that a set's BIRD is not there, and that nobody misses it.
func (d *daemon) needless(s report.Set) bool {
	return s.State == control.Absent.String() && s.Error == "" && !d.missed(s.Name)
}

// missed says whether a set is of use: of BIRD 1's two daemons, that of an
// address family which the node does not have is not.
func (d *daemon) missed(set string) bool { return d.live == nil || d.missedFor(d.live.config, set) }

func (d *daemon) missedFor(cfg *bgp.Config, set string) bool {
	return d.birds.Version.Major != 1 || familyOf(set, cfg).Address.IsValid()
}

// after puts sign before a text that is not empty.
func after(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + text
}

func sortedKeys(keys iter.Seq[backends.Key]) []backends.Key {
	return slices.SortedFunc(keys, func(a, b backends.Key) int { return a.Compare(b) })
}
