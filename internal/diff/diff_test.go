package diff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/plan"
	"confd/reload/control"
	"confd/templates"
)

const (
	nodeA = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: %s/24}}}\n---\n"
	nodeB = "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: b}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}\n---\n"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// differ compares for node a and BIRD 2.
func differ(t *testing.T, log *bytes.Buffer) Differ {
	t.Helper()
	d := Differ{
		Planner:  plan.Planner{Settings: plan.Settings{BGP: bgp.Options{Node: "a", K8sNode: "a"}, ConfDir: "/nonexistent"}, Env: func(string) string { return "" }},
		Birds:    birds.Daemons{Version: templates.Version{Major: 2, Minor: 0, Patch: 12}, Dir: "/etc/bird"},
		Statuses: t.TempDir(),
		Log:      slog.New(slog.NewTextHandler(log, nil)),
	}
	var err error
	if d.Planner.Templates, err = plan.Load(d.Planner.Settings, d.Log); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOverlaySaysSo: who writes some resources is told that they are laid over a
// state, and who writes this node is warned that all else stays.
func TestOverlaySaysSo(t *testing.T) {
	from := write(t, fmt.Sprintf(nodeA, "10.0.0.1")+nodeB)
	for text, want := range map[string]string{nodeB: "level=INFO", fmt.Sprintf(nodeA, "10.0.0.1"): "level=WARN"} {
		var log bytes.Buffer
		r, err := differ(t, &log).Compare(t.Context(), Options{From: from, To: write(t, text)})
		if err != nil || len(r.Groups) > 0 || r.Files != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		if got := log.String(); !strings.Contains(got, want) || !strings.Contains(got, "--whole") || !strings.Contains(got, "resources=1") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestAllNodesAlike has a change that is the same for most nodes: one group.
func TestAllNodesAlike(t *testing.T) {
	var before, after strings.Builder
	for i := range 30 {
		fmt.Fprintf(&before, "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: n%02d}, spec: {bgp: {ipv4Address: 10.0.1.%d/24}}}\n---\n", i, i+1)
	}
	after.WriteString(before.String())
	before.WriteString(fmt.Sprintf(nodeA, "10.0.0.1") + nodeB)
	after.WriteString("{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: {peerIP: 10.0.9.9, asNumber: x}}\n")
	var log bytes.Buffer
	r, err := differ(t, &log).Compare(t.Context(), Options{From: write(t, before.String()), To: write(t, after.String()), Whole: true, AllNodes: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Nodes != 32 || r.Changed() != 32 || len(r.Groups) != 3 {
		t.Fatalf("%+v", r)
	}
	g := r.Groups
	if len(g[0].Nodes) != 30 || g[0].Changes.String() != "2 sessions removed" || len(g[0].Files) != 1 || !strings.Contains(g[0].Files[0].Diff, "-protocol bgp Mesh_10_0_0_2 ") {
		t.Errorf("%+v", g[0])
	}
	for i, name := range []string{"a", "b"} {
		if gone := g[i+1]; gone.Kind != NodeRemoved || gone.Nodes[0] != name || gone.Changes.String() != "31 sessions removed" || len(gone.Files) > 0 {
			t.Errorf("%s %v: %s", gone.Kind, gone.Nodes, gone.Changes)
		}
	}
	if len(r.Problems) == 0 {
		t.Error("nothing is said about the peer that cannot be used")
	}
	var text, json bytes.Buffer
	if err := errors.Join(r.Text(&text, false), r.JSON(&json)); err != nil {
		t.Fatal(err)
	}
	if got := text.String(); !strings.Contains(got, "== 30 of 32 nodes\n  nodes: n00, n01, ") || !strings.Contains(got, ", and 10 more\n2 sessions removed\n") {
		t.Error(got)
	}
}

func TestKindOf(t *testing.T) {
	gone, bad := fmt.Errorf("node: %w", bgp.ErrUnknownNode), errors.New("bad")
	for _, c := range []struct {
		before, after error
		invalid       bool
		want          Kind
		text          string
	}{
		{nil, nil, false, NodeChanged, ""},
		{gone, nil, false, NodeAdded, ""},
		{nil, gone, false, NodeRemoved, ""},
		{nil, gone, true, NodeFailed, "state after: node: "}, // it is there, and cannot be used
		{nil, bad, false, NodeFailed, "state after: bad"},
		{bad, nil, false, NodeFailed, "state before: bad"},
		{bad, bad, false, NodeFailed, "state after: bad"},
	} {
		got, err := kindOf(c.before, c.after, c.invalid)
		if got != c.want || (err == nil) != (c.text == "") || err != nil && !strings.HasPrefix(err.Error(), c.text) {
			t.Errorf("%v, %v: %s, %v", c.before, c.after, got, err)
		}
	}
}

// TestSameMeaning: where only what is said about a session differs, the files
// differ, and that is a change of its own.
func TestSameMeaning(t *testing.T) {
	peer := "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: %s}, spec: {peerIP: 10.9.9.9, asNumber: 65000}}\n"
	base := fmt.Sprintf(nodeA, "10.0.0.1") + nodeB
	for _, all := range []bool{false, true} {
		var log bytes.Buffer
		o := Options{From: write(t, base+fmt.Sprintf(peer, "one")), To: write(t, base+fmt.Sprintf(peer, "two")), Whole: true, AllNodes: all}
		r, err := differ(t, &log).Compare(t.Context(), o)
		if err != nil || len(r.Groups) != 1 || !r.Groups[0].Changes.Empty() || !strings.Contains(r.Groups[0].Files[0].Diff, "+# BGPPeer two") {
			t.Errorf("%+v, %v", r, err)
		}
		o.To = o.From
		if r, err := differ(t, &log).Compare(t.Context(), o); err != nil || len(r.Groups) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// TestWithoutRefresh: a neighbor that cannot send its routes again loses its session, as
// this machine's BIRD says, where it is this node's.
func TestWithoutRefresh(t *testing.T) {
	const objects = nodeB + `{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: {peerIP: 10.0.0.9, asNumber: 65000, filters: [f]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, spec: {importV4: [{action: %s}]}}
`
	state := func(action string) string {
		return write(t, fmt.Sprintf(nodeA, "10.0.0.1")+fmt.Sprintf(objects, action))
	}
	session := func(source string, deaf bool) []control.SessionState {
		return []control.SessionState{{Name: "Global_10_0_0_9", BGPState: "Established", Neighbor: netip.MustParseAddr("10.0.0.9"), Source: netip.MustParseAddr(source), NoRefresh: deaf}}
	}
	for name, test := range map[string]struct {
		sessions []control.SessionState
		own      bool // templates of the user's own
		restarts bool
	}{
		"nothing is known":  {},
		"it can":            {sessions: session("10.0.0.1", false)},
		"it cannot":         {sessions: session("10.0.0.1", true), restarts: true},
		"another node's":    {sessions: session("10.0.0.7", true)},
		"templates of ours": {sessions: session("10.0.0.1", true), own: true},
	} {
		d := differ(t, &bytes.Buffer{})
		d.Planner.Templates.BuiltIn = !test.own
		d.Sessions = func(context.Context) []control.SessionState { return test.sessions }
		r, err := d.Compare(t.Context(), Options{From: state("Accept"), To: state("Reject"), Whole: true})
		if err != nil || len(r.Groups) != 1 {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		c := r.Groups[0].Changes
		if restarts := len(c.Restarted) == 1; restarts != test.restarts || len(c.Refiltered)+len(c.Restarted) != 1 || len(c.Reasked) != len(c.Refiltered) {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
