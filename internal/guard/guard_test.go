package guard_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/internal/guard"
)

const (
	switchedOff = "BGPConfiguration default: the mesh was switched off"
)

func TestHeld(t *testing.T) {
	for name, test := range map[string]struct {
		nodes  int
		change func(*backends.State)
		ask    func(*guard.Question)
		want   string
	}{
		"mesh off":  {nodes: 4, change: off, want: "it would take away 3 of 3 established sessions"},
		"one of it": {nodes: 4, change: func(s *backends.State) { drop(s, backends.KindNode, "node-4") }, want: goesLive},
		"none is up": {nodes: 4, change: off, ask: func(q *guard.Question) { q.Seen = nil },
			want: goesLive},
		"lost a moment ago": {nodes: 4, change: off, ask: func(q *guard.Question) { q.Seen = downSince(q.Seen, time.Minute) },
			want: "it would take away 3 of 3 established sessions"},
		"lost long ago": {nodes: 4, change: off, ask: func(q *guard.Question) { q.Seen = downSince(q.Seen, guard.DefaultWindow) },
			want: goesLive},
		"lost long ago, and held since": {nodes: 4, change: off, ask: func(q *guard.Question) {
			first := guard.Judge(*q)
			q.Held, q.Seen = &guard.Held{Lost: first.Lost}, downSince(q.Seen, time.Hour)
		}, want: "it would take away 3 of 3 established sessions"},
		"what runs is not known": {nodes: 4, change: off, ask: func(q *guard.Question) { q.Running = nil }, want: "it would take away 3 of 3 established sessions"},
		"it is what runs": {nodes: 4, change: off, ask: func(q *guard.Question) {
			q.Candidate.Hash = q.Running.Hash
		}, want: goesLive},
	} {
		t.Run(name, func(t *testing.T) {
			q := question(t, mesh(test.nodes, false), test.change)
			if test.ask != nil {
				test.ask(&q)
			}
			v := guard.Judge(q)
			if heldText(v) != test.want || v.Held != (test.want != goesLive) {
				t.Errorf("held %t: %s", v.Held, heldText(v))
			}
		})
	}
}

func TestApproved(t *testing.T) {
	q := question(t, mesh(4, false), off)
	first := guard.Judge(q)
	if diff := cmp.Diff([]string{switchedOff}, first.Objects); diff != "" || len(first.Lost) != 3 {
		t.Errorf("lost %v: %s", first.Lost, diff)
	}
	put(q.Candidate.State, &backends.BlockAffinity{Name: "b", Node: "node-1", CIDR: nodeAddress("10.128.1.0/26").Subnet})
	q.Candidate = side(t, q.Candidate.State)
	q.Approved = []string{"something else"}
	if v := guard.Judge(q); v.ID != first.ID || !v.Held || v.Approved {
		t.Errorf("a block makes it something else: %+v, was %+v", v, first)
	}
	q.Approved = append(q.Approved, first.ID)
	if v := guard.Judge(q); v.Held || !v.Approved || len(v.Lost) != 3 {
		t.Errorf("approved, and still held: %+v", v)
	}
}

