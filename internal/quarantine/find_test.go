package quarantine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/reload"
)

func key(kind backends.Kind, name string) backends.Key { return backends.Key{Kind: kind, Name: name} }

// mesh is a state of the node n0 and others.
func mesh(nodes int) *backends.State {
	s := backends.NewState()
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i%250 + 1)})
		s.Nodes[name] = &backends.Node{Name: name, IPv4: backends.NodeAddress{Addr: addr, Subnet: netip.PrefixFrom(addr, 16).Masked()}}
	}
	return s
}

// checker makes configurations, and refuses those with sessions with bad nodes
// or peers. Its files have one line for each session, with the name of the
// protocol where lines tell.
type checker struct {
	state   *backends.State
	bad     map[string]string // object, as in Key.String: the set that refuses it
	tell    bool
	without []map[backends.Key]string // what was tried
}

func (c *checker) try(_ context.Context, without map[backends.Key]string) (Attempt, error) {
	c.without = append(c.without, without)
	cfg, err := bgp.Compute(c.state.Without(without), bgp.Options{Node: "n0"})
	if err != nil {
		return Attempt{}, err
	}
	a := Attempt{Config: cfg}
	var refused []error
	for _, set := range []string{"bird", "bird6"} {
		var lines []string
		fault := 0
		for _, s := range cfg.IPv4.Sessions {
			lines = append(lines, "log stderr all;")
			if c.tell {
				lines[len(lines)-1] = fmt.Sprintf("protocol bgp %s { }", s.Name)
			}
			if fault == 0 && (c.bad["Node "+s.PeerNode] == set || c.bad[s.Reason.Object.String()] == set) {
				fault = len(lines)
			}
		}
		dest := "/etc/" + set + ".cfg"
		a.Sets = append(a.Sets, reload.Set{Name: set, Files: []reload.File{{Dest: dest, Data: []byte(strings.Join(lines, "\n"))}}})
		if fault > 0 || c.bad["always"] == set {
			refused = append(refused, &reload.CheckError{Set: set, File: dest, Line: fault, Col: 1, Message: "no good"})
		}
	}
	return a, errors.Join(refused...)
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		nodes  int
		lines  bool
		bad    map[string]string
		change func(*backends.State)
		want   []string
		checks int // at most; 0: any number
	}{
		"one, by its line":    {nodes: 500, lines: true, bad: map[string]string{"Node n77": "bird"}, checks: 1},
		"two, by their lines": {nodes: 500, lines: true, bad: map[string]string{"Node n77": "bird", "Node n99": "bird"}, checks: 2 + 2},
		"two sets":            {nodes: 500, lines: true, bad: map[string]string{"Node n77": "bird", "Node n99": "bird6"}, checks: 2 + 2},
		"one by halves":       {nodes: 500, bad: map[string]string{"Node n77": "bird"}, checks: halving(500, 1)},
		"three by halves": {
			nodes: 500, bad: map[string]string{"Node n1": "bird", "Node n250": "bird6", "Node n499": "bird"}, checks: halving(500, 3),
		},
		"the peer, not its nodes": {
			nodes: 60, lines: true, bad: map[string]string{"BGPPeer rr": "bird"}, change: routeReflectors(40), checks: 5,
		},
		"a node, not its peer": {
			nodes: 60, lines: true, bad: map[string]string{"Node n7": "bird", "Node n31": "bird"}, change: routeReflectors(40), checks: 4,
		},
		"by halves, the peer":    {nodes: 60, bad: map[string]string{"BGPPeer rr": "bird"}, change: routeReflectors(40)},
		"not in an object":       {nodes: 500, lines: true, bad: map[string]string{"always": "bird"}, want: []string{}, checks: 3},
		"most of them":           {nodes: 8, lines: true, bad: everyNode(5), want: []string{}},
		"all of few":             {nodes: 3, bad: map[string]string{"Node n1": "bird", "Node n2": "bird6"}},
		"more than one may lose": {nodes: 500, lines: true, bad: everyNode(500), want: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			state := mesh(c.nodes)
			if c.change != nil {
				c.change(state)
			}
			check := &checker{state: state, bad: c.bad, tell: c.lines}
			first, refused := check.try(context.Background(), nil)
			r, err := Find(context.Background(), first, refused, Options{Try: check.try})
			want := c.want
			if want == nil {
				want = slices.Sorted(maps.Keys(c.bad))
			}
			if got := named(r.Culprits); !slices.Equal(got, want) {
				t.Errorf("culprits %v, want %v (%v)", got, want, err)
			}
			if (err == nil) != (len(want) > 0) || err != nil && !errors.Is(err, refused) {
				t.Errorf("error %v", err)
			}
			if r.Checks != len(check.without)-1 || c.checks > 0 && r.Checks > c.checks {
				t.Errorf("%d checks (%d tries), want at most %d", r.Checks, len(check.without)-1, c.checks)
			}
			if err == nil {
				if _, again := check.try(context.Background(), r.Culprits); again != nil {
					t.Errorf("without the culprits: %v", again)
				}
			}
		})
	}
}

