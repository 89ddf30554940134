package status

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"confd/internal/report"
	"confd/internal/testenv"
	"confd/reload/control"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replay serves on a socket what a real BIRD said, as recorded for package
// reload, until the test ends.
func replay(t *testing.T, version string) string {
	t.Helper()
	sessions, err := os.ReadFile(filepath.Join(testenv.Root(t), "reload", "control", "testdata", "sessions", "all-"+version+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"show protocols all\n": string(sessions),
		"show status\n": "1000-BIRD " + version + "\n1011-Router ID is 10.9.0.1\n Current server time is 2026-11-25 01:10:00\n" +
			" Last reboot on 2026-11-25 01:08:57\n Last reconfiguration on 2026-11-25 01:08:58\n0013 Daemon is up and running\n",
	}
	path := filepath.Join(testenv.SocketDir(t), "bird.ctl")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			fmt.Fprintf(conn, "0001 BIRD %s ready.\n", version)
			in := bufio.NewReader(conn)
			for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
				fmt.Fprint(conn, answers[line])
			}
			conn.Close()
		}
	}()
	return path
}

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 25, hour, minute, second, 0, time.UTC)
}

// recordedReport fits what was recorded: all is in step.
func recordedReport() *report.Report {
	session := func(name, kind, neighbor, why string) report.Session {
		return report.Session{Name: name, Family: 4, Kind: kind, Neighbor: neighbor, AS: 64513, Object: "BGPPeer " + strings.ToLower(name), Why: why}
	}
	six := report.Session{
		Name: "Mesh_fd00_9__3", Family: 6, Kind: "Mesh", Neighbor: "fd00:9::3", Port: 1790, AS: 64513,
		PeerNode: "node-3", Object: "BGPConfiguration default", Why: "node-to-node mesh with node node-3",
	}
	return &report.Report{
		Format: report.Format, Program: "3.32.0", Node: "node-1", PID: 4711, Started: at(1, 0, 0), At: at(1, 9, 30), Ready: true, BIRD: "2",
		Sources: []report.Source{{Name: "etcd", InSync: true, Since: at(1, 0, 1), Revision: "120"}},
		Sets: []report.Set{{
			Name: "bird", Files: []string{"/etc/calico/confd/config/bird.cfg"}, Socket: "/run/bird.ctl", State: "up",
			Rendered: "aa11", Installed: "aa11", Confirmed: "aa11", Revision: "118", ConfirmedAt: at(1, 8, 58),
			Reconfigured: at(1, 8, 58), Rebooted: at(1, 8, 57),
		}},
		Sessions: []report.Session{
			session("Mesh_10_9_0_3", "Mesh", "10.9.0.3", "node-to-node mesh with node node-3"),
			session("Node_wrongas", "Node", "10.9.0.4", "BGPPeer node_wrongas: its peerIP"),
			session("Node_shut", "Node", "10.9.0.6", "BGPPeer node_shut: its peerIP"),
			session("Node_hold", "Node", "10.9.0.7", "BGPPeer node_hold: its peerIP"),
			session("Node_limit", "Global", "10.9.0.8", "BGPPeer node_limit: its peerIP"),
			session("Node_noroute", "Node", "10.77.0.1", "BGPPeer node_noroute: its peerIP"),
			session("Local_Workload_10_65_0_9", "Local_Workload", "10.65.0.9", "BGPPeer local_workload_10_65_0_9: local workload on interface cali1"),
			six,
		},
	}
}

func troubledReport() *report.Report {
	r := recordedReport()
	r.Ready, r.NotReady = false, []string{"etcd is not in step"}
	r.Sources = []report.Source{{Name: "etcd", Since: at(1, 5, 0), Error: "connection refused"}}
	r.Pending, r.Waiting = at(1, 9, 0), "for etcd"
	r.Held = &report.Held{
		Hash: "bb22", Since: at(1, 9, 0), Until: at(1, 39, 0), Why: "it would end 6 of 8 established sessions",
		Lost: []string{"Mesh_1", "Mesh_10_9_0_3", "Mesh_3", "Mesh_4", "Mesh_5", "Mesh_6"}, Objects: []string{"BGPConfiguration default"},
	}
	r.Stale = &report.Stale{Why: "the datastore is away", Confirmed: at(0, 1, 0)}
	r.Templates = "bird.cfg.template:3: no such function"
	r.Quarantined = []report.Problem{{Object: "BGPFilter\x1b[31m evil", Text: "bird.cfg:7:3 syntax error", LeftOut: true}}
	r.Problems = []report.Problem{{Object: "BGPPeer a", Text: "no address"}, {Object: "BGPPeer b", Text: "no address"}}
	set := &r.Sets[0]
	set.Rendered, set.Confirmed, set.Error = "bb22", "0000", "BIRD refuses it"
	set.TrialEnds, set.RestartNeeded = at(1, 11, 0), []string{"listen on port 1790"}
	set.Reconfigured, set.Rebooted = at(1, 2, 0), at(1, 1, 0)
	return r
}

