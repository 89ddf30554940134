package metrics

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"confd/backends"
	"confd/internal/report"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scrape is what /metrics answers, without comments and without what is not ours.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "confd_") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// want checks that each line is in the text.
func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("missing: %s", line)
			name, _, _ := strings.Cut(line, "{")
			for have := range strings.Lines(text) {
				if strings.HasPrefix(have, name) {
					t.Logf("there is: %s", have)
				}
			}
		}
	}
}

// full is a report that has something for each metric, at odds with itself.
func full(now time.Time) *report.Report {
	return &report.Report{
		Ready: true,
		Sources: []report.Source{{Name: "etcd", InSync: true, Revision: "4711"}, {Name: "workload", Revision: "x"}, {
			Name: "typha", Server: &report.Server{Address: "10.0.0.1:5473", Version: "v3", Since: time.Unix(1000, 0), LagSeconds: 2},
		}},
		Sets: []report.Set{
			{Name: "bird", State: "up", Version: "2.0.12", Rendered: "ab", Installed: "ab", Confirmed: "ab", Revision: "4700",
				ConfirmedAt: time.UnixMilli(1700000000500)},
			{Name: "bird6", State: "hung", Rendered: "cd", Installed: "cd", TrialEnds: now, RestartNeeded: []string{"port"}},
		},
		Routes: []report.Routes{
			{Set: "bird", At: now, Recovery: &report.Recovery{Until: now}, Wrong: map[string]int{"unreachable": 3},
				Tables: []report.Table{{Family: 4, Static: 1, Direct: 2, Kernel: 3, BGP: 4, Programmed: 5}, {Family: 6, Programmed: -1}}},
			{Set: "bird6", Unknown: "BIRD does not answer"},
		},
		Pending:   now.Add(-time.Hour),
		Held:      &report.Held{Lost: []string{"Mesh_1", "Mesh_2"}},
		Stale:     &report.Stale{Confirmed: now.Add(-2 * time.Hour)},
		Templates: "broken",
		Problems: []report.Problem{{Object: "BGPPeer a", Text: "1"}, {Object: "BGPPeer a", Text: "2", LeftOut: true},
			{Object: "BGPPeer b", Text: "1"}, {Object: "IPPool \xff", Text: "1"}},
		Quarantined: []report.Problem{{Object: "BGPFilter f", Text: "1"}, {Object: "BGPFilter f", Text: "2"}},
		Sessions: []report.Session{{Name: "Mesh_10_0_0_2", Family: 4, Kind: "Mesh"}, {Name: "Mesh_10_0_0_3", Family: 4, Kind: "Mesh"},
			{Name: "Local_Workload_fd00__1", Family: 6, Kind: "Local_Workload"}},
		Blocks: []string{"10.1.0.0/26", "10.1.0.64/26", "fd01::/122"},
	}
}

