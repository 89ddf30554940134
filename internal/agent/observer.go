package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/internal/fleet"
	"confd/internal/metrics"
	"confd/internal/notify"
	"confd/internal/report"
	"confd/internal/serve"
	"confd/internal/settings"
	"confd/internal/topology"
	"confd/reload/control"
)

// How often a report is made at most where something of weight may have changed (a
// revision is of none), and how often where only that did. Its file is written where
// something has; a change gets reportPatience to go live before it is said there that
// it has not.
const (
	reportEvery     = 500 * time.Millisecond
	reportEveryIdle = time.Minute
	reportPatience  = time.Second
)

// maxBeat is how long the loop may be at one thing before it is taken for hung.
const maxBeat = 3 * time.Minute

// observer has what others see of the loop: the report, metrics, and word to
// systemd. The loop alone makes reports; whoever asks reads the last one.
type observer struct {
	log       *slog.Logger
	node      string
	program   string // the version
	metrics   *metrics.Metrics
	notifier  *notify.Notifier
	readyFile string
	group     int // of the report's file; -1: this process's
	last      atomic.Pointer[report.Report]
	file      report.Writer
	beat      atomic.Pointer[time.Time] // when the loop turned last; nil: never
	written   time.Time
	// filed is the report in the file; nil: that is not known. owed is since when it says
	// what is not so any more; zero: it does not.
	filed *report.Report
	owed  time.Time
	page  *page
	// failed is why a file could not be written last, by what was said of it.
	failed map[string]string
}

// newObserver makes the observer of a run of a program of that version. usage reads
// the use of the IP pools; nil: nobody does.
func newObserver(s settings.Settings, program string, usage backends.UsageReader, log *slog.Logger) *observer {
	o := &observer{log: log, node: s.Node, program: program, notifier: notify.New(log), readyFile: s.Watch.ReadyFile, group: s.Templates.Group, failed: map[string]string{}}
	options := metrics.Options{Version: program, Node: s.Node, Report: o.last.Load, PerSession: s.Watch.Sessions, Log: log}
	if usage != nil && s.Watch.IPAM {
		options.IPAM = func(ctx context.Context) (backends.Usage, error) { return usage.Usage(ctx, s.Node) }
	}
	o.metrics = metrics.New(options)
	return o
}

// start serves what is observed, where somebody wants that.
func (o *observer) start(ctx context.Context, g *errgroup.Group, s settings.Watch) error {
	if s.Listen == "" {
		return nil
	}
	l, err := serve.Listen(s.Listen)
	if err != nil {
		return err
	}
	handlers := serve.Handlers{
		Page: o.topology(s), Metrics: o.metrics.Handler(), Report: o.last.Load, PProf: s.PProf, Log: o.log, MaxBeat: maxBeat,
		Beat: o.turnedAt,
	}
	handlers.Status = fleet.Handler(fleet.Source{Node: o.node, Program: o.program, Report: o.last.Load, Still: handlers.Still})
	if s.Certificates.InUse() {
		if handlers.TLS, err = s.Certificates.Server(); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	o.log.Info("serving metrics and probes", "listen", l.Addr().String(), "tls", s.Certificates.InUse())
	o.turned()
	g.Go(func() error { return serve.Serve(ctx, l, handlers) })
	g.Go(func() error { o.metrics.WatchIPAM(ctx); return nil })
	return nil
}

// topology serves the cluster's picture; nil: nobody wants it.
func (o *observer) topology(s settings.Watch) http.Handler {
	if !s.Topology {
		return nil
	}
	return &topology.Page{Now: o.page.now}
}

// turned notes that the loop turns.
func (o *observer) turned() {
	now := time.Now() // which holds where the clock is set
	o.beat.Store(&now)
	o.notifier.Beat()
}

// turnedAt is when the loop turned last; zero: never.
func (o *observer) turnedAt() time.Time {
	if at := o.beat.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// stop says that the program ends: it is not ready any more.
func (o *observer) stop() {
	o.notifier.Stopping()
	if err := notify.ReadyFile(o.readyFile, false); err != nil {
		o.log.Warn("the file that says whether this program is ready stays", "error", err)
	}
}

// isDue says whether a report is due; news: something of weight has changed.
func (o *observer) isDue(now time.Time, news bool) bool {
	since := now.Sub(o.written)
	return since >= reportEvery && (news || !o.owed.IsZero() || since >= reportEveryIdle)
}

// hurry has what the file is owed wait no longer; false: it is owed nothing.
func (o *observer) hurry() bool {
	if o.owed.IsZero() {
		return false
	}
	o.filed = nil
	return true
}

// publish has others see a report; in a folder, where one is known.
func (o *observer) publish(now time.Time, r *report.Report, folder string) {
	o.last.Store(r)
	o.written = now
	if r.Ready {
		o.notifier.Ready()
		o.notifier.Status(fmt.Sprintf("in step, %d sessions configured", len(r.Sessions)))
	} else if len(r.NotReady) > 0 {
		o.notifier.Status("not ready: " + r.NotReady[0])
	}
	o.complain("the file that says whether this program is ready is not as it should be", notify.ReadyFile(o.readyFile, r.Ready))
	if folder != "" {
		o.intoFile(r, folder)
	}
}

// intoFile writes a report into its file, unless that says the same, or all was as it
// should be and a change is about to go live. One change after the other is no reason to
// wait longer.
func (o *observer) intoFile(r *report.Report, folder string) {
	owed := o.owed
	o.owed = time.Time{}
	if o.filed != nil && r.At.Sub(o.filed.At) < reportEveryIdle {
		if r.Says(o.filed) {
			return
		}
		if owed.IsZero() {
			owed = r.At
		}
		if o.filed.Ready && r.GoesLive(reportPatience) && len(r.NotReady) <= underWay(r.Sets) && r.At.Sub(owed) < reportPatience {
			o.owed = owed
			return
		}
	}
	err := o.file.Write(r, folder, o.group)
	if o.filed = r; err != nil {
		o.filed = nil
	}
	o.complain("confd status cannot see how this program stands", err)
}

// underWay is how many sets are not ready for no other reason than that BIRD has yet to
// confirm them.
func underWay(sets []report.Set) (n int) {
	for _, s := range sets {
		if notYet(s) && s.Error == "" && s.State != control.Absent.String() {
			n++
		}
	}
	return n
}

// complain logs what is wrong with a file, once; nil: nothing is any more.
func (o *observer) complain(about string, err error) {
	if err == nil {
		delete(o.failed, about)
		return
	}
	if text := sameKind(err.Error()); o.failed[about] != text {
		o.failed[about] = text
		o.log.Warn(about, "error", err)
	}
}