// heldReport is in step, with what was before a change that is held for ever, and
// heldOver with one whose time is over.
func heldReport() *report.Report {
	r := recordedReport()
	r.Ready, r.NotReady, r.Pending = false, []string{"a change is held back"}, at(1, 9, 0)
	r.Held = &report.Held{Hash: "bb22", Token: "T", Since: at(1, 9, 0), Why: "it would end 6 of 8 established sessions: gone",
		Notes: []string{"gone", "what BGPPeer tor announces is more than a day ahead"}}
	return r
}

// fullReport is of a cluster that runs out of blocks.
func fullReport() *report.Report {
	r := recordedReport()
	r.Full, r.Borrowed = []report.Pool{{Name: "pods", Taken: "15 of its 16 blocks are taken"}}, 3
	return r
}

func heldOver() *report.Report {
	r := heldReport()
	r.Held.Until, r.Failure = at(1, 9, 30), "set bird: BIRD refuses it"
	return r
}

// twoSets are those of BIRD 1.6 without IPv6: bird6 is not there.
func twoSets() *report.Report {
	r := recordedReport()
	r.BIRD, r.Sessions = "1", []report.Session{r.Sessions[0], r.Sessions[6]}
	r.Sets = append(r.Sets, report.Set{Name: "bird6", Socket: "/run/bird6.ctl", State: "absent", Rendered: "cc", Installed: "cc"})
	return r
}

// routesReport says that routes are wrong, and that a session is down on this side.
func routesReport() *report.Report {
	r := recordedReport()
	r.Routes = []report.Routes{{
		Set: "bird", At: at(1, 9, 50), KernelUnknown: "BIRD runs in another network namespace",
		Tables: []report.Table{{Family: 4, Static: 1, Direct: 1, Kernel: 2, BGP: 3, Programmed: 4}, {Family: 6, BGP: 1, Programmed: -1}},
		Wrong:  map[string]int{"unreachable": 21, "peer_blackholed": 1},
		Faults: []report.RouteFault{
			{Kind: "peer_blackholed", Family: 4, Session: "Node_noroute", Text: "the kernel has a blackhole", Cure: "take it away"},
			{Kind: "unreachable", Family: 4, Net: "10.2.0.0/24", Session: "Mesh_10_9_0_3", Text: "10.2.0.0/24 leads nowhere", Cure: "see why"},
		},
	}}
	return r
}

// shownReport is the one whose table docs/status.md shows.
func shownReport() *report.Report {
	r := recordedReport()
	r.Routes = []report.Routes{{Set: "bird", At: at(1, 9, 56), Tables: []report.Table{
		{Family: 4, Static: 1, Direct: 1, Kernel: 2, Programmed: 1}, {Family: 6, BGP: 2, Static: 1, Direct: 1, Kernel: 2, Programmed: 3},
	}}}
	return r
}

// blindReport does not know how routes are, and oldReport has not looked for long.
func blindReport() *report.Report {
	r := twoSets()
	r.Routes = []report.Routes{{Set: "bird", At: at(1, 9, 50), Unknown: "they have not been looked at yet"}}
	return r
}

// recoveringReport is of a BIRD that recovered when its routes were looked at.
func recoveringReport() *report.Report {
	r := shownReport()
	row := &r.Routes[0]
	row.Recovery = &report.Recovery{Until: at(1, 10, 30), Sessions: []string{"Mesh_10_9_0_3"}}
	row.KernelUnknown, row.Tables[0].Programmed = `BIRD answers "show route export calico_kernel4" with 9001 No valid tables`, -1
	return r
}

func oldReport() *report.Report {
	r := twoSets()
	r.Routes = routesReport().Routes
	r.Routes[0].At = at(0, 50, 0)
	return r
}