func TestStateComesFromTheReport(t *testing.T) {
	var now *report.Report
	m := New(Options{Version: "1.2", Node: "n1", Report: func() *report.Report { return now }})
	text := scrape(t, m)
	want(t, text, `confd_build_info{node="n1",version="1.2"} 1`, `confd_ready 0`)
	if strings.Contains(text, "confd_held") {
		t.Errorf("before the first report nothing is known:\n%s", text)
	}
	now = full(time.Now())
	text = scrape(t, m)
	want(t, text, `confd_ready 1`, `confd_held 1`, `confd_held_sessions 2`, `confd_templates_refused 1`,
		`confd_source_in_step{source="etcd"} 1`, `confd_source_in_step{source="workload"} 0`, `confd_source_revision{source="etcd"} 4711`,
		`confd_source_server_info{server="10.0.0.1:5473",source="typha",version="v3"} 1`,
		`confd_source_server_connected_timestamp_seconds{source="typha"} 1000`, `confd_source_server_lag_seconds{source="typha"} 2`,
		`confd_config_info{bird="2.0.12",hash="ab",set="bird"} 1`, `confd_config_in_step{set="bird"} 1`, `confd_config_in_step{set="bird6"} 0`,
		`confd_config_revision{set="bird"} 4700`, `confd_config_confirmed_timestamp_seconds{set="bird"} 1.7000000005e+09`,
		`confd_config_confirmed_timestamp_seconds{set="bird6"} 0`, `confd_config_on_trial{set="bird"} 0`, `confd_config_on_trial{set="bird6"} 1`,
		`confd_config_restart_needed{set="bird6"} 1`, `confd_bird_state{set="bird6",state="hung"} 1`, `confd_bird_state{set="bird6",state="up"} 0`,
		`confd_problem_objects{effect="left_out",kind="BGPPeer"} 1`, `confd_problem_objects{effect="noted",kind="BGPPeer"} 1`,
		`confd_quarantined_objects{kind="BGPFilter"} 1`,
		`confd_sessions_configured{family="4",kind="mesh"} 2`, `confd_sessions_configured{family="6",kind="local_workload"} 1`,
		`confd_ipam_node_blocks{family="4"} 2`, `confd_ipam_node_blocks{family="6"} 1`)
	for name, least := range map[string]float64{"confd_pending_age_seconds": 3600, "confd_stale_age_seconds": 7200} {
		var got float64
		_, after, _ := strings.Cut(text, name+" ")
		if _, err := fmt.Sscan(after, &got); err != nil || got < least || got > least+1000 {
			t.Errorf("%s is %v %v", name, got, err)
		}
	}
	if strings.Contains(text, `confd_source_revision{source="workload"}`) {
		t.Error("a revision that is no number is none")
	}
}

func TestCountersBeginAt0AndCount(t *testing.T) {
	m := New(Options{})
	m.Sets("bird")
	m.Children("bird -f")
	want(t, scrape(t, m), `confd_renders_total{result="ok"} 0`, `confd_renders_total{result="failed"} 0`,
		`confd_checks_total{result="refused"} 0`, `confd_reloads_total{result="hung",set="bird"} 0`, `confd_drifts_total{kind="file"} 0`,
		`confd_retries_total 0`, `confd_holds_total 0`, `confd_child_restarts_total{name="bird -f"} 0`,
		`confd_apply_duration_seconds_count{set="bird"} 0`, `confd_apply_stage_duration_seconds_count{stage="render"} 0`)
	m.Rendered(RenderOK)
	m.Checked(CheckRefused)
	m.Reloaded("bird", ReloadHung)
	m.Drift(DriftFile)
	m.Retry()
	m.Held()
	m.ChildRestarted("bird -f")
	m.Applied("bird", Stages{Gather: 50 * time.Millisecond, Check: time.Second, Total: 2 * time.Minute})
	m.Sets("bird") // changes nothing
	want(t, scrape(t, m), `confd_renders_total{result="ok"} 1`, `confd_renders_total{result="failed"} 0`,
		`confd_checks_total{result="refused"} 1`, `confd_reloads_total{result="hung",set="bird"} 1`, `confd_drifts_total{kind="file"} 1`,
		`confd_retries_total 1`, `confd_holds_total 1`, `confd_child_restarts_total{name="bird -f"} 1`,
		`confd_apply_duration_seconds_bucket{set="bird",le="60"} 0`, `confd_apply_duration_seconds_sum{set="bird"} 120`,
		`confd_apply_stage_duration_seconds_bucket{stage="gather",le="0.05"} 1`, `confd_apply_stage_duration_seconds_sum{stage="check"} 1`,
		`confd_apply_stage_duration_seconds_count{stage="swap"} 0`)
}

