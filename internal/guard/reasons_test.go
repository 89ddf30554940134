package guard_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"confd/backends"
	"confd/internal/guard"
)

// reasonsState is a mesh of four nodes, two of which have IPv6; node-3 and node-4
// have the label "rr", which nobody asks for, and all have sessions with a router.
func reasonsState() *backends.State {
	s := mesh(4, false)
	for _, n := range []int{1, 2} {
		put(s, aNode(n, true))
	}
	label := func(name string, labels map[string]string) {
		change(s.Nodes, name, func(n *backends.Node) { n.Labels = labels })
	}
	label("node-3", map[string]string{"rr": ""})
	label("node-4", map[string]string{"rr": "", "rack": "a"})
	p := aPeer("router", "192.0.2.1", 65000)
	p.Port, p.Password = 1790, &backends.SecretKeyRef{Name: "mesh", Key: "password"}
	put(s, p)
	put(s, password("x"))
	return s
}

// reflected has sessions with the reflectors only, and the router.
func reflected() *backends.State {
	s := reasonsState()
	off(s)
	put(s, &backends.BGPPeer{Name: "rr", PeerSelector: "has(rr)"})
	return s
}

// TestReasons has changes of all sorts named, held or not: of those that are not
// the lists are empty.
func TestReasons(t *testing.T) {
	label := func(name string, labels map[string]string) func(*backends.State) {
		return func(s *backends.State) {
			change(s.Nodes, name, func(n *backends.Node) { n.Labels = labels })
		}
	}
	all := func(changes ...func(*backends.State)) func(*backends.State) {
		return func(s *backends.State) {
			for _, c := range changes {
				c(s)
			}
		}
	}
	onRouter := func(do func(*backends.BGPPeer)) func(*backends.State) {
		return func(s *backends.State) { change(s.BGPPeers, "router", do) }
	}
	for name, test := range map[string]struct {
		before  func() *backends.State
		change  func(*backends.State)
		why     string
		because []string
	}{
		"nothing":    {reasonsState, func(*backends.State) {}, "", nil},
		"nodes gone": {reasonsState, without(backends.KindNode, "node-2", "node-3"), "", nil},
		"another address": {reasonsState, func(s *backends.State) {
			change(s.Nodes, "node-2", func(n *backends.Node) { n.IPv4 = nodeAddress("10.0.0.22/24") })
		}, "", nil},
		"a label": {reflected, label("node-3", nil), "", nil},
		"all labels": {reflected, all(label("node-3", nil), label("node-4", map[string]string{"rack": "b", "x\n": ""}), label("node-2", map[string]string{"unrelated": ""})),
			"it would take away 2 of 3 established sessions", []string{
				"Node node-2: label unrelated is new", "Node node-3: label rr is gone", `Node node-4: label rack was "a", is "b", label rr is gone, label "x\n" is new`,
			}},
		"the list is empty": {reflected, without(backends.KindBGPPeer, "rr", "router"),
			"it would take away 3 of 3 established sessions", []string{"BGPPeer router is gone", "BGPPeer rr is gone"}},
		"a selector": {reflected, all(func(s *backends.State) { put(s, &backends.BGPPeer{Name: "rr", PeerSelector: "has(rx)"}) }, func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), LogSeverity: "Debug"})
		}), "it would take away 2 of 3 established sessions", []string{`BGPPeer rr: peerSelector was "has(rr)", is "has(rx)"`}},
		"another port of a router": {reflected, onRouter(func(p *backends.BGPPeer) { p.Port = 1791 }), "", nil},
		"the router and a label": {reflected, all(onRouter(func(p *backends.BGPPeer) { p.ASNumber, p.TTLSecurity = 65001, 2 }), label("node-3", nil)),
			"it would take away 1 of 3 established sessions, and remake 1", []string{`BGPPeer router: asNumber was "65000", is "65001", ttlSecurity was not set, is "2"`, "Node node-3: label rr is gone"}},
		"another port of nodes": {reflected, func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ListenPort: 1179})
		}, "it would remake 3 of 3 established sessions", []string{`BGPConfiguration default: listenPort was not set, is "1179"`}},
		"a bad password, and another AS": {reflected, func(s *backends.State) {
			put(s, password("\""))
			change(s.Nodes, "node-3", func(n *backends.Node) { n.ASNumber = 65001 })
		}, "it would take away 1 of 3 established sessions, and remake 1", []string{"Secret kube-system/mesh changed", `Node node-3: its AS number was not set, is "65001"`}},
		"another AS, and a Secret that nobody names any more": {secured, func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "default", ASNumber: 65001})
			unsecured(s)
		}, "it would remake 3 of 3 established sessions", []string{`BGPConfiguration default: asNumber was not set, is "65001", nodeMeshPassword was "mesh/password", is not set`}},
		"a bad peer, and no label": {reflected, all(func(s *backends.State) {
			s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindBGPPeer, Name: "router"}, Err: errors.New("no sense")})
		}, label("node-4", nil)), "it would take away 2 of 3 established sessions",
			[]string{"BGPPeer router can no longer be used: no sense", "Node node-4: label rack is gone, label rr is gone"}},
		"the cluster ID of a reflector": {reflected, func(s *backends.State) {
			change(s.Nodes, "node-1", func(n *backends.Node) { n.ClusterID = netip.MustParseAddr("1.1.1.1") })
		}, "", nil},
		"no IPv6": {reasonsState, func(s *backends.State) { put(s, aNode(1, false)) },
			"it would take away 1 of 1 established IPv6 sessions", []string{"Node node-1: its IPv6 address fd00::1 is gone"}},
		"its own AS": {reasonsState, func(s *backends.State) {
			put(s, &backends.BGPConfiguration{Name: "node.node-1", ListenPort: 1790})
			change(s.Nodes, "node-1", func(n *backends.Node) { n.ASNumber = 65001 })
		}, "it would remake 5 of 5 established sessions", []string{`BGPConfiguration node.node-1: listenPort was not set, is "1790"`, `Node node-1: its AS number was not set, is "65001"`}},
		"no filter, no source": {reflected, all(onRouter(func(p *backends.BGPPeer) { p.NoSourceAddress = true }), func(s *backends.State) {
			put(s, &backends.BGPPeer{Name: "rr", PeerSelector: "has(rr)", NoSourceAddress: true})
		}), "it would remake 3 of 3 established sessions", []string{"BGPPeer router changed", "BGPPeer rr changed"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := guard.Judge(question(t, test.before(), test.change))
			if v.Why != test.why || v.Held != (test.why != "") {
				t.Errorf("held %t: %s", v.Held, v.Why)
			}
			if diff := cmp.Diff(test.because, v.Objects, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestManyReasons names no more objects than anybody reads.
func TestManyReasons(t *testing.T) {
	s := mesh(100, false)
	v := guard.Judge(question(t, s, func(s *backends.State) {
		for name := range s.Nodes {
			if name != "node-1" {
				addressless(name)(s)
			}
		}
	}))
	if n := len(v.Objects); n != 31 || v.Objects[30] != "and 69 more" || len(v.Lost) != 99 {
		t.Errorf("%d are lost for %d reasons: %v", len(v.Lost), n, v.Objects)
	}
}
