package metrics

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"confd/internal/report"
)

// state says, when it is asked, what the newest report says.
type state struct {
	gauges
	report        func() *report.Report
	version, node string
}

func newState(o Options, defs definitions) *state {
	return &state{
		report: o.Report, version: o.Version, node: o.Node,
		gauges: defs.gauges("confd_build_info", "confd_ready", "confd_source_in_step", "confd_source_revision",
			"confd_source_server_info", "confd_source_server_connected_timestamp_seconds", "confd_source_server_lag_seconds",
			"confd_pending_age_seconds", "confd_held", "confd_held_sessions", "confd_lost_sessions", "confd_stale_age_seconds", "confd_templates_refused",
			"confd_config_info", "confd_config_in_step", "confd_config_revision", "confd_config_confirmed_timestamp_seconds",
			"confd_config_on_trial", "confd_config_restart_needed", "confd_bird_state", "confd_sessions_configured",
			"confd_routes_known", "confd_routes", "confd_routes_programmed", "confd_route_faults", "confd_bird_recovering",
			"confd_problem_objects", "confd_quarantined_objects", "confd_ipam_node_blocks"),
	}
}

// Collect is the other half of a prometheus.Collector.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	send := send(s.sender(ch))
	send("confd_build_info", 1, s.version, s.node)
	r := s.report()
	if r == nil {
		send("confd_ready", 0)
		return
	}
	now := time.Now()
	send("confd_ready", number(r.Ready))
	send("confd_pending_age_seconds", age(now, r.Pending))
	send.held(r.Held)
	send("confd_lost_sessions", float64(len(r.Lost)))
	send("confd_stale_age_seconds", staleAge(now, r.Stale))
	send("confd_templates_refused", number(r.Templates != ""))
	for _, source := range r.Sources {
		send("confd_source_in_step", number(source.InSync), source.Name)
		send.revision("confd_source_revision", source.Revision, source.Name)
		send.server(source)
	}
	for _, set := range r.Sets {
		send.set(set)
	}
	send.sessionsConfigured(r.Sessions)
	send.routes(r.Routes)
	send.objects(r)
	send.blocks(r.Blocks)
}

// age is how long ago something was, in seconds; 0 for what never was.
func age(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(0, now.Sub(then).Seconds())
}

func staleAge(now time.Time, s *report.Stale) float64 {
	if s == nil {
		return 0
	}
	return age(now, s.Confirmed)
}

func (send send) held(h *report.Held) {
	send("confd_held", number(h != nil))
	lost := 0
	if h != nil {
		lost = len(h.Lost)
	}
	send("confd_held_sessions", float64(lost))
}

// server sends what a source reads through.
func (send send) server(s report.Source) {
	if s.Server == nil {
		return
	}
	send("confd_source_server_info", 1, s.Name, s.Server.Address, s.Server.Version)
	send("confd_source_server_connected_timestamp_seconds", float64(s.Server.Since.Unix()), s.Name)
	send("confd_source_server_lag_seconds", s.Server.LagSeconds, s.Name)
}

// revision sends one that is a number.
func (send send) revision(name, text string, label string) {
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		send(name, float64(n), label)
	}
}

// birdStates are the states that a report knows of BIRD.
func birdStates() []string { return []string{"up", "absent", "hung", "busy", "restarting", "unknown"} }

func (send send) set(s report.Set) {
	send("confd_config_info", 1, s.Name, s.Confirmed, s.Version)
	send("confd_config_in_step", number(s.Confirmed != "" && s.Confirmed == s.Installed && s.Confirmed == s.Rendered), s.Name)
	send.revision("confd_config_revision", s.Revision, s.Name)
	confirmed := 0.0
	if !s.ConfirmedAt.IsZero() {
		confirmed = float64(s.ConfirmedAt.UnixMilli()) / 1000
	}
	send("confd_config_confirmed_timestamp_seconds", confirmed, s.Name)
	send("confd_config_on_trial", number(!s.TrialEnds.IsZero()), s.Name)
	send("confd_config_restart_needed", float64(len(s.RestartNeeded)), s.Name)
	for _, state := range birdStates() {
		send("confd_bird_state", number(s.State == state), s.Name, state)
	}
}

func (send send) sessionsConfigured(sessions []report.Session) {
	count := map[[2]string]int{}
	for _, s := range sessions {
		count[[2]string{strconv.Itoa(s.Family), kindOf(s.Kind)}]++
	}
	for labels, n := range count {
		send("confd_sessions_configured", float64(n), labels[0], labels[1])
	}
}

// objects counts each object once, for what is worst about it.
func (send send) objects(r *report.Report) {
	leftOut := map[string]bool{}
	for _, p := range r.Problems {
		leftOut[p.Object] = leftOut[p.Object] || p.LeftOut
	}
	problems := map[[2]string]int{}
	for object, out := range leftOut {
		effect := "noted"
		if out {
			effect = "left_out"
		}
		problems[[2]string{objectKind(object), effect}]++
	}
	for labels, n := range problems {
		send("confd_problem_objects", float64(n), labels[0], labels[1])
	}
	objects, quarantined := map[string]bool{}, map[string]int{}
	for _, q := range r.Quarantined {
		if !objects[q.Object] {
			objects[q.Object] = true
			quarantined[objectKind(q.Object)]++
		}
	}
	for kind, n := range quarantined {
		send("confd_quarantined_objects", float64(n), kind)
	}
}

// objectKind is the kind of an object that is written "Kind name".
func objectKind(object string) string {
	kind, _, _ := strings.Cut(object, " ")
	return kind
}

func (send send) blocks(blocks []string) {
	count := map[string]int{"4": 0, "6": 0}
	for _, b := range blocks {
		if p, err := netip.ParsePrefix(b); err == nil {
			count[family(p.Addr())]++
		}
	}
	for f, n := range count {
		send("confd_ipam_node_blocks", float64(n), f)
	}
}
