package guard_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/outline"
)

// judgedOn has a change judged on a node, all of whose sessions are established.
func judgedOn(t *testing.T, node string, before, after *backends.State) guard.Verdict {
	t.Helper()
	o := bgp.Options{Node: node, SecretNamespace: "kube-system"}
	compute := func(s *backends.State) guard.Side {
		c, err := bgp.Compute(s, o)
		if err != nil {
			t.Fatal(err)
		}
		return guard.Side{Config: c, State: s, Hash: fmt.Sprintf("%p", c)}
	}
	running := compute(before)
	return guard.Judge(guard.Question{
		Options: o, Now: now(), BIRD: 2, Salt: outline.Salt("of " + node), Running: &running, Candidate: compute(after), Seen: upNow(running.Config),
	})
}

// TestTheSameID has the same change held on all nodes: its name is the same there,
// whatever else each node has of its own.
func TestTheSameID(t *testing.T) {
	for name, test := range map[string]struct {
		before *backends.State
		change func(*backends.State)
	}{
		"mesh off":     {mesh4(), off},
		"AS number":    {mesh4(), asNumber(64600)},
		"no Secret":    {secured(), unsecured},
		"a Secret":     {secured(), func(s *backends.State) { put(s, password("two")) }},
		"all BGPPeers": {peered(3)(), without(backends.KindBGPPeer, "router-1", "router-2", "router-3")},
		"all addresses": {mesh46(), func(s *backends.State) {
			for name := range s.Nodes {
				change(s.Nodes, name, func(n *backends.Node) { n.IPv6 = backends.NodeAddress{} })
			}
		}},
		"all reflect": {mesh4(), reflecting("node-1", "node-2", "node-3", "node-4")},
		"a pool": {func() *backends.State {
			s := routed()
			a := *affinity("10.128.2.0/26")
			a.Node = "node-2"
			put(s, &a)
			return s
		}(), func(s *backends.State) {
			change(s.IPPools, "pool", func(p *backends.IPPool) { p.DisableBGPExport = true })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			after := test.before.Clone()
			test.change(after)
			first := judgedOn(t, "node-1", test.before, after)
			// The other node has not seen yet what its own block is, and a label.
			earlier, later := test.before.Clone(), after.Clone()
			other := *affinity("10.128.77.0/26")
			other.Node = "node-2"
			put(later, &other)
			change(later.Nodes, "node-2", func(n *backends.Node) { n.Labels = map[string]string{"zone": "b", "rr": n.Labels["rr"]} })
			second := judgedOn(t, "node-2", earlier, later)
			if !first.Held || !second.Held || first.ID != second.ID {
				t.Errorf("node-1: %t %s %v\nnode-2: %t %s %v", first.Held, first.ID, first.Objects, second.Held, second.ID, second.Objects)
			}
		})
	}
}

// TestTheSameIDAlways has the same change held, and it is known how many routes the
// sessions had, or not. A filter that is another reason shows.
func TestTheSameIDAlways(t *testing.T) {
	before := filtered()
	after := func(s *backends.State) {
		without(backends.KindBGPPeer, "router-1", "router-2", "router-3")(s)
		put(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ServiceExternalIPs: []netip.Prefix{netip.MustParsePrefix("203.0.113.1/32")}})
		withFilter()(s)
	}
	w := newWorld(t, before)
	w.write(after)
	unknown, known := guard.Judge(w.question()), guard.Judge(w.routes(2).question())
	if unknown.Why == known.Why || !unknown.Held || unknown.ID != known.ID {
		t.Errorf("%s %s %v\n%s %s %v", unknown.ID, unknown.Why, unknown.Objects, known.ID, known.Why, known.Objects)
	}
	w = newWorld(t, filtered())
	w.write(func(s *backends.State) {
		without(backends.KindBGPPeer, "router-1", "router-2")(s)
		withFilter(backends.FilterRule{})(s)
	})
	if both := guard.Judge(w.routes(2).question()); !strings.Contains(strings.Join(both.Objects, "\n"), "BGPFilter rules") {
		t.Errorf("%s: %v", both.Why, both.Objects)
	}
}

func TestAnotherID(t *testing.T) {
	ids := map[string]string{}
	for name, change := range map[string]func(*backends.State){
		"mesh off": off, "one AS number": asNumber(64600), "another": asNumber(64601), "no configuration and off": func(s *backends.State) {
			off(s)
			unsecured(s)
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { c.ListenPort = 1790 })
		},
		"no Secret": unsecured, "one password": func(s *backends.State) { put(s, password("two")) }, "another password": func(s *backends.State) { put(s, password("three")) },
	} {
		after := secured().Clone()
		change(after)
		v := judgedOn(t, "node-1", secured(), after)
		if other, taken := ids[v.ID]; taken || !v.Held || v.ID == "" {
			t.Errorf("%s: %t, %q is the ID of %s as well", name, v.Held, v.ID, other)
		}
		ids[v.ID] = name
	}
}

// TestOneApproval approves what is held for all nodes, by an annotation.
func TestOneApproval(t *testing.T) {
	before, after := peered(3)(), peered(3)()
	for name := range after.BGPPeers {
		change(after.BGPPeers, name, func(p *backends.BGPPeer) { p.ASNumber++ })
	}
	held := judgedOn(t, "node-1", before, after)
	if !held.Held {
		t.Fatal(heldText(held))
	}
	approve := func(id string) backends.Intent { return backends.Intent{Approved: id} }
	for name, test := range map[string]struct {
		write func(*backends.State)
		want  bool
	}{
		"on the configuration": {func(s *backends.State) {
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { c.Intent = approve(held.ID) })
		}, true},
		"on one of the objects": {func(s *backends.State) {
			change(s.BGPPeers, "router-2", func(p *backends.BGPPeer) { p.Intent = approve(" " + held.ID + "\n") })
		}, true},
		"among others": {func(s *backends.State) {
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { c.Intent = approve("0123, " + held.ID + ",77") })
		}, true},
		"on another object": {func(s *backends.State) {
			change(s.IPPools, "pool", func(p *backends.IPPool) { p.Intent = approve(held.ID) })
		}, false},
		"something else": {func(s *backends.State) {
			change(s.BGPConfigurations, "default", func(c *backends.BGPConfiguration) { c.Intent = approve("0123") })
		}, false},
	} {
		s := after.Clone()
		test.write(s)
		for _, node := range []string{"node-1", "node-2"} {
			v := judgedOn(t, node, before, s)
			if v.Approved != test.want || v.Held == test.want || v.ID != held.ID || (len(v.Pardoned) > 0) != test.want {
				t.Errorf("%s, on %s: %+v", name, node, v)
			}
		}
	}
}
