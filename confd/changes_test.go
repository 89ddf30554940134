package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/bgp"
	"confd/internal/testenv"
	"confd/reload"
	"confd/templates"
)

// peerName is the session of the BGPPeer in changesState.
const peerName = "Node_10_0_0_50_port_1790"

// changesState is a cluster of two nodes with a mesh, a BGPPeer with all that a
// session can have, a filter, a pool and a block of node-1.
func changesState() *backends.State {
	address := func(text string) backends.NodeAddress {
		p := netip.MustParsePrefix(text)
		return backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
	}
	s := backends.NewState()
	for _, r := range []backends.Resource{
		&backends.Node{Name: "node-1", IPv4: address("10.0.0.1/24"), IPv6: address("fd00::1/64")},
		&backends.Node{Name: "node-2", IPv4: address("10.0.0.2/24"), IPv6: address("fd00::2/64")},
		&backends.BGPConfiguration{Name: "default"},
		&backends.BGPPeer{Name: "p", Node: "node-1", PeerIP: netip.MustParseAddr("10.0.0.50"), Port: 1790, ASNumber: 64513, Filters: []string{"f"}},
		&backends.BGPFilter{Name: "f", ImportV4: []backends.FilterRule{{RemotePeers: true}}, ExportV4: []backends.FilterRule{{Interface: "x*"}}},
		&backends.IPPool{Name: "pool", CIDR: netip.MustParsePrefix("10.128.0.0/16")},
		&backends.BlockAffinity{Name: "b", Node: "node-1", CIDR: netip.MustParsePrefix("10.128.0.0/26")},
		&backends.Secret{Namespace: "kube-system", Name: "s", Data: map[string]string{"k": "first", "l": "second"}},
	} {
		s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
	}
	return s
}

// changesCases change a changesState.
func changesCases() map[string]func(*backends.State) {
	peer := func(change func(*backends.BGPPeer)) func(*backends.State) {
		return func(s *backends.State) { change(s.BGPPeers["p"]) }
	}
	number := uint32(3)
	minute := time.Minute
	return map[string]func(*backends.State){
		"AS":             peer(func(p *backends.BGPPeer) { p.ASNumber = 64999 }),
		"local AS":       peer(func(p *backends.BGPPeer) { p.LocalASNumber = 64998 }),
		"password":       peer(func(p *backends.BGPPeer) { p.Password = &backends.SecretKeyRef{Name: "s", Key: "k"} }),
		"no source":      peer(func(p *backends.BGPPeer) { p.NoSourceAddress = true }),
		"keepalive":      peer(func(p *backends.BGPPeer) { p.KeepaliveTime = &minute }),
		"restart time":   peer(func(p *backends.BGPPeer) { p.MaxRestartTime = &minute }),
		"hops":           peer(func(p *backends.BGPPeer) { p.TTLSecurity = 4 }),
		"allow local AS": peer(func(p *backends.BGPPeer) { p.NumAllowedLocalAS = &number }),
		"next hop self":  peer(func(p *backends.BGPPeer) { p.NextHopMode = backends.NextHopSelf }),
		"next hop keep":  peer(func(p *backends.BGPPeer) { p.KeepOriginalNextHop = true }),
		"port":           peer(func(p *backends.BGPPeer) { p.Port = 1791 }),
		"no filter":      peer(func(p *backends.BGPPeer) { p.Filters = nil }),
		"gateway":        peer(func(p *backends.BGPPeer) { p.ReachableBy = netip.MustParseAddr("10.0.0.9") }),
		"filter rule":    func(s *backends.State) { s.BGPFilters["f"].ExportV4[0].Accept = true },
		"another peer's name": func(s *backends.State) {
			s.BGPPeers["q"] = s.BGPPeers["p"]
			s.BGPPeers["q"].Name = "q"
			delete(s.BGPPeers, "p")
		},
		"mesh off":        func(s *backends.State) { s.BGPConfigurations["default"].NodeToNodeMesh = new(bool) },
		"mesh restart":    func(s *backends.State) { s.BGPConfigurations["default"].NodeMeshMaxRestartTime = &minute },
		"listen port":     func(s *backends.State) { s.BGPConfigurations["default"].ListenPort = 1179 },
		"bind":            func(s *backends.State) { s.BGPConfigurations["default"].BindNodeIP = true },
		"logging":         func(s *backends.State) { s.BGPConfigurations["default"].LogSeverity = "Debug" },
		"cluster AS":      func(s *backends.State) { s.BGPConfigurations["default"].ASNumber = 65001 },
		"node AS":         func(s *backends.State) { s.Nodes["node-2"].ASNumber = 65002 },
		"node gone":       func(s *backends.State) { delete(s.Nodes, "node-2") },
		"route reflector": func(s *backends.State) { s.Nodes["node-1"].ClusterID = netip.MustParseAddr("1.2.3.4") },
		"pool":            func(s *backends.State) { s.IPPools["pool"].DisableBGPExport = true },
		"VXLAN":           func(s *backends.State) { s.IPPools["pool"].VXLAN = backends.EncapAlways },
		"block": func(s *backends.State) {
			s.BlockAffinities["c"] = &backends.BlockAffinity{Name: "c", Node: "node-1", CIDR: netip.MustParsePrefix("10.128.0.64/26")}
		},
	}
}

// rendered is a state as one version of BIRD's files.
type rendered struct {
	config *bgp.Config
	sets   []reload.Set
}