func TestIPAM(t *testing.T) {
	usage := backends.Usage{
		Pools: []backends.PoolUsage{
			{Name: "p4", CIDR: netip.MustParsePrefix("10.1.0.0/24"), BlockSize: 26, BlocksUsed: 3, BlocksTotal: 4, AddressesUsed: 9, AddressesTotal: 256},
			{Name: "p6", CIDR: netip.MustParsePrefix("fd00::/48"), BlockSize: 122, BlocksUsed: 1, BlocksTotal: 1 << 74, AddressesTotal: 1 << 80},
		},
		Blocks: 4, Addresses: true, Borrowed: 2, Lent: 1,
	}
	var err error
	m := New(Options{IPAM: func(context.Context) (backends.Usage, error) { return usage, err }})
	if text := scrape(t, m); strings.Contains(text, "confd_ipam") {
		t.Errorf("nothing was read yet:\n%s", text)
	}
	if wait := m.ipam.refresh(t.Context()); wait < time.Minute {
		t.Errorf("reads again after %v", wait)
	}
	want(t, scrape(t, m), `confd_ipam_pool_blocks_used{family="4",pool="p4"} 3`, `confd_ipam_pool_blocks_free{family="4",pool="p4"} 1`,
		`confd_ipam_pool_addresses_used{family="4",pool="p4"} 9`, `confd_ipam_pool_addresses{family="4",pool="p4"} 256`,
		`confd_ipam_pool_blocks_free{family="6",pool="p6"} 1.888946593147858e+22`,
		`confd_ipam_borrowed_addresses 2`, `confd_ipam_lent_addresses 1`, `confd_ipam_unreadable_blocks 0`)

	usage.Addresses = false // too many blocks to look into
	m.ipam.refresh(t.Context())
	if text := scrape(t, m); strings.Contains(text, "borrowed") || strings.Contains(text, "addresses_used") {
		t.Errorf("addresses were not counted:\n%s", text)
	}
	err = fmt.Errorf("forbidden: %w", backends.ErrNotReadable)
	if wait := m.ipam.refresh(t.Context()); wait < 5*time.Minute {
		t.Errorf("without the rights it tries again after %v", wait)
	}
	if text := scrape(t, m); strings.Contains(text, "confd_ipam") {
		t.Errorf("what cannot be read any more is still there:\n%s", text)
	}
}

func TestWatchIPAMReadsAndEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	m := New(Options{IPAM: func(context.Context) (backends.Usage, error) { stop(); return backends.Usage{Blocks: 1}, nil }})
	m.WatchIPAM(ctx)
	want(t, scrape(t, m), `confd_ipam_unreadable_blocks 0`)
	New(Options{}).WatchIPAM(t.Context()) // nothing to watch
}

// TestDefinitions holds what is exported against what is defined: name, type,
// labels and help. Sessions are in TestSessions.
func TestDefinitions(t *testing.T) {
	m := New(Options{
		Report: func() *report.Report { return full(time.Now()) },
		IPAM: func(context.Context) (backends.Usage, error) {
			return backends.Usage{Addresses: true, Pools: []backends.PoolUsage{{Name: "p", CIDR: netip.MustParsePrefix("10.0.0.0/8")}}}, nil
		},
	})
	m.Sets("bird")
	m.Children("bird")
	m.ipam.refresh(t.Context())
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Definition{}
	for _, f := range families {
		d := Definition{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
		for _, l := range f.GetMetric()[0].GetLabel() {
			d.Labels = append(d.Labels, l.GetName())
		}
		got[d.Name] = d
	}
	for _, d := range Definitions() {
		g, ok := got[d.Name]
		delete(got, d.Name)
		if !ok && d.Group != groupBIRD {
			t.Errorf("%s is defined, and not exported", d.Name)
		}
		slices.Sort(d.Labels)
		d.Group, d.Optional = "", ""
		if diff := cmp.Diff(d, g); ok && diff != "" {
			t.Errorf("defined and exported differ: %s", diff)
		}
		if d.Help == "" || strings.HasSuffix(d.Help, ".") || strings.ContainsAny(d.Help, "\n|") {
			t.Errorf("%s needs a help text of one line, without a full stop: %q", d.Name, d.Help)
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "confd_") {
			t.Errorf("%s is exported, and not defined", name)
		}
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	m := New(Options{
		PerSession: true,
		Report:     func() *report.Report { return full(time.Now()) },
		IPAM:       func(context.Context) (backends.Usage, error) { return backends.Usage{Addresses: true}, nil },
	})
	m.Sets("bird")
	m.ipam.refresh(t.Context())
	problems, err := testutil.GatherAndLint(m.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	ours := func(p promlint.Problem) bool { return strings.HasPrefix(p.Metric, "confd_") }
	for _, p := range problems {
		if ours(p) {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestReference(t *testing.T) {
	const path = "../../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), Reference()); diff != "" {
		t.Errorf("%s is not what the program says (go test ./internal/metrics -run Reference -update rewrites it):\n%s", path, diff)
	}
}