func TestWatch(t *testing.T) {
	block := func(s *backends.State) {
		put(s, &backends.BlockAffinity{Name: "b", Node: "node-1", CIDR: nodeAddress("10.128.1.0/26").Subnet})
	}
	two := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3"}
	for name, test := range map[string]struct {
		change func(*backends.State)
		ask    func(*guard.Question)
		want   map[string]guard.Watch
		known  bool
	}{
		"a node added":   {change: func(s *backends.State) { put(s, aNode(4, false)) }, want: map[string]guard.Watch{"bird": {}}, known: true},
		"all refiltered": {change: block, want: map[string]guard.Watch{"bird": {Stay: two}}, known: true},
		"one is not up":  {change: block, ask: func(q *guard.Question) { q.Seen = downSince(q.Seen, time.Second, two[0]) }, want: map[string]guard.Watch{"bird": {Stay: two[1:]}}, known: true},
		"one is remade":  {change: func(s *backends.State) { change(s.Nodes, "node-3", func(n *backends.Node) { n.ASNumber = 65000 }) }, want: map[string]guard.Watch{"bird": {Return: two[1:]}}, known: true},
		"one is remade, as announced": {change: func(s *backends.State) {
			change(s.Nodes, "node-3", func(n *backends.Node) { n.ASNumber = 65000; announce(n, inAnHour) })
		}, want: map[string]guard.Watch{"bird": {}}, known: true},
		"another one is announced": {change: func(s *backends.State) {
			change(s.Nodes, "node-3", func(n *backends.Node) { n.ASNumber = 65000 })
			change(s.Nodes, "node-2", func(n *backends.Node) { announce(n, inAnHour) })
		}, want: map[string]guard.Watch{"bird": {Return: two[1:]}}, known: true},
		"all are remade, as approved": {change: asNumber(64600), ask: func(q *guard.Question) {
			q.Approved = []string{guard.Judge(*q).ID}
		}, want: map[string]guard.Watch{"bird": {}}, known: true},
		"all are remade, as announced": {change: func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", ASNumber: 64600, Intent: backends.Intent{DisruptionUntil: inAnHour}})
		}, want: map[string]guard.Watch{"bird": {}}, known: true},
		"all get the source that the machine has in the place of the old one": {change: renumbered, ask: func(q *guard.Question) {
			q.Local = addrs("10.0.0.99")
		}, want: map[string]guard.Watch{"bird": {}}, known: true},
		"all get another source of the machine's": {change: renumbered, ask: func(q *guard.Question) {
			q.Local = addrs("10.0.0.1", "10.0.0.99")
		}, want: map[string]guard.Watch{"bird": {Return: two}}, known: true},
		"what was not known": {change: block, ask: func(q *guard.Question) { q.Running = nil }, want: map[string]guard.Watch{}},
		"only texts": {change: block, ask: func(q *guard.Question) {
			q.Running.Config, q.Running.State = nil, nil
			q.Running.Sets = append(q.Running.Sets, textSet("bird", "protocol bgp Mesh_10_0_0_2 { neighbor 10.0.0.2 as 1; }\nprotocol bgp Mesh_10_0_0_3 { import none; }"))
			q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp Mesh_10_0_0_2 { neighbor 10.0.0.2 as 2; }\nprotocol bgp Mesh_10_0_0_3 { import all; }"))
		}, want: map[string]guard.Watch{"bird": {Stay: two[1:], Return: two[:1]}}, known: true},
		"other templates": {change: block, ask: func(q *guard.Question) {
			q.OtherTemplates = true
			q.Running.Sets = append(q.Running.Sets, textSet("bird", "protocol bgp Mesh_10_0_0_2 { import none; }"))
			q.Candidate.Sets = append(q.Candidate.Sets, textSet("bird", "protocol bgp Mesh_10_0_0_2 { import all; }"), textSet("other", ""))
		}, want: map[string]guard.Watch{"bird": {Stay: two[:1]}}},
	} {
		t.Run(name, func(t *testing.T) {
			q := question(t, mesh(3, false), test.change)
			if test.ask != nil {
				test.ask(&q)
			}
			v := guard.Judge(q)
			if diff := cmp.Diff(test.want, v.Watch, cmpopts.EquateEmpty()); diff != "" || v.Known != test.known || v.Same {
				t.Errorf("known %t, same %t: %s", v.Known, v.Same, diff)
			}
		})
	}
	q := question(t, mesh(3, false), block)
	tried := guard.Judge(q)
	q.Untried = true
	if v := guard.Judge(q); len(tried.Watch) == 0 || len(v.Watch) > 0 || v.Held != tried.Held || v.ID != tried.ID || !reflect.DeepEqual(v.Changes, tried.Changes) {
		t.Errorf("without a trial: %+v", v)
	}
	q.Candidate.Hash = q.Running.Hash
	if v := guard.Judge(q); !v.Same || len(v.Watch) > 0 {
		t.Errorf("%+v", v)
	}
}

// TestLoopbackIsHere: of an address of the loopback, which is on no interface, nothing is
// said that would be said of another one.
func TestLoopbackIsHere(t *testing.T) {
	for address, homeless := range map[string]bool{"127.0.1.1/8": false, "10.0.0.99/24": true} {
		q := question(t, mesh(3, false), func(s *backends.State) {
			change(s.Nodes, "node-1", func(n *backends.Node) { n.IPv4 = nodeAddress(address) })
		})
		q.Local = addrs("10.0.0.1", "127.0.0.1")
		v := guard.Judge(q)
		if said := v.Why + strings.Join(v.Notes, ""); strings.Contains(said, "no interface") != homeless {
			t.Errorf("%s: %q, %q", address, v.Why, v.Notes)
		}
	}
}