func renderState(t *testing.T, version string, state *backends.State) rendered {
	t.Helper()
	v, err := templates.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNode(Settings{
		Node: "node-1", NodeRef: "node-1", Templates: TemplateSettings{ConfDir: "/nonexistent", Prefix: "/calico", Owner: -1, Group: -1},
		Kubernetes: KubernetesSettings{Namespace: "kube-system"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := n.compute(state)
	if err != nil {
		t.Fatal(err)
	}
	files, err := n.render(context.Background(), cfg, state, v)
	if err != nil {
		t.Fatal(err)
	}
	return rendered{cfg, n.sets(files, daemons{version: v, dir: "/etc/bird"})}
}

var protocolEvent = regexp.MustCompile(`(?m)(Adding|Removing|Restarting) protocol (\S+)$`)

var notSettled = regexp.MustCompile(`(?m)^\S+ +BGP +\S+ +(stop|flush|down) `)

// configured gives a BIRD the text, and returns what its log says about
// protocols: names by event.
func configured(t *testing.T, b *testenv.BirdDaemon, conf string, text []byte) map[string][]string {
	t.Helper()
	before := len(b.Log())
	if err := os.WriteFile(conf, append([]byte("log stderr all;\n"), text...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Birdc("configure"); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "BIRD to be reconfigured", func() bool {
		return strings.Contains(b.Log()[before:], "<INFO> Reconfigured\n")
	})
	// A protocol that is on its way down is not restarted a second time.
	testenv.Eventually(t, time.Minute, "the protocols to be up again", func() bool {
		protocols, err := b.Birdc("show protocols")
		return err == nil && !notSettled.MatchString(protocols)
	})
	events := map[string][]string{}
	for _, m := range protocolEvent.FindAllStringSubmatch(b.Log()[before:], -1) {
		events[m[1]] = append(events[m[1]], m[2])
	}
	for _, names := range events {
		slices.Sort(names)
	}
	return events
}

// TestChangesAsBirdSeesThem has a BIRD of each version take each change, there
// and back: the sessions that Compare says are added, removed and restarted are
// those that its log names. And what is told from the files alone is the same.
func TestChangesAsBirdSeesThem(t *testing.T) {
	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) {
			major := int(version[0] - '0')
			base := renderState(t, version, changesState())
			conf := filepath.Join(t.TempDir(), "bird.conf")
			if err := os.WriteFile(conf, append([]byte("log stderr all;\n"), base.sets[0].Files[0].Data...), 0o644); err != nil {
				t.Fatal(err)
			}
			lab := testenv.NewLab(t, testenv.Host{Name: "node-1", Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("fd00::1/64")}})
			b := testenv.StartBird(t, version, conf, testenv.InNetns(lab.NS("node-1")))
			if major == 3 {
				// BIRD 3.1.8 dies of a changed kernel filter in its first second.
				time.Sleep(3 * time.Second)
			}
			for name, change := range changesCases() {
				if major == 3 && name == "bind" {
					continue // BIRD 3.1.8 leaves the sessions down: "No listening socket"
				}
				state := changesState()
				change(state)
				changed := renderState(t, version, state)
				for i, step := range [][2]rendered{{base, changed}, {changed, base}} {
					title := fmt.Sprintf("%s, step %d", name, i)
					want := bgp.Compare(step[0].config, step[1].config, major)
					compareWithText(t, title, want, compareTexts(step[0].sets, step[1].sets, major))
					events := configured(t, b, conf, step[1].sets[0].Files[0].Data)
					for how, names := range map[string][]string{"Adding": want.Added, "Removing": want.Removed, "Restarting": want.Restarted} {
						if diff := cmp.Diff(ofDaemon(names, major), events[how]); diff != "" {
							t.Errorf("%s: %s protocols (-said +done):\n%s", title, how, diff)
						}
					}
				}
			}
		})
	}
}

// ofDaemon leaves out IPv6 sessions where another daemon has them.
func ofDaemon(names []string, major int) []string {
	var out []string
	for _, n := range names {
		if major > 1 || strings.Contains(n, "_10_") {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// compareWithText compares what both ways know: of blocks and settings texts
// say less.
func compareWithText(t *testing.T, title string, model, text bgp.Changes) {
	t.Helper()
	var kernels, textKernels []bool
	for i := range model.Families {
		kernels, textKernels = append(kernels, model.Families[i].Kernel), append(textKernels, text.Families[i].Kernel)
		for what, lists := range map[string][2][]bgp.StaticRoute{
			"gained": {model.Families[i].StaticsGained, text.Families[i].StaticsGained},
			"lost":   {model.Families[i].StaticsLost, text.Families[i].StaticsLost},
		} {
			if diff := cmp.Diff(texts(lists[0], routeText), texts(lists[1], routeText)); diff != "" {
				t.Errorf("%s: static routes %s (-model +text):\n%s", title, what, diff)
			}
		}
	}
	if !slices.Equal(kernels, textKernels) {
		t.Errorf("%s: kernel policy: model says %v, text %v", title, kernels, textKernels)
	}
	for i, list := range model.Sessions() {
		a, b := slices.Sorted(slices.Values(list.Names)), slices.Sorted(slices.Values(text.Sessions()[i].Names))
		if !slices.Equal(a, b) {
			t.Errorf("%s: sessions %s: model says %v, text %v", title, list.How, a, b)
		}
	}
}

// TestChangesOfTheBase pins what the cases above begin with.
func TestChangesOfTheBase(t *testing.T) {
	base := renderState(t, "2.0.12", changesState())
	want := "3 sessions added, 1 IPv4 static route gained, IPv4 kernel policy changed, IPv6 kernel policy changed"
	got := compareTexts(emptied(base.sets), base.sets, 2)
	if !strings.HasPrefix(got.String(), want) || !slices.Contains(got.Added, peerName) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func emptied(sets []reload.Set) []reload.Set {
	sets = slices.Clone(sets)
	for i := range sets {
		sets[i].Files = slices.Clone(sets[i].Files)
		for j := range sets[i].Files {
			sets[i].Files[j].Data = nil
		}
	}
	return sets
}
