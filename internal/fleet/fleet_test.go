package fleet

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/internal/status"
	"confd/internal/terminal"
)

// Times are shown as they are here: the golden files must not have this machine's zone.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// loopback is the address of node n of those that are played here.
func loopback(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 9, byte(n / 250), byte(n%250 + 1)})
}

func name(n int) string { return fmt.Sprintf("node-%d", n) }

// play has nodes answer at the addresses of loopback, all at one port, until the test
// ends. An answer of nil: nobody listens there.
func play(t *testing.T, answers []http.HandlerFunc) (targets []Target, port uint16) {
	t.Helper()
	byHost := map[string]http.HandlerFunc{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.Host)
		byHost[host](w, r)
	})}
	t.Cleanup(func() { server.Close() })
	for n, answer := range answers {
		targets = append(targets, Target{Name: name(n), Addresses: []netip.Addr{loopback(n)}})
		byHost[loopback(n).String()] = answer
	}
	for n, answer := range answers {
		if answer == nil {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(loopback(n).String(), strconv.Itoa(int(port))))
		if err != nil {
			t.Skipf("this machine has no more addresses of loopback, or files: %v", err)
		}
		port = uint16(l.Addr().(*net.TCPAddr).Port) // the first one's is the others', too
		go func() { _ = server.Serve(l) }()
	}
	return targets, port
}

func says(s *Summary) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(s) }
}

// well is a node of a mesh of size nodes that is as it should be.
func well(n, size int) *Summary {
	return &Summary{
		Format: Format, Node: name(n), Program: "3.32.0", At: moment(), Ready: true, Up: size - 1, Expected: size - 1,
		BIRDs: []BIRD{{Name: "bird", State: "up", Version: "2.17.6"}},
	}
}

func moment() time.Time { return time.Date(2026, 11, 25, 3, 0, 0, 0, time.UTC) }

// without has node n lack sessions with others.
func without(s *Summary, others ...int) *Summary {
	for _, o := range others {
		s.Up--
		s.Down = append(s.Down, Session{Peer: loopback(o).String(), PeerNode: name(o), State: "start", Meaning: "nobody listens at " + loopback(o).String() + " on port 179"})
	}
	return s
}

func holding(s *Summary, id, object string) *Summary {
	s.Ready = false
	s.Held = []Held{{ID: id, Since: moment(), Why: "it would take away 999 of 999 established sessions", Objects: []string{object}, Lost: 999}}
	s.NotReady = []string{"a change is held back"}
	return s
}

// thousand is a mesh of 1,000 nodes at a bad moment.
func thousand(t *testing.T) []http.HandlerFunc {
	t.Helper()
	const size = 1000
	answers := make([]http.HandlerFunc, size)
	for n := range answers {
		s := without(well(n, size), 17) // which is away
		switch {
		case n == 17:
			continue
		case n == 42: // hangs
			s.StillSeconds = 600
		case n == 43:
			s.BIRDs[0] = BIRD{Name: "bird", State: "absent", Bad: true}
			s.Warnings = append(s.Warnings, warning("bird is not running: nobody listens on /run/bird/bird.ctl"))
		case n == 44:
			s.Node = "node-x"
		case n == 47:
			s.Warnings = []status.Warning{{Kind: aboutRoutes, Text: "10.7.0.0/24 is not in the kernel"}}
		case n >= 100 && n < 130:
			s = without(s, 3, 4, 5)
		case n >= 200 && n < 600:
			s = holding(s, "6f1c0a9be2d43758", "BGPConfiguration default: the mesh was switched off")
		case n == 600:
			s = holding(s, "77aa", "Node node-600: its address changed\x1b[2J")
			s.Held[0].Trial = true
		case n == 700:
			s.Program = "3.31.0"
			s.Ready, s.NotReady = false, []string{"datastore etcd is out of step: permission denied"}
		}
		answers[n] = says(s)
	}
	answers[45] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
	answers[46] = http.NotFound
	return answers
}

// TestAThousandNodes asks 1,000 nodes, and shows on a screen what is wrong.
func TestAThousandNodes(t *testing.T) {
	targets, port := play(t, thousand(t))
	targets = append(targets, Target{Name: "node-without-address"})
	nodes := Asker{Port: port, Timeout: time.Minute}.Ask(t.Context(), targets)
	for file, o := range map[string]Options{
		"thousand":        {Lines: 20},
		"thousand-held":   {Lines: 20, Filters: filters(t, "state=held", "node!=node-3??")},
		"thousand-racks":  {Lines: 8, Sort: SortNode, Filters: filters(t, "node=node-1,node-4?,127.9.0.18")},
		"thousand-silent": {Sort: SortVersion, Filters: filters(t, "state=silent,not ready")},
	} {
		v := NewView(moment(), 1500*time.Millisecond, nodes, o)
		if v.AllGood {
			t.Error("all is well")
		}
		page := &terminal.Page{Width: 140}
		v.Text(page)
		text := page.String()
		if n := strings.Count(text, "\n"); n > 45 {
			t.Errorf("%s: %d lines are more than a screen", file, n)
		}
		golden(t, file, text)
	}
}

