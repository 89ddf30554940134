package templates

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/etc"
)

// tracedConfig is testConfig with reasons: the two sessions in the middle of the
// IPv4 list are of one BGPPeer that selects nodes.
func tracedConfig() *bgp.Config {
	cfg := testConfig()
	peer := func(name string) bgp.Reason {
		return bgp.Reason{Object: backends.Key{Kind: backends.KindBGPPeer, Name: name}}
	}
	four, six := &cfg.IPv4, &cfg.IPv6
	four.Sessions[0].Reason = peer("global")
	four.Sessions[1].Reason = bgp.Reason{Object: backends.Key{Kind: backends.KindBGPConfiguration, Name: "default"}}
	four.Sessions[2].Reason = peer("reflectors")
	other := new(*four.Sessions[2])
	four.Sessions = append(four.Sessions, other)
	other.Name, other.Neighbor, other.PeerNode, other.ReachableBy = "Node_10_0_0_11", addr("10.0.0.11"), "n11", addr("10.0.0.254")
	six.Sessions[0].Reason, six.Sessions[1].Reason = peer("workloads"), peer("six")
	block := bgp.Reason{Object: backends.Key{Kind: backends.KindBlockAffinity, Name: "n1-a"}}
	service := bgp.Reason{Object: backends.Key{Kind: backends.KindService, Namespace: "web", Name: "front"}}
	four.Statics = []bgp.StaticRoute{{Net: pfx("192.168.1.0/26"), Reason: block}, {Net: pfx("10.96.0.9/32"), Reason: service}, {Net: pfx("10.96.0.0/16"), Reason: four.Sessions[1].Reason}}
	four.Export.Services = four.Statics[1:]
	four.Kernel.Pools[1].Action = bgp.PoolCrossSubnet
	return cfg
}

func TestTrace(t *testing.T) {
	cfg := tracedConfig()
	for _, c := range []struct{ folder, at, want string }{
		{"", "function 'bgp_all-of-it_importFilterV4'", "BGPFilter all-of-it, BGPPeer global"},
		{"", "  if source = RTS_BGP && defined(ifname) && ifname ~ \"eth*\"", "BGPFilter all-of-it, BGPPeer global"},
		{"", "import filter { 'bgp_all-of-it", "BGPPeer global, BGPFilter all-of-it"},
		{"", "protocol bgp Mesh_10_0_0_2", "Node n2, BGPPeer global"}, // which ends before it
		{"", "neighbor 10.0.0.2 ", "Node n2"},
		{"", "neighbor 10.0.0.10 ", "Node n10, BGPPeer reflectors"},
		{"", "neighbor 10.0.0.11 ", "Node n11"}, // BIRD has taken n10's: it is not the BGPPeer
		{"", "rr cluster id", "Node n10, BGPPeer reflectors"},
		{"", "protocol bgp Local_Workload_fd10__5", "BGPPeer workloads"},
		{"", "route 192.168.1.0/26", "BlockAffinity n1-a"},
		{"", "route 10.96.0.9/32", "Service web/front, BlockAffinity n1-a"},
		{"", "route 10.96.0.0/16", "Service web/front"}, // which stands before it
		{"", "if net ~ 10.96.0.9/32 then accept", "Service web/front, BlockAffinity n1-a"},
		{"", `krt_tunnel = "tunl0"`, "IPPool a"},
		{"", "if net ~ 172.16.0.0/16 then reject;  # pool b: disableBGPExport", ""},
		{"", "router id", ""},
		{"2021", "function 'bgp_by-session_exportFilterV4'", "BGPFilter by-session, BGPPeer reflectors, BGPFilter all-of-it, BGPPeer global"},
		{"2021", "neighbor 10.0.0.2 ", "Node n2"},
		{"2021", "password", "BGPPeer global"},
		{"2021", "ttl security on", "BGPPeer global"},
		{"2026", "neighbor 10.0.0.11 ", "Node n11"},
		{"2026", `krt_tunnel=""`, "IPPool a"},
	} {
		text := rendered(t, c.folder, cfg)
		i := slices.IndexFunc(text, func(line string) bool { return strings.Contains(line, c.at) })
		if i < 0 {
			t.Errorf("%s: no line has %q in\n%s", c.folder, c.at, strings.Join(text, "\n"))
			continue
		}
		if got := texts(Trace([]byte(strings.Join(text, "\n")), i+1, cfg)); got != c.want {
			t.Errorf("%s: %q leads to %q, want %q", c.folder, c.at, got, c.want)
		}
	}
}

// TestTraceText follows lines of files that are nobody's templates.
func TestTraceText(t *testing.T) {
	cfg := tracedConfig()
	const file = `# {
log "a { that is none"; /* nor {
this { */ define x = 1;
protocol bgp mine
{
  import all;
  neighbor 10.1.0.1 port 166 as 65001;
}
protocol bgp { neighbor fd00::9 as 1; }

peers = [ six ];
protocol bgp open { neighbor 10.0.0.2 as 1;
  import {
`
	for line, want := range map[int]string{
		0: "", 1: "", 3: "", 6: "BGPPeer global", 8: "BGPPeer global", 9: "BGPPeer six, BGPPeer global", 10: "BGPPeer six",
		11: "BGPPeer six, BGPFilter six", 14: "Node n2", 99: "Node n2",
	} {
		if got := texts(Trace([]byte(file), line, cfg)); got != want {
			t.Errorf("line %d leads to %q, want %q", line, got, want)
		}
	}
}

// rendered is the BIRD 1 file for IPv4, or all files after each other, with a
// line in between.
func rendered(t *testing.T, folder string, cfg *bgp.Config) []string {
	t.Helper()
	fsys := os.DirFS(filepath.Join("testdata", "calico-style", folder))
	if folder == "" {
		var err error
		if fsys, err = fs.Sub(etc.Confd, "confd"); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Load(fsys, Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	in := testInput()
	in.Config = cfg
	files, err := e.Render(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		all = append(all, string(f.Data), "log stderr all;")
	}
	return strings.Split(strings.Join(all, "\n"), "\n")
}

func texts(keys []backends.Key) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.String())
	}
	return strings.Join(names, ", ")
}

func TestCanLeaveOut(t *testing.T) {
	cfg := tracedConfig()
	cfg.IPv4.Kernel.RejectNextHops = append(cfg.IPv4.Kernel.RejectNextHops, addr("10.0.0.10"))
	for _, c := range []struct {
		kind backends.Kind
		name string
		want bool
	}{
		{backends.KindBGPPeer, "global", true},
		{backends.KindNode, "n2", true},
		{backends.KindNode, "n1", false},  // this node
		{backends.KindNode, "n10", false}, // WireGuard
		{backends.KindIPPool, "a", true},
		{backends.KindIPPool, "b", false},
		{backends.KindBGPConfiguration, "default", false},
		{backends.KindSecret, "s", false},
	} {
		if got := CanLeaveOut(cfg, backends.Key{Kind: c.kind, Name: c.name}); got != c.want {
			t.Errorf("%s %s: %v", c.kind, c.name, got)
		}
	}
	want := "BlockAffinity n1-a, Service web/front, BGPPeer global, BGPPeer reflectors, BGPPeer workloads, BGPPeer six, Node n2, BGPFilter all-of-it, BGPFilter by-session, BGPFilter six"
	if got := texts(Candidates(cfg)); got != want {
		t.Errorf("candidates %s, want %s", got, want)
	}
}
