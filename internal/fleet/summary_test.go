package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/internal/report"
	"confd/internal/status"
)

// TestAMeshOfThousandsInFewWords has a summary that a node can always send.
func TestAMeshOfThousandsInFewWords(t *testing.T) {
	v := &status.View{Report: &report.Report{
		Node: "node-1", Program: "3.32.0", NotReady: make([]string, 50),
		Held:  &report.Held{Hash: "6f1c", Why: strings.Repeat("é", 1000), Lost: make([]string, 4999), Objects: make([]string, 4999)},
		Tried: &report.Held{Hash: "77aa", Trial: true},
	}}
	for i := range 5000 {
		v.Sessions = append(v.Sessions, status.Session{Peer: fmt.Sprint(i), Required: i > 0, Up: i%2 == 0, Meaning: strings.Repeat("x", 400)})
		v.Warnings = append(v.Warnings, status.Warning{Kind: "other", Text: "y"})
	}
	v.Warnings = append(v.Warnings, status.Warning{Kind: "routes", Text: "10.7.0.0/24 is not in the kernel"})
	s := Summarize(v)
	if err := s.check(); err != nil {
		t.Error(err)
	}
	if s.Expected != 4999 || s.Up != 2499 || len(s.Down) != mostDown || s.MoreDown != 2500-mostDown || s.Held[0].Lost != 4999 || !s.Held[1].Trial {
		t.Errorf("%+v", s)
	}
	if s.Warnings[0].Kind != "routes" || len(s.Warnings) != mostLines {
		t.Errorf("what matters is not among %v", s.Warnings)
	}
}

// TestStates has a node be in the worst state that can be said of it.
func TestStates(t *testing.T) {
	routes := []status.Warning{{Kind: "routes", Text: "r"}, {Kind: "other", Text: "o"}}
	down := []Session{{Peer: "10.0.0.2", PeerNode: "node-2", Meaning: "m"}, {Peer: "10.0.0.3"}}
	held := []Held{{ID: "a", Why: "why", Objects: []string{"x", "y"}}}
	got := map[string]string{}
	for name, s := range map[string]Summary{
		"hangs":    {StillSeconds: 600, Ready: true},
		"no BIRD":  {BIRDs: []BIRD{{Bad: true}}, Warnings: routes[1:], Held: held},
		"isolated": {Expected: 2, Down: down, Held: held, Ready: true},
		"routes":   {Expected: 1, Up: 1, Warnings: routes, Held: held},
		"held":     {Held: held, NotReady: []string{"n"}},
		"undone":   {Held: []Held{{ID: "b", Why: "why", Trial: true}}},
		"waits":    {NotReady: []string{"n", "m"}, Expected: 2, Up: 1, Down: down[:1]},
		"mute":     {},
		"one":      {Ready: true, Expected: 2, Up: 1, Down: down[:1]},
		"many":     {Ready: true, Expected: 300, Up: 100, Down: down, MoreDown: 198},
		"warned":   {Ready: true, Warnings: routes[1:]},
		"good":     {Ready: true, Expected: 2, Up: 2, BIRDs: []BIRD{{State: "up"}}},
	} {
		got[name] = s.State() + ": " + s.What()
	}
	want := map[string]string{
		"hangs":    "hangs: its loop has not turned for 10m0s; what it says is old",
		"no BIRD":  "no BIRD: o",
		"isolated": "isolated: no session with node-2 (10.0.0.2), 10.0.0.3",
		"routes":   "routes wrong: r (and 1 more)",
		"held":     "held: held a: x (and 1 more)",
		"undone":   "held: undone after its trial b: why",
		"waits":    "not ready: n (and 1 more)",
		"mute":     "not ready: it does not say why",
		"one":      "sessions down: no session with node-2 (10.0.0.2): m",
		"many":     "sessions down: no session with node-2 (10.0.0.2), 10.0.0.3 (and 198 more)",
		"warned":   "warnings: o",
		"good":     "good: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