func filters(t *testing.T, texts ...string) []Filter {
	t.Helper()
	var list []Filter
	for _, text := range texts {
		f, err := ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func golden(t *testing.T, file, text string) {
	t.Helper()
	path := filepath.Join("testdata", file+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", path, diff)
	}
}

// TestTheDocsShowIt has the page about all this show what is printed.
func TestTheDocsShowIt(t *testing.T) {
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/thousand.txt")
	if err != nil || !strings.Contains(string(page), "```\n"+string(text)+"```\n") {
		t.Errorf("docs/fleet.md does not have testdata/thousand.txt as it is (%v)", err)
	}
	for _, s := range States() {
		if !strings.Contains(string(page), "\n| "+s+" | ") {
			t.Errorf("docs/fleet.md does not explain %q", s)
		}
	}
	for _, key := range FilterKeys() {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/fleet.md does not explain the filter %q", key)
		}
	}
}

func TestAllIsWell(t *testing.T) {
	targets, port := play(t, []http.HandlerFunc{says(well(0, 3)), says(well(1, 3)), says(well(2, 3))})
	v := NewView(moment(), time.Second, Asker{Port: port}.Ask(t.Context(), targets), Options{})
	page := &terminal.Page{}
	v.Text(page)
	golden(t, "well", page.String())
	if !v.AllGood {
		t.Error("AllGood is not set")
	}
	if v := NewView(moment(), 0, nil, Options{}); v.AllGood {
		t.Error("no nodes at all are fine")
	}
}

// TestWhoDoesNotAnswer says why.
func TestWhoDoesNotAnswer(t *testing.T) {
	odd := func(change func(*Summary)) http.HandlerFunc { s := well(0, 3); change(s); return says(s) }
	cases := []struct {
		answer http.HandlerFunc
		want   string
	}{
		{says(well(0, 3)), ""},
		{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "client certificate"},
		{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }, "418"},
		{func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, "302"},
		{func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, "another program"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "closed without an answer"},
		{odd(func(s *Summary) { s.Format = 99 }), "format 99"},
		{odd(func(s *Summary) { s.Format = 0 }), "not this program"},
		{odd(func(s *Summary) { s.Up = 1_000_000_000; s.Expected = 1_000_000_000 }), "do not add up"},
		{odd(func(s *Summary) { s.Up = -1 }), "do not add up"},
		{odd(func(s *Summary) { s.Held = []Held{{ID: "a,b"}} }), "no"},
		{odd(func(s *Summary) { s.NotReady = []string{strings.Repeat("x", 10_000)} }), "too long"},
		{odd(func(s *Summary) { s.NotReady = make([]string, 10_000) }), "too long"},
	}
	answers := make([]http.HandlerFunc, 0, len(cases))
	for _, c := range cases {
		answers = append(answers, c.answer)
	}
	targets, port := play(t, answers)
	for i := range targets {
		targets[i].Name = name(0)
	}
	nodes := Asker{Port: port, Timeout: time.Minute}.Ask(t.Context(), targets)
	for i, n := range nodes {
		if want := cases[i].want; !strings.Contains(n.What, want) || (n.State == Silent) != (want != "") {
			t.Errorf("case %d: %s, %q, want %q", i, n.State, n.What, want)
		}
	}
}

// TestWhoNeverAnswers is waited for no longer than was said.
func TestWhoNeverAnswers(t *testing.T) {
	targets, port := play(t, []http.HandlerFunc{func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
	n := Asker{Port: port, Timeout: 100 * time.Millisecond}.Ask(t.Context(), targets)[0]
	if n.State != Silent || !strings.Contains(n.What, "no answer: the node or the way there is down") {
		t.Errorf("%+v", n)
	}
}

// TestTheSecondAddress is asked where the first one does not answer.
func TestTheSecondAddress(t *testing.T) {
	targets, port := play(t, []http.HandlerFunc{says(well(0, 3))})
	targets[0].Addresses = []netip.Addr{loopback(1), loopback(0)}
	if n := (Asker{Port: port}).Ask(t.Context(), targets)[0]; n.State != Good {
		t.Errorf("%+v", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := (Asker{Port: port}).Ask(ctx, targets)[0]; n.State != Silent {
		t.Errorf("nobody may ask any more: %+v", n)
	}
}

func TestFiltersThatAreNone(t *testing.T) {
	for _, text := range []string{"", "state", "state=", "colour=red", "node=[", "=x", "!=x"} {
		if f, err := ParseFilter(text); err == nil {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

func TestApprovable(t *testing.T) {
	changes := []Change{
		{ID: "a", Nodes: []string{"node-1"}}, {ID: "b", Nodes: []string{"node-2"}},
		{ID: "a", Nodes: []string{"node-3"}, Trial: true}, {ID: "x,y", Nodes: []string{"node-3"}}, {ID: "z"},
	}
	for _, c := range []struct {
		of     []Change
		chosen []string
		want   []string // IDs; nil: an error
	}{
		{changes, nil, nil}, {changes, []string{"b"}, []string{"b"}}, {changes, []string{"b", "a"}, []string{"a", "b"}},
		{changes, []string{"x,y"}, nil}, {changes, []string{"z"}, nil}, {changes, []string{"c"}, nil},
		{changes[:1], nil, []string{"a"}}, {changes[2:], nil, []string{}}, {nil, nil, []string{}}, {nil, []string{"a"}, nil},
	} {
		list, err := Approvable(c.of, c.chosen)
		got := []string{}
		for _, x := range list {
			got = append(got, x.ID)
		}
		if (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v, want %v", c.chosen, got, err, c.want)
		}
	}
}

func warning(text string) status.Warning { return status.Warning{Kind: "x", Text: text} }
