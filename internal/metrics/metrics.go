// Package metrics counts what the program does, and says it in the way of
// Prometheus, together with where the program stands and how BIRD's sessions
// are.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"confd/backends"
	"confd/internal/report"
)

// What can come of a rendering.
const (
	RenderOK     = "ok"
	RenderFailed = "failed"
)

// What can come of a check.
const (
	CheckOK         = "ok"
	CheckRefused    = "refused"
	CheckImpossible = "impossible" // nobody could check
)

// What can come of a reload.
const (
	ReloadConfirmed  = "confirmed"
	ReloadInstalled  = "installed" // BIRD was not up: it reads the set when it starts
	ReloadRefused    = "refused"
	ReloadHung       = "hung"
	ReloadBusy       = "busy"
	ReloadRestarting = "restarting"
	ReloadNotRunning = "not_running"
	ReloadUndone     = "undone" // the guard had BIRD go back
	ReloadFailed     = "failed" // anything else
)

// What can be found changed.
const (
	DriftFile         = "file"         // a file on disk is another one
	DriftRestart      = "restart"      // BIRD was started again
	DriftReconfigured = "reconfigured" // somebody else had BIRD read its file
	DriftNetwork      = "network"      // BIRD had forgotten a network that the node is in
	DriftPort         = "port"         // BIRD had given up sessions that it could not listen for
	DriftRoute        = "route"        // the kernel had an older route of BIRD's
)

// Stages are the times that one change took on its way into BIRD: Gather from
// the first change until its computation began, then one after the other. A
// stage that was not gone through is 0 and not counted. Total is from the first
// change to BIRD's confirmation.
type Stages struct{ Gather, Compute, Render, Check, Swap, Confirm, Total time.Duration }

// Metrics is a registry of its own, with all the metrics of the program. Its
// methods can be called from any goroutine, and none waits for a scrape.
type Metrics struct {
	registry *prometheus.Registry
	ipam     *ipam
	sessions *sessions

	total, stages            *prometheus.HistogramVec
	renders, checks, reloads *prometheus.CounterVec
	drifts, childRestarts    *prometheus.CounterVec
	retries, holds           prometheus.Counter
}

// New makes Metrics, and reads nothing yet.
func New(o Options) *Metrics {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Report == nil {
		o.Report = func() *report.Report { return nil }
	}
	defs := byName(Definitions())
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		sessions:      newSessions(o, defs),
		total:         defs.histograms("confd_apply_duration_seconds"),
		stages:        defs.histograms("confd_apply_stage_duration_seconds"),
		renders:       defs.counters("confd_renders_total"),
		checks:        defs.counters("confd_checks_total"),
		reloads:       defs.counters("confd_reloads_total"),
		drifts:        defs.counters("confd_drifts_total"),
		childRestarts: defs.counters("confd_child_restarts_total"),
		retries:       defs.counters("confd_retries_total").WithLabelValues(),
		holds:         defs.counters("confd_holds_total").WithLabelValues(),
	}
	m.start()
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.total, m.stages, m.renders, m.checks, m.reloads, m.drifts, m.childRestarts, m.retries, m.holds,
		newState(o, defs), m.sessions,
	)
	if o.IPAM != nil {
		m.ipam = newIPAM(o, defs)
		m.registry.MustRegister(m.ipam)
	}
	return m
}

// start has what is counted begin at 0, so that the first time is seen as one.
func (m *Metrics) start() {
	for _, stage := range []string{"gather", "compute", "render", "check", "swap", "confirm"} {
		m.stages.WithLabelValues(stage)
	}
	startAt0(m.renders, RenderOK, RenderFailed)
	startAt0(m.checks, CheckOK, CheckRefused, CheckImpossible)
	startAt0(m.drifts, DriftFile, DriftRestart, DriftReconfigured, DriftRoute, DriftNetwork, DriftPort)
}

func startAt0(c *prometheus.CounterVec, values ...string) {
	for _, v := range values {
		c.WithLabelValues(v)
	}
}

// Sets has the reloads of these sets begin at 0. It may be called again.
func (m *Metrics) Sets(names ...string) {
	for _, name := range names {
		m.total.WithLabelValues(name)
		for _, result := range []string{ReloadConfirmed, ReloadInstalled, ReloadRefused, ReloadHung, ReloadBusy,
			ReloadRestarting, ReloadNotRunning, ReloadUndone, ReloadFailed} {
			m.reloads.WithLabelValues(name, result)
		}
	}
}

// Children has the restarts of these children begin at 0.
func (m *Metrics) Children(names ...string) {
	for _, name := range names {
		m.childRestarts.WithLabelValues(valid(name))
	}
}

// Applied notes that BIRD has confirmed a set, and how long that took.
func (m *Metrics) Applied(set string, s Stages) {
	m.total.WithLabelValues(set).Observe(s.Total.Seconds())
	for stage, took := range map[string]time.Duration{
		"gather": s.Gather, "compute": s.Compute, "render": s.Render, "check": s.Check, "swap": s.Swap, "confirm": s.Confirm,
	} {
		if took > 0 {
			m.stages.WithLabelValues(stage).Observe(took.Seconds())
		}
	}
}

// Rendered counts a rendering: RenderOK or RenderFailed.
func (m *Metrics) Rendered(result string) { m.renders.WithLabelValues(result).Inc() }

// Checked counts a check: one of the Check constants.
func (m *Metrics) Checked(result string) { m.checks.WithLabelValues(result).Inc() }

// Reloaded counts a try to have BIRD take a set: one of the Reload constants.
func (m *Metrics) Reloaded(set, result string) { m.reloads.WithLabelValues(set, result).Inc() }

// Drift counts something that was found changed and put right: one of the Drift
// constants.
func (m *Metrics) Drift(kind string) { m.drifts.WithLabelValues(kind).Inc() }

// Held counts a configuration that was held back.
func (m *Metrics) Held() { m.holds.Inc() }

// Retry counts another try of something that had failed.
func (m *Metrics) Retry() { m.retries.Inc() }

// ChildRestarted counts a child that was started again.
func (m *Metrics) ChildRestarted(name string) { m.childRestarts.WithLabelValues(valid(name)).Inc() }

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError})
}

// Gatherer is where the metrics can be read.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// WatchIPAM reads the use of the pools now and then, less often where there is
// more to read, until ctx ends. Scrapes never wait for it. It returns at once
// where Options.IPAM is nil.
func (m *Metrics) WatchIPAM(ctx context.Context) {
	if m.ipam == nil {
		return
	}
	for backends.Sleep(ctx, m.ipam.refresh(ctx)) {
	}
}
