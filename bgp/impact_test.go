package bgp

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
)

// impactState is a mesh of n1, which is this node, n2 and n3; n3 and n4 have the
// label "rr", which nobody asks for, and all have sessions with a router.
func impactState() *backends.State {
	s := backends.NewState()
	for _, r := range []backends.Resource{
		&backends.Node{Name: "n1", IPv4: at("10.0.0.1"), IPv6: at("fd00::1")},
		&backends.Node{Name: "n2", IPv4: at("10.0.0.2"), IPv6: at("fd00::2")},
		&backends.Node{Name: "n3", IPv4: at("10.0.0.3"), Labels: map[string]string{"rr": ""}},
		&backends.Node{Name: "n4", IPv4: at("10.0.0.4"), Labels: map[string]string{"rr": "", "rack": "a"}},
		&backends.BGPConfiguration{Name: "default"},
		&backends.BGPPeer{Name: "router", PeerIP: netip.MustParseAddr("192.0.2.1"), Port: 1790, ASNumber: 65000, Password: &backends.SecretKeyRef{Name: "s", Key: "k"}},
		&backends.Secret{Namespace: "ns", Name: "s", Data: map[string]string{"k": "x"}},
	} {
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return s
}

func at(a string) backends.NodeAddress { return backends.NodeAddress{Addr: netip.MustParseAddr(a)} }

// reflected makes a state whose nodes have sessions with the reflectors only.
func reflected(s *backends.State) {
	withoutMesh(s)
	set(s, &backends.BGPPeer{Name: "rr", PeerSelector: "has(rr)"})
}

func withoutMesh(s *backends.State) {
	set(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool)})
}

func set(s *backends.State, r backends.Resource) {
	s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
}

func unset(s *backends.State, kind backends.Kind, name string) {
	s.Apply(backends.Event{Key: backends.Key{Kind: kind, Name: name}})
}

