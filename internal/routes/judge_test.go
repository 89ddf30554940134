package routes

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/reload/control"
)

var morning = time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)

func net(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// node is what node-1 should have: a mesh with node-2 and node-3, whose blocks are
// known, a block, and a service address.
func node(builtIn bool) Want {
	mesh := func(address, node string) *bgp.Session {
		return &bgp.Session{
			Name: "Mesh_" + strings.ReplaceAll(address, ".", "_"), Kind: bgp.MeshSession, Neighbor: netip.MustParseAddr(address),
			PeerNode: node, AS: 64512, LocalAS: 64512, Internal: true, Source: netip.MustParseAddr("10.0.0.1"),
		}
	}
	pool := bgp.Pool{Name: "pods", CIDR: net("10.2.0.0/16")}
	c := &bgp.Config{Node: "node-1", IPv4: bgp.Family{
		Version: 4, Address: netip.MustParseAddr("10.0.0.1"), NormalPriority: 1024,
		Sessions: []*bgp.Session{mesh("10.0.0.2", "node-2"), mesh("10.0.0.3", "node-3")},
		Statics:  []bgp.StaticRoute{{Net: net("10.2.1.0/26")}, {Net: net("10.96.0.0/12")}, {Net: net("10.9.9.9/32"), Via: netip.MustParseAddr("10.0.0.9")}},
		Export: bgp.ExportPolicy{
			Blocks: []netip.Prefix{net("10.2.1.0/26")}, Pools: []bgp.Pool{pool}, RejectPools: []bgp.Pool{{Name: "hidden", CIDR: net("10.3.0.0/16")}},
			Services: []bgp.StaticRoute{{Net: net("10.96.0.0/12")}},
		},
		Kernel: bgp.KernelPolicy{Pools: []bgp.PoolRoutes{{Pool: pool, Action: bgp.PoolAccept}, {Pool: bgp.Pool{Name: "vxlan", CIDR: net("10.4.0.0/16")}, Action: bgp.PoolReject}}},
	}}
	s := backends.NewState()
	for i, name := range []string{"node-1", "node-2", "node-3"} {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		s.Nodes[name] = &backends.Node{Name: name, IPv4: backends.NodeAddress{Addr: a}}
	}
	s.Nodes["node-4"] = &backends.Node{Name: "node-4"} // without BGP
	for name, b := range map[string]backends.BlockAffinity{
		"a": {Node: "node-1", CIDR: net("10.2.1.0/26"), State: "confirmed"}, "b": {Node: "node-2", CIDR: net("10.2.2.0/26"), State: "confirmed"},
		"c": {Node: "node-3", CIDR: net("10.2.3.0/26")}, "d": {Node: "node-3", CIDR: net("10.2.3.64/26"), State: "pending"},
		"e": {Node: "node-4", CIDR: net("10.2.4.0/26")}, "h": {Node: "node-2", CIDR: net("10.4.2.0/26")}, "f": {Node: "node-2", CIDR: net("10.3.2.0/26")}, "g": {Node: "node-2", CIDR: net("10.2.2.99/32")},
	} {
		s.BlockAffinities[name] = &b
	}
	return WantOf(c, s, []*bgp.Family{&c.IPv4}, builtIn)
}

func hop(via string) []control.Hop {
	return []control.Hop{{Via: netip.MustParseAddr(via), Interface: "eth0"}}
}

// right is a look at node, where nothing is wrong.
func right() Look {
	session := func(name string) control.SessionRoutes {
		return control.SessionRoutes{Name: name, BGPState: "Established", Routes: []control.RouteCount{{Family: "ipv4", Imported: 1, Preferred: 1, Exported: 2}}}
	}
	route := func(to, protocol, via string) control.Route {
		return control.Route{Net: net(to), Protocol: protocol, Target: control.Unicast, Hops: hop(via)}
	}
	block := control.Route{Net: net("10.2.1.0/26"), Protocol: "calico_static4", Target: control.Blackhole}
	two, three := route("10.2.2.0/26", "Mesh_10_0_0_2", "10.0.0.2"), route("10.2.3.0/26", "Mesh_10_0_0_3", "10.0.0.3")
	own := control.Route{Net: net("10.0.0.0/24"), Protocol: "calico_direct", Target: control.Unicast, Hops: []control.Hop{{Interface: "eth0"}}}
	entry := func(r control.Route, metric uint32) Entry {
		return Entry{Net: r.Net, Table: 254, Metric: metric, BIRD: true, Target: r.Target, Hops: r.Hops}
	}
	return Look{
		At: morning, Local: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, Signature: Signature{1, 2, 3},
		Overview: control.Overview{
			Sessions: []control.SessionRoutes{session("Mesh_10_0_0_2"), session("Mesh_10_0_0_3")},
			Others: []control.ProtocolState{
				{Name: "calico_direct", Kind: "Direct", State: "up", Routes: []control.RouteCount{{Family: "ipv4", Imported: 1}}},
				{Name: "calico_static4", Kind: "Static", State: "up", Routes: []control.RouteCount{{Family: "ipv4", Imported: 1}}},
				{Name: "calico_kernel4", Kind: "Kernel", State: "up", Routes: []control.RouteCount{{Family: "ipv4", Imported: 7, Exported: 4}}},
			},
		},
		Lists: &Lists{
			Primary: []control.Route{own, block, two, three},
			Exports: map[string][]netip.Prefix{"Mesh_10_0_0_2": {net("10.2.1.0/26"), net("10.96.0.0/12")}},
			Kernel: map[int]Kernel{4: {
				Wanted:  []control.Route{own, block, two, three},
				Entries: []Entry{entry(block, 0), entry(two, 1024), entry(three, 1024), {Net: net("0.0.0.0/0"), Table: 254, Target: control.Unicast, Hops: hop("10.0.0.254")}},
			}},
		},
	}
}

func TestJudge(t *testing.T) {
	kernel := func(change func(*Kernel)) func(*Look) {
		return func(l *Look) {
			k := l.Lists.Kernel[4]
			change(&k)
			l.Lists.Kernel[4] = k
		}
	}
	old := Entry{Net: net("10.2.2.0/26"), Table: 254, Metric: 512, BIRD: true, Target: control.Unicast, Hops: hop("10.0.0.9")}
	dead := control.Route{Net: net("10.2.2.0/26"), Protocol: "Mesh_10_0_0_2", NextHop: netip.MustParseAddr("10.7.0.2"), Target: control.Unreachable}
	detour := control.Route{Net: net("10.2.2.0/26"), Protocol: "Mesh_10_0_0_2", NextHop: netip.MustParseAddr("10.0.0.2"), Target: control.Unicast, Hops: hop("10.0.0.254")}
	connected := Entry{Net: net("10.0.0.0/24"), Table: 254, Target: control.Unicast, Hops: []control.Hop{{Interface: "eth0"}}}
	down := func(l *Look) { l.Overview.Sessions[0].BGPState = "Active" }
	for name, test := range map[string]struct {
		change  func(*Look)
		foreign bool // the templates are a user's
		want    []string
	}{
		"nothing is wrong":  {change: func(*Look) {}},
		"missing":           {change: kernel(func(k *Kernel) { k.Entries = k.Entries[1:] }), want: []string{"kernel_missing 10.2.1.0/26 calico_static4"}},
		"nothing there":     {change: kernel(func(k *Kernel) { k.Entries = nil }), want: []string{"kernel_missing 10.2.1.0/26 calico_static4", "kernel_missing 10.2.2.0/26 Mesh_10_0_0_2", "kernel_missing 10.2.3.0/26 Mesh_10_0_0_3"}},
		"another way":       {change: kernel(func(k *Kernel) { k.Entries[1].Hops, k.Entries[1].BIRD = hop("10.0.0.9"), false }), want: []string{"kernel_other 10.2.2.0/26 Mesh_10_0_0_2"}},
		"another target":    {change: kernel(func(k *Kernel) { k.Entries[0].Target, k.Entries[0].Hops = control.Unicast, hop("10.0.0.9") }), want: []string{"kernel_other 10.2.1.0/26 calico_static4"}},
		"one of two ways":   {change: kernel(func(k *Kernel) { k.Wanted[2].Hops = append(hop("10.0.0.9"), k.Wanted[2].Hops...) })},
		"metric not known":  {change: kernel(func(k *Kernel) { k.Entries = append(k.Entries, old) })},
		"not in a recovery": {change: func(l *Look) { kernel(func(k *Kernel) { k.Entries = nil })(l); l.Status.Recovery.InProgress = true }},
		"stale": {
			change: kernel(func(k *Kernel) {
				k.Entries, k.Metrics = append(k.Entries, old), map[netip.Prefix]uint32{old.Net: 1024}
			}),
			want: []string{"kernel_stale 10.2.2.0/26 Mesh_10_0_0_2 removes 10.2.2.0/26 via 10.0.0.9 on eth0 metric 512"},
		},
		"in another table alone": {
			change: kernel(func(k *Kernel) { k.Entries[1].Table = 7 }),
			want:   []string{"kernel_missing 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"another way, and the right one in another table": {
			change: kernel(func(k *Kernel) {
				other := k.Entries[1]
				other.Hops, other.Metric = hop("10.0.0.9"), 512
				k.Entries[1].Table = 7
				k.Entries = append(k.Entries, other)
			}),
			want: []string{"kernel_other 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"all in a table of a user's": {
			foreign: true,
			change: kernel(func(k *Kernel) {
				for i := range k.Entries {
					k.Entries[i].Table = 7
				}
				k.Entries = append(k.Entries, Entry{Net: net("10.2.77.0/26"), Table: 254, BIRD: true}, old)
				k.Metrics = map[netip.Prefix]uint32{old.Net: 1024}
			}),
		},
		"missing in a table of a user's": {
			foreign: true,
			change: kernel(func(k *Kernel) {
				for i := range k.Entries[:2] {
					k.Entries[i].Table = 7
				}
			}),
			want: []string{"kernel_missing 10.2.3.0/26 Mesh_10_0_0_3"},
		},
		"in another table": {change: kernel(func(k *Kernel) {
			other := old
			other.Table = 7
			k.Entries, k.Metrics = append(k.Entries, other), map[netip.Prefix]uint32{old.Net: 1024}
		})},
		"of somebody else": {change: kernel(func(k *Kernel) {
			other := old
			other.BIRD = false
			k.Entries, k.Metrics = append(k.Entries, other), map[netip.Prefix]uint32{old.Net: 1024}
		})},
		"the new one is not there yet": {
			change: kernel(func(k *Kernel) {
				k.Entries[1], k.Metrics = old, map[netip.Prefix]uint32{old.Net: 1024}
			}),
			want: []string{"kernel_other 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"left": {
			change: kernel(func(k *Kernel) {
				k.Entries = append(k.Entries, Entry{Net: net("10.2.77.0/26"), Table: 254, BIRD: true}, Entry{Net: net("10.66.0.0/26"), BIRD: true}, Entry{Net: net("10.2.78.0/26")})
			}),
			want: []string{"kernel_left 10.2.77.0/26"},
		},
		"dead": {change: func(l *Look) { l.Lists.Dead = []control.Route{dead} }, want: []string{"unreachable 10.2.2.0/26 Mesh_10_0_0_2"}},
		"dead by a route of BGP": {
			change: func(l *Look) {
				l.Lists.Dead = []control.Route{dead}
				l.Lists.Primary = append(l.Lists.Primary, control.Route{Net: net("0.0.0.0/0"), Protocol: "Mesh_10_0_0_3"})
			},
			want: []string{"next_hop_by_bgp 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"dead, and the kernel knows a way": {
			change: func(l *Look) {
				l.Lists.Dead = []control.Route{dead}
				l.Lists.Primary = append(l.Lists.Primary, control.Route{Net: net("0.0.0.0/0"), Protocol: "Mesh_10_0_0_3"}, control.Route{Net: net("10.7.0.0/24"), Protocol: "calico_kernel4"})
			},
			want: []string{"unreachable 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"by a router, and the kernel is on that network": {
			change: func(l *Look) {
				l.Lists.Detours = []control.Route{detour}
				kernel(func(k *Kernel) { k.Entries = append(k.Entries, connected) })(l)
			},
			want: []string{"next_hop_by_router 10.2.2.0/26 Mesh_10_0_0_2"},
		},
		"by a router, as the kernel does": {change: func(l *Look) { l.Lists.Detours = []control.Route{detour} }},
		"by a router, and the kernel has a better way": {change: func(l *Look) {
			l.Lists.Detours = []control.Route{detour}
			kernel(func(k *Kernel) {
				k.Entries = append(k.Entries, connected, Entry{Net: net("10.0.0.2/32"), Table: 254, Target: control.Unicast, Hops: hop("10.0.0.254")})
			})(l)
		}},
		"by a router, and another table of the kernel's is on that network": {change: func(l *Look) {
			l.Lists.Detours = []control.Route{detour}
			other := connected
			other.Table = 7
			kernel(func(k *Kernel) { k.Entries = append(k.Entries, other) })(l)
		}},
		"by the address of the next hop on its link": {change: func(l *Look) {
			near := detour
			near.Hops = hop("fe80::2")
			l.Lists.Detours = []control.Route{near}
			kernel(func(k *Kernel) { k.Entries = append(k.Entries, connected) })(l)
		}},
		"not told": {
			change: func(l *Look) { l.Lists.Exports["Mesh_10_0_0_2"] = []netip.Prefix{net("10.96.0.0/12")} },
			want:   []string{"not_told 10.2.1.0/26 Mesh_10_0_0_2"},
		},
		"told too little": {
			change: func(l *Look) { l.Overview.Sessions[1].Routes[0].Exported = 1 },
			want:   []string{"not_told Mesh_10_0_0_3"},
		},
		"not told by templates of a user's": {
			foreign: true,
			change: func(l *Look) {
				l.Lists.Exports["Mesh_10_0_0_2"] = nil
				l.Lists.Primary = nil
			},
		},
		"a block is absent": {change: func(l *Look) { l.Lists.Primary = l.Lists.Primary[:3] }, want: []string{"block_absent 10.2.3.0/26"}},
		"in a recovery": {change: func(l *Look) {
			l.Status.Recovery.InProgress, l.Lists.Primary, l.Lists.Exports["Mesh_10_0_0_2"] = true, nil, nil
		}},
		"as its node is away": {change: func(l *Look) {
			l.Lists.Primary = l.Lists.Primary[:3]
			l.Overview.Sessions[1].BGPState = "Active"
		}},
		"down by the peer": {change: down},
		"down, and the source is not here": {
			change: func(l *Look) { down(l); l.Local = []netip.Addr{netip.MustParseAddr("10.0.0.77")} },
			want:   []string{"source_not_local Mesh_10_0_0_2"},
		},
		"down, and addresses are not known": {change: func(l *Look) { down(l); l.Local = nil }},
		"down by a blackhole": {
			change: func(l *Look) {
				down(l)
				l.Ways = map[netip.Addr]Way{netip.MustParseAddr("10.0.0.2"): WayBlackhole}
			},
			want: []string{"peer_blackholed Mesh_10_0_0_2"},
		},
	} {
		l := right()
		test.change(&l)
		var got []string
		for _, f := range Judge(node(!test.foreign), l, Verdict{}).Faults {
			words := []string{string(f.Kind)}
			if f.Net.IsValid() {
				words = append(words, f.Net.String())
			}
			if f.Session != "" {
				words = append(words, f.Session)
			}
			for _, e := range f.Stale {
				words = append(words, "removes", e.String())
			}
			got = append(got, strings.Join(words, " "))
			if f.Text == "" || f.Kind.Cure() == "" || f.Family != 4 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, test.want)
		}
	}
}

// What is not read anew is as it was; what cannot be read is not known, and is no fault.
func TestJudgeGoesOn(t *testing.T) {
	w, l := node(true), right()
	l.Lists.Primary = nil
	v := Judge(w, l, Verdict{})
	if len(v.Faults) != 2 || !v.Whole.Equal(morning) {
		t.Fatalf("%+v", v)
	}
	want := Table{Family: 4, Static: 1, Direct: 1, Kernel: 7, BGP: 2, Programmed: 3}
	l.Lists, l.At = nil, morning.Add(time.Minute)
	v = Judge(w, l, v)
	if len(v.Faults) != 2 || !v.Whole.Equal(morning) || v.Tables[0] != want {
		t.Errorf("without lists: %+v", v)
	}
	l.Lists = &Lists{KernelErr: errors.New("no")}
	if v = Judge(w, l, v); v.KernelUnknown == nil || v.Tables[0].Programmed != -1 {
		t.Errorf("without the kernel: %+v", v)
	}
	l.Err = errors.New("away")
	if v = Judge(w, l, v); v.Unknown == nil || v.Faults != nil || v.Tables != nil {
		t.Errorf("without BIRD: %+v", v)
	}
	l = right()
	l.Status.Recovery = control.Recovery{InProgress: true, Left: time.Second}
	l.Overview.Sessions[1].BGPState, l.Overview.Sessions[1].Awaited = "Active", true
	if v = Judge(w, l, v); !v.Recovery.InProgress || !slices.Equal(v.Recovery.Sessions, []string{"Mesh_10_0_0_3"}) || !slices.Equal(v.Down, v.Recovery.Sessions) {
		t.Errorf("in a recovery: %+v", v)
	}
}

func TestAsk(t *testing.T) {
	l := right()
	if got := node(true).Ask(l.Overview, 1, nil); !slices.Equal(got, []string{"Mesh_10_0_0_3"}) {
		t.Errorf("one of those that are told the same: %q", got)
	}
	if got := node(true).Ask(l.Overview, 2, nil); !slices.Equal(got, []string{"Mesh_10_0_0_2"}) {
		t.Errorf("another one the next time: %q", got)
	}
	if got := node(true).Ask(l.Overview, 1, []string{"Mesh_10_0_0_2", "Mesh_10_0_0_9"}); !slices.Equal(got, []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3"}) {
		t.Errorf("one of which something was wrong, and another: %q", got)
	}
	l.Overview.Sessions[0].Routes[0].Exported = 0
	if got := node(true).Ask(l.Overview, 1, nil); !slices.Equal(got, []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3"}) {
		t.Errorf("and one that is told too little: %q", got)
	}
	if got := node(false).Ask(l.Overview, 1, nil); got != nil {
		t.Errorf("with templates of a user's: %q", got)
	}
}

// What a session that belongs to a group is not told is seen in one look after the
// other, though each look asks another one of the group.
func TestNotToldIsFollowed(t *testing.T) {
	w, p, now := node(true), &Patrol{}, morning
	for range 10 {
		l := right()
		l.At = now
		_, _, turn := p.Begin(now)
		l.Lists.Exports = map[string][]netip.Prefix{}
		for _, s := range w.Ask(l.Overview, turn, p.Before().Untold()) {
			l.Lists.Exports[s] = []netip.Prefix{net("10.96.0.0/12")} // and not the block; their counts are right
		}
		p.Looked(now, Judge(w, l, p.Before()), 0, every)
		now = now.Add(hurry)
	}
	if got := p.Faults(); len(got) != 2 || got[0].Kind != NotTold || got[0].Session != "Mesh_10_0_0_2" || got[1].Session != "Mesh_10_0_0_3" {
		t.Errorf("%+v", got)
	}
}

// An older route is taken away where a second look has shown that very route.
func TestStillStale(t *testing.T) {
	old := Entry{Net: net("10.2.2.0/26"), Table: 254, Metric: 512, BIRD: true, Target: control.Unicast, Hops: hop("10.0.0.9")}
	faults := func(change func(*Entry)) []Fault {
		e := old
		change(&e)
		return []Fault{{Kind: KernelLeft, Net: e.Net}, {Kind: KernelStale, Net: e.Net, Stale: []Entry{e}}}
	}
	same := faults(func(*Entry) {})
	if got := StillStale(same, append(faults(func(e *Entry) { e.Metric = 9 }), same...)); len(got) != 1 || !got[0].equal(old) {
		t.Errorf("the same route: %v", got)
	}
	for name, change := range map[string]func(*Entry){
		"net": func(e *Entry) { e.Net = net("10.2.3.0/26") }, "table": func(e *Entry) { e.Table = 7 }, "metric": func(e *Entry) { e.Metric = 0 },
		"protocol": func(e *Entry) { e.BIRD = false }, "target": func(e *Entry) { e.Target = control.Blackhole }, "way": func(e *Entry) { e.Hops = hop("10.0.0.8") },
	} {
		if got := StillStale(same, faults(change)); len(got) != 0 {
			t.Errorf("another %s: %v", name, got)
		}
	}
}

// Whatever may make another verdict makes another signature.
func TestSign(t *testing.T) {
	sign := func(change func(*Want, *Look)) Signature {
		w, l := node(true), right()
		change(&w, &l)
		return Sign(w, l.Overview, l.Status, l.Kernel)
	}
	same := sign(func(*Want, *Look) {})
	if same != sign(func(*Want, *Look) {}) {
		t.Error("the same makes another signature")
	}
	for name, change := range map[string]func(*Want, *Look){
		"a block":             func(w *Want, _ *Look) { w.Blocks = append(w.Blocks, Block{net("10.2.9.0/26"), "node-3"}) },
		"a block's node":      func(w *Want, _ *Look) { w.Blocks[0].Node = "node-3" },
		"its node's address":  func(w *Want, _ *Look) { w.nodes[w.Blocks[0].Node] = &backends.Node{} },
		"a session":           func(_ *Want, l *Look) { l.Overview.Sessions[0].BGPState = "Active" },
		"a session's routes":  func(_ *Want, l *Look) { l.Overview.Sessions[0].Routes[0].Imported++ },
		"a protocol":          func(_ *Want, l *Look) { l.Overview.Others[1].State = "down" },
		"a protocol's routes": func(_ *Want, l *Look) { l.Overview.Others[1].Routes[0].Imported++ },
		"the configuration":   func(_ *Want, l *Look) { l.Status.LastReconfiguration = morning },
		"BIRD's start":        func(_ *Want, l *Look) { l.Status.LastReboot = morning },
		"the kernel":          func(_ *Want, l *Look) { l.Kernel++ },
	} {
		if sign(change) == same {
			t.Errorf("%s: the same signature", name)
		}
	}
}

func TestKernelProtocol(t *testing.T) {
	kernel := func(name string, families ...string) control.ProtocolState {
		p := control.ProtocolState{Name: name, Kind: "Kernel", State: "up"}
		for _, f := range families {
			p.Routes = append(p.Routes, control.RouteCount{Family: f})
		}
		return p
	}
	for _, test := range []struct {
		others []control.ProtocolState
		want   string
	}{
		{[]control.ProtocolState{kernel("a", "ipv4"), kernel("b", "ipv6")}, "b"},
		{[]control.ProtocolState{kernel("a", "")}, "a"},
		{[]control.ProtocolState{kernel("a", "ipv6"), kernel("b", "ipv6")}, ""},
		{[]control.ProtocolState{kernel("a", "ipv4")}, ""},
	} {
		if got := KernelProtocol(control.Overview{Others: test.others}, 6); got != test.want {
			t.Errorf("%+v: %q, want %q", test.others, got, test.want)
		}
	}
}

func TestSeveral(t *testing.T) {
	list := []Entry{
		{Net: net("10.0.0.0/24"), BIRD: true, Metric: 1}, {Net: net("10.0.0.0/24"), BIRD: true, Metric: 2}, {Net: net("10.0.0.0/24"), BIRD: true, Metric: 3},
		{Net: net("10.0.1.0/24"), BIRD: true, Metric: 1}, {Net: net("10.0.1.0/24"), Metric: 2},
		{Net: net("10.0.2.0/24"), BIRD: true, Metric: 1}, {Net: net("10.0.2.0/24"), BIRD: true, Metric: 2, Table: 7},
		{Net: net("10.0.3.0/24"), BIRD: true, Metric: 1}, {Net: net("10.0.3.0/24"), BIRD: true, Metric: 9},
	}
	if got := Several(list, 9); !slices.Equal(got, []netip.Prefix{net("10.0.0.0/24"), net("10.0.3.0/24")}) {
		t.Error(got)
	}
	if got := Several(list, 1); len(got) != 1 {
		t.Error(got)
	}
}