// halving is how many checks some culprits among n objects may cost: one to see
// that it helps at all; for each, the halves and a look at what is left; and one
// for each to see that it is needed.
func halving(n, culprits int) int {
	return 1 + culprits*(int(math.Ceil(math.Log2(float64(n))))+1) + culprits
}

func routeReflectors(count int) func(*backends.State) {
	return func(s *backends.State) {
		off := false
		s.BGPConfigurations["default"] = &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: &off}
		s.BGPPeers["rr"] = &backends.BGPPeer{Name: "rr", Node: "n0", PeerSelector: "has(rr)"}
		for i := range count {
			s.Nodes[fmt.Sprintf("n%d", i+1)].Labels = map[string]string{"rr": ""}
		}
	}
}

func everyNode(n int) map[string]string {
	bad := map[string]string{}
	for i := range n {
		bad[fmt.Sprintf("Node n%d", i)] = "bird"
	}
	return bad
}

func named(culprits map[backends.Key]string) []string {
	names := []string{}
	for k := range culprits {
		names = append(names, k.String())
	}
	slices.Sort(names)
	return names
}

// TestRemembered: what was found the last time costs one check, and one for
// each culprit to see whether it is still one.
func TestRemembered(t *testing.T) {
	ctx := context.Background()
	state := mesh(100)
	check := &checker{state: state, bad: map[string]string{"Node n7": "bird", "Node n8": "bird"}}
	first, refused := check.try(ctx, nil)
	r, err := Find(ctx, first, refused, Options{Try: check.try})
	if err != nil {
		t.Fatal(err)
	}
	var m Memory
	m.Keep(state, r.Culprits)
	if again, err := Find(ctx, first, refused, Options{Try: check.try, Remembered: m.Unchanged(state)}); err != nil ||
		!maps.Equal(again.Culprits, r.Culprits) || again.Checks != 3 {
		t.Errorf("again: %v, %d checks, %v", again.Culprits, again.Checks, err)
	}

	// One healed by something else, and another went bad.
	check.bad = map[string]string{"Node n8": "bird", "Node n55": "bird"}
	first, refused = check.try(ctx, nil)
	other, err := Find(ctx, first, refused, Options{Try: check.try, Remembered: m.Unchanged(state)})
	if got := named(other.Culprits); err != nil || !slices.Equal(got, []string{"Node n55", "Node n8"}) {
		t.Errorf("after a change: %v, %v", got, err)
	}

	changed := *state.Nodes["n7"]
	changed.ASNumber = 65007
	state.Apply(backends.Event{Key: changed.ResourceKey(), Resource: &changed})
	if got := named(m.Unchanged(state)); !slices.Equal(got, []string{"Node n8"}) {
		t.Errorf("remembered after n7 changed: %v", got)
	}
}

// TestEnds: what is no refusal ends the search, and nothing is found.
func TestEnds(t *testing.T) {
	full := errors.New("no space left on device")
	stopped := errors.New("stopped")
	for name, c := range map[string]struct {
		at   func(context.CancelCauseFunc)
		err  error
		want error
	}{
		"another error": {at: func(context.CancelCauseFunc) {}, err: full, want: full},
		"the context":   {at: func(cancel context.CancelCauseFunc) { cancel(stopped) }, err: &reload.CheckError{Set: "bird"}, want: stopped},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		check := &checker{state: mesh(50), bad: map[string]string{"Node n7": "bird"}, tell: true}
		first, refused := check.try(ctx, nil)
		r, err := Find(ctx, first, refused, Options{Try: func(context.Context, map[backends.Key]string) (Attempt, error) {
			c.at(cancel)
			return first, c.err
		}})
		if !errors.Is(err, c.want) || !errors.Is(err, refused) || len(r.Culprits) > 0 || r.Checks != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