func impactConfig(t *testing.T, s *backends.State) *Config {
	t.Helper()
	c, err := Compute(s, Options{Node: "n1", SecretNamespace: "ns"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestImpact(t *testing.T) {
	label := func(s *backends.State, name string, labels map[string]string) {
		n := *s.Nodes[name]
		n.Labels = labels
		set(s, &n)
	}
	mesh := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_3", "Mesh_10_0_0_4", "Mesh_fd00__2", "Global_192_0_2_1_port_1790"}
	reflectors := []string{"Global_10_0_0_3", "Global_10_0_0_4", "Global_192_0_2_1_port_1790"}
	for name, test := range map[string]struct {
		before, change func(*backends.State)
		established    []string // beside those of the old configuration
		lost           []string
		counted        int
		tooMuch        bool
		causes         []string
	}{
		"nothing":  {established: mesh, counted: 5},
		"mesh off": {change: withoutMesh, established: mesh, lost: mesh[:4], counted: 5, tooMuch: true, causes: []string{"BGPConfiguration default: the mesh was switched off"}},
		"mesh becomes reflectors": {change: reflected, established: mesh, lost: []string{"Mesh_10_0_0_2", "Mesh_fd00__2"}, counted: 5,
			causes: []string{"BGPConfiguration default: the mesh was switched off"}},
		"nodes gone": {change: func(s *backends.State) {
			unset(s, backends.KindNode, "n2")
			unset(s, backends.KindNode, "n3")
		}, established: mesh, counted: 2},
		"another address": {change: func(s *backends.State) {
			set(s, &backends.Node{Name: "n2", IPv4: at("10.0.0.22"), IPv6: at("fd00::2")})
		},
			established: mesh, counted: 4},
		"a label": {before: reflected, change: func(s *backends.State) { label(s, "n3", nil) },
			established: reflectors, lost: reflectors[:1], counted: 3, causes: []string{"Node n3: label rr is gone"}},
		"all labels": {before: reflected, change: func(s *backends.State) {
			label(s, "n3", nil)
			label(s, "n4", map[string]string{"rack": "b", "x\n": ""})
			label(s, "n2", map[string]string{"unrelated": ""})
		}, established: reflectors, lost: reflectors[:2], counted: 3, tooMuch: true,
			causes: []string{"Node n3: label rr is gone", `Node n4: label rack was "a", is "b", label rr is gone, label "x\n" is new`}},
		"the list is empty": {before: reflected, change: func(s *backends.State) {
			unset(s, backends.KindBGPPeer, "rr")
			unset(s, backends.KindBGPPeer, "router")
		}, established: reflectors, lost: reflectors, counted: 3, tooMuch: true, causes: []string{"BGPPeer router is gone", "BGPPeer rr is gone"}},
		"a selector": {before: reflected, change: func(s *backends.State) {
			set(s, &backends.BGPPeer{Name: "rr", PeerSelector: "has(rx)"})
			set(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ASNumber: 64512})
		}, established: reflectors, lost: reflectors[:2], counted: 3, tooMuch: true,
			causes: []string{`BGPPeer rr: peerSelector was "has(rr)", is "has(rx)"`, "BGPConfiguration default changed"}},
		"gone reflector": {before: reflected, change: func(s *backends.State) { unset(s, backends.KindNode, "n3") }, established: reflectors, counted: 2},
		"another port of a router": {change: func(s *backends.State) {
			p := *s.BGPPeers["router"]
			p.Port = 1791
			set(s, &p)
		}, established: mesh[4:], lost: mesh[4:], counted: 1, tooMuch: true, causes: []string{`BGPPeer router: port was "1790", is "1791"`}},
		"another port of nodes": {before: reflected, change: func(s *backends.State) {
			set(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool), ListenPort: 1179})
		}, established: reflectors, counted: 3},
		"a bad password": {change: func(s *backends.State) {
			set(s, &backends.Secret{Namespace: "ns", Name: "s", Data: map[string]string{"k": "\""}})
		}, established: mesh, lost: mesh[4:], counted: 5, causes: []string{"Secret ns/s changed"}},
		"a bad peer": {change: func(s *backends.State) {
			s.Apply(backends.Event{Key: s.BGPPeers["router"].ResourceKey(), Err: errors.New("no sense")})
		}, established: mesh, lost: mesh[4:], counted: 5, causes: []string{"BGPPeer router can no longer be used: no sense"}},
		"reflector ourselves": {change: func(s *backends.State) {
			set(s, &backends.Node{Name: "n1", IPv4: at("10.0.0.1"), IPv6: at("fd00::1"), ClusterID: netip.MustParseAddr("1.1.1.1")})
		}, established: mesh, lost: mesh[:4], counted: 5, tooMuch: true, causes: []string{"Node n1: it is a route reflector now, and out of the mesh"}},
		"no IPv6": {change: func(s *backends.State) { set(s, &backends.Node{Name: "n1", IPv4: at("10.0.0.1")}) },
			established: mesh, lost: mesh[3:4], counted: 5, causes: []string{"Node n1: its IPv6 address fd00::1 is gone"}},
		"a workload, and names of others": {established: []string{"Local_Workload_10_1_1_1", "uplink", "Mesh_of_mine"}, counted: 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := impactState()
			if test.before != nil {
				test.before(before)
			}
			after := before.Clone()
			if test.change != nil {
				test.change(after)
			}
			old, new := impactConfig(t, before), impactConfig(t, after)
			got := ImpactOf(test.established, old, new, after)
			if diff := cmp.Diff(Impact{Counted: test.counted, Lost: test.lost}, got); diff != "" || got.TooMuch() != test.tooMuch {
				t.Errorf("too much %t: %s", got.TooMuch(), diff)
			}
			var causes []string
			if len(got.Lost) > 0 {
				for _, c := range Causes(old, before, after, "n1", got.Lost) {
					causes = append(causes, c.Text)
				}
			}
			if diff := cmp.Diff(test.causes, causes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where the program has just started nobody knows what was before.
func TestImpactWithoutAPast(t *testing.T) {
	established := []string{"Mesh_10_0_0_2", "Mesh_10_0_0_9", "Global_10_0_0_9", "Global_192_0_2_1_port_1790"}
	for name, test := range map[string]struct {
		change func(*backends.State)
		lost   []string
		causes []string
	}{
		"mesh off": {func(s *backends.State) { withoutMesh(s) }, []string{"Mesh_10_0_0_2", "Global_10_0_0_9"},
			[]string{"BGPConfiguration default: the mesh is switched off", "none of the 1 BGPPeers asks for these sessions"}},
		"no peers": {func(s *backends.State) { unset(s, backends.KindBGPPeer, "router") }, []string{"Global_10_0_0_9", "Global_192_0_2_1_port_1790"},
			[]string{"there is no BGPPeer at all"}},
		"bad peer": {func(s *backends.State) {
			s.Apply(backends.Event{Key: s.BGPPeers["router"].ResourceKey(), Err: errors.New("no sense")})
		}, []string{"Global_10_0_0_9", "Global_192_0_2_1_port_1790"},
			[]string{"there is no BGPPeer at all", "BGPPeer router cannot be used: no sense"}},
	} {
		t.Run(name, func(t *testing.T) {
			after := impactState()
			test.change(after)
			got := ImpactOf(established, nil, impactConfig(t, after), after)
			if diff := cmp.Diff(Impact{Counted: 3, Lost: test.lost}, got); diff != "" {
				t.Error(diff)
			}
			var causes []string
			for _, c := range Causes(nil, nil, after, "n1", got.Lost) {
				causes = append(causes, c.Text)
			}
			if diff := cmp.Diff(test.causes, causes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTooMuch(t *testing.T) {
	for _, test := range []struct {
		counted, lost int
		want          bool
	}{{0, 0, false}, {1, 0, false}, {1, 1, true}, {2, 1, false}, {2, 2, true}, {3, 2, true}, {4, 2, false}, {4, 3, true}, {5, 3, true}, {1000, 500, false}, {1000, 501, true}} {
		if got := (Impact{Counted: test.counted, Lost: make([]string, test.lost)}).TooMuch(); got != test.want {
			t.Errorf("%d of %d: %t", test.lost, test.counted, got)
		}
	}
}

func TestNeedsRestart(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing":      {func(*Config) {}, nil},
		"port":         {func(c *Config) { c.IPv4.ListenPort = 1179 }, []string{"IPv4 listening port: 1179 in place of 179"}},
		"the own port": {func(c *Config) { c.IPv4.ListenPort = 179 }, nil},
		"address":      {func(c *Config) { c.IPv6.ListenAddress = netip.MustParseAddr("fd00::1") }, []string{"IPv6 listening address: fd00::1 in place of all"}},
		"router ID":    {func(c *Config) { c.RouterID = netip.MustParseAddr("1.1.1.1") }, nil},
	} {
		started, now := changesConfig(), changesConfig()
		test.change(now)
		if got := NeedsRestart(started, now, 1); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
		if got := slices.Concat(NeedsRestart(started, now, 2), NeedsRestart(started, now, 3), NeedsRestart(nil, now, 1)); got != nil {
			t.Errorf("%s, later versions: %q", name, got)
		}
	}
}