func TestGolden(t *testing.T) {
	for _, test := range []struct {
		name    string
		report  *report.Report
		version string
		formats []string
		seen    bool
		more    []daemon
		allUp   bool
	}{
		{"in-step", recordedReport(), "2.17.6", Formats(), true, nil, false},
		{"shown", shownReport(), "2.17.6", []string{Table}, true, nil, false},
		{"troubled", troubledReport(), "3.1.8", []string{Table}, false, nil, false},
		{"held", heldReport(), "2.17.6", []string{Table}, true, nil, false},
		{"pool-full", fullReport(), "2.17.6", []string{Table}, true, nil, false},
		{"held-over", heldOver(), "2.17.6", []string{Table}, true, nil, false},
		{"two-sets", twoSets(), "1.6.8", []string{Table, JSON}, true, []daemon{{name: "bird6", socket: "/run/bird6.ctl", err: control.ErrNotRunning}}, true},
		{"routes-wrong", routesReport(), "2.17.6", []string{Wide, JSON}, true, nil, false},
		{"routes-unknown", blindReport(), "1.6.8", []string{Table}, true, []daemon{{name: "bird6", socket: "/run/bird6.ctl", err: control.ErrNotRunning}}, true},
		{"routes-recovering", recoveringReport(), "2.17.6", []string{Table}, true, nil, false},
		{"routes-old", oldReport(), "1.6.8", []string{Table}, true, []daemon{{name: "bird6", socket: "/run/bird6.ctl", err: control.ErrNotRunning}}, true},
		{"no-report", nil, "1.6.8", []string{Wide}, false, []daemon{{name: "bird6", socket: "/run/bird6.ctl", err: control.ErrHung}}, false},
		{"no-bird", recordedReport(), "", []string{Table}, true, []daemon{{name: "bird", socket: "/run/bird.ctl", err: control.ErrNotRunning}}, false},
	} {
		o := observed{now: at(1, 10, 0), report: test.report, programSeen: test.seen}
		if test.version != "" {
			d := daemon{name: "bird", socket: replay(t, test.version)}
			d.ask(t.Context(), time.Minute, (*control.Client).Sessions)
			d.socket = "/run/bird.ctl"
			// BIRD's times have no zone: the golden files must not have this machine's.
			d.status.LastReboot, d.status.LastReconfiguration = clock(d.status.LastReboot), clock(d.status.LastReconfiguration)
			o.birds = append(o.birds, d)
		}
		o.birds = append(o.birds, test.more...)
		v := o.view()
		if v.AllUp != test.allUp {
			t.Errorf("%s: all up is %t", test.name, v.AllUp)
		}
		for _, format := range test.formats {
			var out bytes.Buffer
			if err := v.write(&out, format, true); err != nil {
				t.Fatal(err)
			}
			golden(t, test.name+"."+format, out.Bytes())
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// Which sessions count, and which BIRDs.
func TestAllUp(t *testing.T) {
	up := func(name string) control.SessionState {
		return control.SessionState{Name: name, State: "up", BGPState: "Established"}
	}
	down := func(name string) control.SessionState {
		return control.SessionState{Name: name, State: "start", BGPState: "Passive"}
	}
	bird := func(sessions ...control.SessionState) daemon { return daemon{name: "bird", sessions: sessions} }
	reported := func(sessions ...report.Session) *report.Report {
		return &report.Report{Sessions: sessions, Sets: []report.Set{{Name: "bird", Confirmed: "x"}, {Name: "bird6"}}}
	}
	four, six := report.Session{Name: "Mesh_a", Family: 4}, report.Session{Name: "Mesh_b", Family: 6}
	fails := func(name string, err error) daemon { return daemon{name: name, err: err} }
	for name, test := range map[string]struct {
		report *report.Report
		birds  []daemon
		want   bool
	}{
		"as expected":                 {reported(four), []daemon{bird(up("Mesh_a"))}, true},
		"another one is down":         {reported(four), []daemon{bird(up("Mesh_a"), down("Mesh_x"))}, true},
		"expected is down":            {reported(four), []daemon{bird(down("Mesh_a"))}, false},
		"expected is missing":         {reported(four, six), []daemon{bird(up("Mesh_a"))}, false},
		"a workload may be down":      {reported(four, report.Session{Name: "Local_Workload_c", Kind: localWorkload}), []daemon{bird(up("Mesh_a"), down("Local_Workload_c"))}, true},
		"IPv6 off":                    {reported(four), []daemon{bird(up("Mesh_a")), fails("bird6", control.ErrNotRunning)}, true},
		"IPv6 away":                   {reported(four, six), []daemon{bird(up("Mesh_a")), fails("bird6", control.ErrNotRunning)}, false},
		"IPv6 hangs":                  {reported(four), []daemon{bird(up("Mesh_a")), fails("bird6", control.ErrHung)}, false},
		"BIRD away":                   {reported(), []daemon{fails("bird", control.ErrNotRunning), fails("bird6", control.ErrNotRunning)}, false},
		"no session at all":           {reported(), []daemon{bird()}, true},
		"no report":                   {nil, []daemon{bird(up("x"))}, true},
		"no report, one is down":      {nil, []daemon{bird(up("x"), down("y"))}, false},
		"no report, a workload down":  {nil, []daemon{bird(up("x"), down("Local_Workload_y"))}, true},
		"no report, no IPv6":          {nil, []daemon{bird(up("x")), fails("bird6", control.ErrNotRunning)}, true},
		"a report of nothing yet":     {&report.Report{}, []daemon{bird(down("x"))}, false},
		"cannot be asked":             {nil, []daemon{fails("bird", errors.New("permission denied"))}, false},
		"no BIRD is known":            {nil, nil, false},
		"stale, without its sessions": {&report.Report{Sets: []report.Set{{Name: "bird", Confirmed: "x"}}, Stale: &report.Stale{}}, []daemon{bird(down("x"))}, false},
	} {
		if got := (observed{report: test.report, birds: test.birds}).view(); got.AllUp != test.want {
			t.Errorf("%s: all up is %t: %+v", name, got.AllUp, got)
		}
	}
}

// The clocks are compared, whatever zone each was read in.
func TestLater(t *testing.T) {
	was := at(1, 0, 0)
	zone := time.FixedZone("", 7200)
	for is, want := range map[time.Time]bool{
		at(1, 0, 3): false, at(1, 0, 4): true, at(0, 59, 0): false, {}: false,
		time.Date(2026, 11, 25, 1, 0, 0, 0, zone): false,
		time.Date(2026, 11, 25, 1, 0, 5, 0, zone): true,
	} {
		if got := later(is, was); got != want {
			t.Errorf("%s: %t", is, got)
		}
	}
	if later(was, time.Time{}) {
		t.Error("a time is later than an unknown one")
	}
}

// watcher ends the watch after some output.
type watcher struct {
	bytes.Buffer
	enough func(string) bool
	stop   context.CancelFunc
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.enough(w.String()) {
		w.stop()
	}
	return n, err
}

func TestWatch(t *testing.T) {
	for format, head := range map[string]string{Table: "--- 2", JSON: `{"at":"2`} {
		ctx, stop := context.WithCancel(t.Context())
		w := &watcher{stop: stop, enough: func(s string) bool { return strings.Count(s, head) == 3 }}
		o := Options{Folder: t.TempDir(), Sockets: []string{replay(t, "2.0.12")}, Format: format, Watch: time.Millisecond}
		if allUp, err := Show(ctx, w, o); allUp || err != nil {
			t.Errorf("%s: all up %t, %v", format, allUp, err)
		}
		if format != JSON {
			continue
		}
		for line := range strings.Lines(w.String()) {
			if err := json.Unmarshal([]byte(line), &View{}); err != nil {
				t.Errorf("%v: %s", err, line)
			}
		}
	}
}

func TestShowErrors(t *testing.T) {
	if _, err := Show(t.Context(), &bytes.Buffer{}, Options{Format: "yaml"}); err == nil || !strings.Contains(err.Error(), "table, wide, json") {
		t.Errorf("an unknown format: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, report.File), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	allUp, err := Show(t.Context(), &out, Options{Folder: dir, Sockets: []string{filepath.Join(dir, "bird.ctl")}})
	if allUp || err != nil || !strings.Contains(out.String(), "not a report") || !strings.Contains(out.String(), "bird is not running") {
		t.Errorf("a broken report: %t, %v, %s", allUp, err, &out)
	}
	if got := out.String(); !strings.HasPrefix(got, "confd's report cannot be read") {
		t.Errorf("a broken report: %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Show(ctx, &out, Options{Folder: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Sessions that are all up are not enough where a report cannot be read: it may
// ask for others.
func TestUnreadableReport(t *testing.T) {
	up := control.SessionState{Name: "x", State: "up", BGPState: "Established"}
	o := observed{birds: []daemon{{name: "bird", sessions: []control.SessionState{up}}}}
	if !o.view().AllUp {
		t.Error("without a report what BIRD has is all")
	}
	if o.reportError = errors.New("empty"); o.view().AllUp {
		t.Error("all is up, with a report that nobody can read")
	}
}

// A report that somebody forged does nothing to the terminal, in no format.
func TestForgedReport(t *testing.T) {
	data, err := json.Marshal(troubledReport())
	if err != nil {
		t.Fatal(err)
	}
	var forged any
	if err := json.Unmarshal(data, &forged); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(forge(forged)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, report.File), data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats() {
		var out bytes.Buffer
		if _, err := Show(t.Context(), &out, Options{Folder: dir, Format: format}); err != nil {
			t.Fatal(err)
		}
		if text := out.String(); !strings.Contains(text, "node-1") || !strings.Contains(text, "BGPConfiguration") {
			t.Errorf("%s lacks what the report says:\n%q", format, text)
		}
		for line := range strings.Lines(out.String()) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", format, line)
			}
		}
	}
}

// forge puts commands for the terminal into every text that is no time.
func forge(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = forge(x)
		}
	case []any:
		for i, x := range v {
			v[i] = forge(x)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return v + "\x1b[2J\a\u009b31m\u202e\r\x7f\n! all is well"
		}
	}
	return v
}

func TestMeaning(t *testing.T) {
	for _, test := range []struct {
		state control.SessionState
		want  string
	}{
		{control.SessionState{BGPState: "Established", LastError: "Received: Administrative reset"}, ""},
		{control.SessionState{BGPState: "Idle", LastError: "BGP Error: Bad peer AS", NeighborAS: 64513}, "wrong AS number: the peer's is not 64513, which is expected here"},
		{control.SessionState{BGPState: "Idle", LastError: "BGP Error: Malformed AS_PATH"}, "this node ended the session, because of what the peer sent: Malformed AS_PATH"},
		{control.SessionState{BGPState: "Idle", LastError: "Received: Cease"}, "the peer ended the session: Cease"},
		{control.SessionState{BGPState: "Active", LastError: "Socket: Protocol error"}, "the connection to the peer failed: Protocol error"},
		{control.SessionState{BGPState: "Down", LastError: "something new"}, ""},
		{control.SessionState{BGPState: "Down"}, "switched off: by `birdc disable`, or in the configuration"},
		{control.SessionState{BGPState: "Passive", LastError: "Received: Administrative shutdown", Message: "back at \x1b5"},
			`the session was switched off at the peer, or BIRD was stopped there; the peer's operator says "back at \x1b5"`},
	} {
		if got := Meaning(test.state); got != test.want {
			t.Errorf("%+v: %q, want %q", test.state, got, test.want)
		}
	}
}

// The guide shows a table, and lists what each error means, as the program says it.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(testenv.Root(t), "docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := os.ReadFile(filepath.Join("testdata", "shown.table"))
	if err != nil || !strings.Contains(string(guide), "```\n"+string(shown)+"```\n") {
		t.Errorf("docs/status.md does not show testdata/shown.table (%v)", err)
	}
	for _, e := range ErrorTexts() {
		words := strings.NewReplacer("{peer}", "PEER", "{port}", "PORT", "{as}", "AS", "{local}", "AS").Replace(e.Words)
		if row := fmt.Sprintf("| `%s` | %s |\n", e.BIRD, words); !strings.Contains(string(guide), row) {
			t.Errorf("docs/status.md lacks the row\n%s", row)
		}
	}
}

// TestPortOfMeaning: BIRD 1.6 does not say which port a neighbor has. The report
// does, or the session's name; else it is BGP's own.
func TestPortOfMeaning(t *testing.T) {
	refused := func(name string, port uint16) control.SessionState {
		return control.SessionState{Name: name, State: "start", BGPState: "Active", Neighbor: netip.MustParseAddr("10.0.0.2"), NeighborPort: port, LastError: "Socket: Connection refused"}
	}
	o := observed{
		birds: []daemon{{name: "bird", sessions: []control.SessionState{
			refused("Mesh_10_0_0_2", 0), refused("Mesh_10_0_0_3", 1800), refused("Global_10_0_0_4_port_1791", 0), refused("other", 0),
		}}},
		report: &report.Report{Sessions: []report.Session{
			{Name: "Mesh_10_0_0_2", Family: 4, Neighbor: "10.0.0.2", Port: 1790}, {Name: "Mesh_10_0_0_3", Family: 4, Neighbor: "10.0.0.3", Port: 1800},
		}},
	}
	want := map[string]string{"Mesh_10_0_0_2": "1790", "Mesh_10_0_0_3": "1800", "Global_10_0_0_4_port_1791": "1791", "other": "179"}
	sessions := o.sessions()
	if len(sessions) != len(want) {
		t.Fatalf("%+v", sessions)
	}
	for _, s := range sessions {
		if text := "nobody listens at 10.0.0.2 on port " + want[s.Name] + ":"; !strings.HasPrefix(s.Meaning, text) {
			t.Errorf("%s: %q, want %q", s.Name, s.Meaning, text)
		}
	}
}
