package templates

import (
	"bytes"
	"context"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/bgp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func ptr[T any](v T) *T         { return &v }
func nodeAddress(s string) backends.NodeAddress {
	p := pfx(s)
	return backends.NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
}

// testState is a small cluster with something of everything.
func testState() *backends.State {
	s := backends.NewState()
	s.Nodes["n1"] = &backends.Node{Name: "n1", IPv4: nodeAddress("10.0.0.1/24"), IPv6: nodeAddress("fd00::1/64"), WireguardIPv4: addr("10.9.0.1")}
	s.Nodes["n2"] = &backends.Node{Name: "n2", IPv4: nodeAddress("10.0.0.2/24"), ASNumber: 4200000000}
	s.Nodes["n10"] = &backends.Node{Name: "n10", IPv4: nodeAddress("10.0.0.10/24"), ClusterID: addr("1.0.0.1")}
	s.Nodes["odd\nname; }"] = &backends.Node{Name: "odd\nname; }", IPv4: nodeAddress("10.0.0.66/24")}
	s.BGPConfigurations["default"] = &backends.BGPConfiguration{
		Name: "default", ListenPort: 1179, LogSeverity: "Warning", BindNodeIP: true, IgnoredInterfaces: []string{"docker0", "virbr*"},
		NodeMeshMaxRestartTime: ptr(90 * time.Second), ProgramClusterRoutes: backends.RoutesDisabled,
		ServiceExternalIPs: []netip.Prefix{pfx("80.15.0.0/24")}, ServiceLoadBalancerIPs: []netip.Prefix{pfx("90.0.0.0/24")},
		Communities: []backends.NamedCommunity{{Name: "blue", Value: backends.Community{A: 100, B: 5}}},
		PrefixAdvertisements: []backends.PrefixAdvertisement{
			{CIDR: pfx("192.168.0.0/16"), Communities: []string{"blue", "1:2:3", "no such"}},
			{CIDR: pfx("fd10::/48"), Communities: []string{"no such"}},
		},
	}
	s.BGPConfigurations["node.n1"] = &backends.BGPConfiguration{Name: "node.n1", LogSeverity: "Debug"}
	s.BGPConfigurations["node.n2"] = &backends.BGPConfiguration{Name: "node.n2", ListenPort: 179}
	s.IPPools["a"] = &backends.IPPool{Name: "a", CIDR: pfx("192.168.0.0/16"), IPIP: backends.EncapCrossSubnet, NATOutgoing: true}
	s.IPPools["b"] = &backends.IPPool{Name: "b", CIDR: pfx("172.16.0.0/16"), VXLAN: backends.EncapAlways, Disabled: true, DisableBGPExport: true}
	s.IPPools["c"] = &backends.IPPool{Name: "c", CIDR: pfx("fd10::/48"), IPIP: backends.EncapNever}
	for name, a := range map[string]backends.BlockAffinity{
		"n1-a":    {Node: "n1", CIDR: pfx("192.168.1.0/26"), State: "confirmed"},
		"n1-b":    {Node: "n1", CIDR: pfx("192.168.1.64/26"), State: "pending"},
		"n1-c":    {Node: "n1", CIDR: pfx("192.168.1.128/26"), State: "pendingDeletion"},
		"n1-gone": {Node: "n1", CIDR: pfx("192.168.1.192/26"), State: "confirmed", Deleted: true},
		"n1-d":    {Node: "n1", CIDR: pfx("fd10::/122")},
		"n10-a":   {Node: "n10", CIDR: pfx("192.168.10.0/26")},
	} {
		a.Name = name
		s.BlockAffinities[name] = &a
	}
	for _, f := range testFilters() {
		s.BGPFilters[f.Name] = f
	}
	return s
}

func testFilters() []*backends.BGPFilter {
	return []*backends.BGPFilter{
		{Name: "all-of-it", ImportV4: []backends.FilterRule{
			{CIDR: pfx("44.0.0.0/16"), Match: backends.MatchIn, PrefixLength: &backends.LengthRange{Min: 16, Max: 24}, Accept: true,
				Operations: []backends.Operation{
					{AddCommunity: &backends.Community{A: 65001, B: 200}}, {PrependASPath: []uint32{65000, 4200000000}}, {SetPriority: ptr(uint32(512))},
				}},
			{RemotePeers: true, Interface: "eth*", Community: &backends.Community{Large: true, A: 1, B: 2, C: 3}, ASPathPrefix: []uint32{65000}},
		}},
		{Name: "by-session", ExportV4: []backends.FilterRule{{PeerType: backends.PeerInternal, Priority: ptr(uint32(100)), Accept: true}}},
		{Name: "six", ImportV6: []backends.FilterRule{{CIDR: pfx("5000::/64"), Match: backends.MatchNotEqual, Accept: true}}},
	}
}

// testConfig is what node n1 of testState speaks.
func testConfig() *bgp.Config {
	base := bgp.Session{AS: 64512, LocalAS: 64512, Internal: true, Source: addr("10.0.0.1")}
	mesh := base
	mesh.Name, mesh.Kind, mesh.Neighbor, mesh.PeerNode = "Mesh_10_0_0_2", bgp.MeshSession, addr("10.0.0.2"), "n2"
	mesh.AS, mesh.Internal, mesh.Port, mesh.Passive = 4200000000, false, 1179, true
	global := base
	global.Name, global.Kind, global.Neighbor, global.Port, global.PortInName = "Global_10_1_0_1_port_166", bgp.GlobalSession, addr("10.1.0.1"), 166, true
	global.LocalAS, global.OwnLocalAS, global.AS = 65001, true, 65001
	global.Password, global.TTLHops, global.AllowLocalAS = "top-secret", 3, ptr(uint32(1))
	global.GracefulRestartTime, global.KeepaliveTime = ptr(uint32(120)), ptr(uint32(30))
	global.Filters = []string{"all-of-it"}
	global.Import = []bgp.FilterCall{{Filter: "all-of-it"}}
	reflected := base
	reflected.Name, reflected.Kind, reflected.Neighbor = "Node_10_0_0_10", bgp.NodeSession, addr("10.0.0.10")
	reflected.RRClient, reflected.ClusterID, reflected.PeerNode, reflected.PeerClusterID = true, addr("1.0.0.2"), "n10", addr("1.0.0.1")
	reflected.Source, reflected.NextHop, reflected.NextHopMode, reflected.ReachableBy = netip.Addr{}, bgp.NextHopKeep, backends.NextHopKeep, addr("10.0.0.254")
	reflected.Filters, reflected.Export = []string{"by-session"}, []bgp.FilterCall{{Filter: "by-session", BySession: true}}
	six := base
	six.Name, six.Kind, six.Neighbor, six.Source = "Node_fd00__9", bgp.NodeSession, addr("fd00::9"), addr("fd00::1")
	six.Filters, six.Import = []string{"six"}, []bgp.FilterCall{{Filter: "six"}}
	workload := six
	workload.Name, workload.Kind, workload.Neighbor, workload.Passive = "Local_Workload_fd10__5", bgp.LocalWorkloadSession, addr("fd10::5"), true

	pool := func(name, cidr string) bgp.Pool { return bgp.Pool{Name: name, CIDR: pfx(cidr)} }
	return &bgp.Config{
		Node: "n1", RouterID: addr("10.0.0.1"), ASNumber: 64512, ClusterID: addr("1.0.0.2"), LogLevel: bgp.LogAll, LogSeverity: "Debug",
		Interfaces: []string{"-dummy0", "-cali*", "-kube-ipvs*", "*"},
		Filters:    testFilters(),
		IPv4: bgp.Family{
			Version: 4, Address: addr("10.0.0.1"), Subnet: pfx("10.0.0.0/24"), ListenPort: 1179, ListenAddress: addr("10.0.0.1"), NormalPriority: 1024,
			Sessions: []*bgp.Session{&global, &mesh, &reflected},
			Export: bgp.ExportPolicy{
				RejectPools: []bgp.Pool{pool("b", "172.16.0.0/16")}, Pools: []bgp.Pool{pool("a", "192.168.0.0/16")}, RejectTunnel: true,
				Communities:       []bgp.Advertisement{{CIDR: pfx("192.168.0.0/16"), Communities: []backends.Community{{A: 100, B: 5}, {Large: true, A: 1, B: 2, C: 3}}}},
				Blocks:            []netip.Prefix{pfx("192.168.1.0/26")},
				Services:          []bgp.StaticRoute{{Net: pfx("10.96.0.0/16")}},
				ReflectedServices: []netip.Prefix{pfx("80.15.0.0/24"), pfx("90.0.0.0/24")},
			},
			Kernel: bgp.KernelPolicy{
				RejectServices: []netip.Prefix{pfx("10.96.0.0/16")}, RejectNextHops: []netip.Addr{addr("10.0.0.7")},
				Pools: []bgp.PoolRoutes{{Pool: pool("b", "172.16.0.0/16"), Action: bgp.PoolReject}, {Pool: pool("a", "192.168.0.0/16"), Action: bgp.PoolReject}},
			},
		},
		IPv6: bgp.Family{
			Version: 6, Address: addr("fd00::1"), Subnet: pfx("fd00::/64"), NormalPriority: 5000,
			Sessions: []*bgp.Session{&workload, &six},
			Export: bgp.ExportPolicy{
				Pools: []bgp.Pool{pool("c", "fd10::/48")}, Blocks: []netip.Prefix{pfx("fd10::/122")},
				Services: []bgp.StaticRoute{{Net: pfx("fd00:96::/112")}},
			},
			Kernel: bgp.KernelPolicy{
				RejectServices: []netip.Prefix{pfx("fd00:96::/112")},
				Pools:          []bgp.PoolRoutes{{Pool: pool("c", "fd10::/48"), Action: bgp.PoolAccept}},
			},
		},
	}
}

func testInput() Input {
	return Input{Config: testConfig(), State: testState(), Version: Version{1, 6, 8}}
}

// TestCalicoTemplates renders template folders as users have them.
func TestCalicoTemplates(t *testing.T) {
	for _, set := range []string{"2021", "2026"} {
		t.Run(set, func(t *testing.T) {
			dir := filepath.Join("testdata", "calico-style", set)
			e, err := Load(os.DirFS(dir), Options{Node: "n1"})
			if err != nil {
				t.Fatal(err)
			}
			files, err := e.Render(context.Background(), testInput())
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				golden := filepath.Join(dir, "want", filepath.Base(f.Dest))
				if *update {
					if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(golden, f.Data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
					t.Errorf("%s (-want +got, -update rewrites it):\n%s", golden, diff)
				}
			}
			checkWithBIRD1(t, files)
		})
	}
}

// checkWithBIRD1 gives rendered files to BIRD 1.6's own parser.
func checkWithBIRD1(t *testing.T, files []File) {
	t.Helper()
	bin := testBIRD(t, "1.6.8")
	dir := t.TempDir()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Dest)), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bird", "bird6"} {
		out, err := exec.Command(filepath.Join(bin, name), "-p", "-c", filepath.Join(dir, name+".cfg")).CombinedOutput()
		if err != nil {
			t.Errorf("%s -p: %v\n%s", name, err, out)
		}
	}
}

// testBIRD is the folder of an unpacked BIRD.
func testBIRD(t *testing.T, version string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	bin := filepath.Join(dir, ".testenv", "bird", version)
	if _, err := os.Stat(filepath.Join(bin, "bird")); err != nil {
		t.Skipf("BIRD %s is not unpacked in %s", version, bin)
	}
	return bin
}

// renderText renders one template that sees the whole key tree.
func renderText(t *testing.T, text string, change ...func(*Options, *Input)) (string, error) {
	t.Helper()
	opts, in := Options{Node: "n1", Prefix: "/calico"}, testInput()
	for _, c := range change {
		c(&opts, &in)
	}
	e, err := Load(fstest.MapFS{
		"conf.d/x.toml":        {Data: []byte("[template]\nsrc = \"x.template\"\ndest = \"/x\"\nkeys = [\"/\"]\n")},
		"templates/x.template": {Data: []byte(text)},
	}, opts)
	if err != nil {
		return "", err
	}
	files, err := e.Render(context.Background(), in)
	if err != nil {
		return "", err
	}
	return string(files[0].Data), nil
}

func TestFunctions(t *testing.T) {
	env := func(_ *Options, in *Input) {
		in.Env = func(k string) string { return map[string]string{"SET": "yes"}[k] }
	}
	tests := []struct{ text, want string }{
		{`{{getenv "SET"}} {{getenv "UNSET"}} {{getenv "UNSET" "else"}} {{getenv "NODENAME"}}`, "yes  else n1"},
		{`{{base "/a/b"}} {{dir "/a/b"}} {{join (split "1.2" ".") "_"}}`, "b /a 1_2"},
		{`{{toUpper "a"}}{{toLower "B"}} {{contains "abc" "b"}} {{replace "aaa" "a" "b" 2}} {{hasSuffix "ab" "b"}} {{trimSuffix "ab" "b"}}`, "Ab true bba true a"},
		{`{{$d := json "{\"port\":179,\"zero\":0,\"name\":\"x\"}"}}{{$d.port}} {{if $d.zero}}set{{end}} {{$d.name}} {{$d.none}}`, "179  x <no value>"},
		{`{{$d := json "{\"port\":65535}"}}{{$d.port}} {{eq $d.port 65535.0}}`, "65535 true"},
		{`{{range jsonArray "[1,\"a\"]"}}{{.}},{{end}}`, "1,a,"},
		{`{{$m := map "a" 1 "b" "x"}}{{$m.a}}{{$m.b}}`, "1x"},
		{`{{add 2 3}} {{sub 2 3}} {{mul 2 3}} {{div 7 2}} {{mod 7 2}} {{atoi "12"}} {{parseBool "true"}}`, "5 -1 6 3 1 12 true"},
		{`{{seq 1 3}}{{seq 3 1}}`, "[1 2 3][]"},
		{`{{seq 9223372036854775806 9223372036854775807}}`, "[9223372036854775806 9223372036854775807]"},
		{`{{base64Encode "hi"}} {{base64Decode "aGk="}}`, "aGk= hi"},
		{`{{reverse (split "a,b" ",")}} {{sortByLength (split "bbb,a,cc" ",")}}`, "[b a] [a cc bbb]"},
		{`{{range reverse (gets "/rejectcidrs/*")}}{{.Key}}{{end}} {{range sortKVByLength (gets "/bgp/v1/host/n2/ip*")}}{{.Key}}{{end}}`,
			"/rejectcidrs/10.96.0.0-16 /bgp/v1/host/n2/ip_addr_v4/bgp/v1/host/n2/ip_addr_v6"},
		{`{{lookupIP "127.0.0.1"}} {{lookupIPV6 "127.0.0.1"}} {{fileExists "/"}} {{fileExists "/no/such"}}`, "[127.0.0.1] [] true false"},
		{`{{hashToIPv4 "kube-master"}}`, bgp.HashRouterID("kube-master").String()},
		{`{{bgpFilterFunctionName "f" "import" 4}} {{bgpFilterFunctionName "f" "Export" "6"}}`, "'bgp_f_importFilterV4' 'bgp_f_exportFilterV6'"},
		{`{{bgpFilterFunctionName "a'b" "import" 4}} {{bgpFilterFunctionName "a_b" "import" 4}}`, "'bgp_a_b_C6654BF7605731F0_importFilterV4' 'bgp_a_b_importFilterV4'"},
		{`{{emitFunctionName "f" "import" 4}} {{range emitBIRDBGPFilterFuncs (gets "/resources/v3/projectcalico.org/bgpfilters/six") 6}}{{.}}{{end}}`,
			"'bgp_f_importFilterV4' function 'bgp_six_importFilterV6'() {  if net != 5000::/64 then accept;}"},
		{`{{range gets "/bgp/v1/host/n1/peer_v4/*"}}{{$d := json .Value}}{{if ne $d.local_as_num "0"}}local as {{$d.local_as_num}};{{end}}{{end}}`, ""},
		{`{{range gets "/bgp/v1/global/peer_v4/*"}}{{$d := json .Value}}{{if ne $d.local_as_num "0"}}local as {{$d.local_as_num}};{{end}}{{end}}`, "local as 65001;"},
		{`{{range bgpFilterBIRDFuncs (gets "/resources/v3/projectcalico.org/bgpfilters/s*") 4}}{{.}}{{end}}`, ""},
		{`{{(getBGPConfig "6" .).NodeIPv6}} {{(getBGPConfig 4 .).NodeIP}}`, "fd00::1 10.0.0.1"},
		{`{{with datetime}}{{if gt .Year 2020}}now{{end}}{{end}}`, "now"},
		{`{{exists "/bgp/v1/global/as_num"}} {{exists "/bgp/v1/global"}} {{exists "bgp/v1/global/as_num"}}`, "true false false"},
		{`{{(get "/bgp/v1/global/as_num").Value}} {{getv "/nothing" "else"}} {{getvs "/bgp/v1/host/*/ip_addr_v4"}}`, "64512 else [10.0.0.1 10.0.0.10 10.0.0.2]"},
		{`{{ls "/bgp/v1/host"}} {{lsdir "/bgp/v1"}} {{ls "/bgp/v1/global/as_num"}} {{ls "/nothing"}}`, "[n1 n10 n2] [global host] [as_num] []"},
		{`{{ls "/ipam/v2/host/n1/ipv4/block"}}`, "[192.168.1.0-26 192.168.1.128-26]"},
	}
	for _, tt := range tests {
		got, err := renderText(t, tt.text, env)
		if err != nil || got != tt.want {
			t.Errorf("%s\n got %q, %v\nwant %q", tt.text, got, err, tt.want)
		}
	}
}

// A peer that is one of the nodes is passive by its address, which templates see
// to. Only local workloads are said to be.
func TestPassivePeers(t *testing.T) {
	const text = `{{range gets "/bgp/v1/global/peer_v4/*"}}{{$d := json .Value}}{{if and (eq $d.calico_node true) (gt $d.ip "10.0.0.1")}}passive on; {{end}}
{{- if $d.passive_mode}}passive on; {{end}}{{end}}
{{- range gets "/bgp/v1/host/n1/peer_v6/*"}}{{$d := json .Value}}{{if $d.passive_mode}}{{$d.ip}} passive on;{{end}}{{end}}`
	got, err := renderText(t, text, func(_ *Options, in *Input) {
		s := in.Config.IPv4.Sessions[0]
		s.PeerNode, s.Passive = "n7", true
	})
	if want := "passive on; fd10::5 passive on;"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestErrors(t *testing.T) {
	limits := func(o *Options, _ *Input) { o.MaxOutput = 1 << 10 }
	short := func(o *Options, _ *Input) { o.Timeout = 100 * time.Millisecond }
	tests := []struct{ name, text, want string }{
		{"missing key", "\n{{getv \"/no/such\"}}", "templates/x.template:2:"},
		{"missing key's name", `{{get "/no/such"}}`, "key does not exist: /no/such"},
		{"bad pattern", `{{gets "/a[/*"}}`, "syntax error in pattern"},
		{"bad version", `{{getBGPConfig 5 .}}`, `"5" is neither 4 nor 6`},
		{"division", `{{div 1 0}}`, "division by zero"},
		{"odd map", `{{map "a"}}`, "number of arguments is odd"},
		{"syntax", "\n\n{{if}}", "templates/x.template:3:"},
		{"no such function", `{{nope}}`, `function "nope" not defined`},
		{"secret", `{{range gets "/bgp/v1/global/peer_v4/*"}}{{$d := json .Value}}{{atoi $d.password}}{{end}}`, `parsing "(secret)"`},
		{"panic", `{{slice "abc" 5 2}}`, "x.template:1:"},
		{"endless", `{{range 1000000000000}}{{end}}`, "took longer than 100ms"},
		{"endless recursion", `{{define "a"}}{{range 99999}}{{template "a"}}{{end}}{{end}}{{template "a"}}`, "more than 200 deep"},
		{"too large", `{{range 1000000000}}0123456789{{end}}`, "x.template:1:"},
		{"too large, in words", `{{range 1000000000}}0123456789{{end}}`, "makes more than 1024 bytes"},
		{"sequence", `{{seq 1 2000000000}}`, "more than 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := limits
			if tt.name == "endless" {
				change = short
			}
			_, err := renderText(t, tt.text, change)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), "top-secret") {
				t.Errorf("a password is in %v", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	e, err := Load(os.DirFS("testdata/calico-style/2026"), Options{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Render(ctx, testInput()); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
}

func TestHostilePassword(t *testing.T) {
	for _, text := range []string{`{{getBGPConfig 4 .}}`, `{{gets "/bgp/v1/global/*/*"}}`} {
		_, err := renderText(t, text, func(_ *Options, in *Input) { in.Config.IPv4.Sessions[0].Password = "a\"; debug all" })
		if err == nil || !strings.Contains(err.Error(), "Global_10_1_0_1_port_166") || strings.Contains(err.Error(), "debug all") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSameBytes renders twice from equal input.
func TestSameBytes(t *testing.T) {
	const dump = `{{range gets "/*/*"}}{{.}}{{end}}{{range gets "/*/*/*/*"}}{{.}}{{end}}{{range gets "/*/*/*/*/*"}}{{.}}{{end}}{{range gets "/*/*/*/*/*/*"}}{{.}}{{end}}`
	first, err := renderText(t, dump)
	if err != nil || first == "" {
		t.Fatal(first, err)
	}
	for range 5 {
		if again, _ := renderText(t, dump); !bytes.Equal([]byte(first), []byte(again)) {
			t.Fatal(cmp.Diff(first, again))
		}
	}
}

// TestMapsThatGrow: maps that hold one another print to more than there is memory, as
// does what only maps keep. Many maps, or one that is passed on and on, are neither.
func TestMapsThatGrow(t *testing.T) {
	for text, want := range map[string]string{
		`{{$x := "a"}}{{range seq 1 40}}{{$x = map "a" $x "b" $x}}{{end}}{{$x}}`:                                "makes a map of more than 67108864 bytes",
		`{{$x := "a"}}{{range seq 1 1000}}{{$x = map "a" $x "b" (printf "%1000000d" .)}}{{end}}`:                "makes a map of more than 67108864 bytes",
		`{{$x := json "{\"a\": [{\"b\": 1}, null, true]}"}}{{range seq 1 40}}{{$x = map "a" $x "b" $x}}{{end}}`: "makes a map of more than 67108864 bytes",
		`{{$x := "a"}}{{range seq 1 2000}}{{$x = map "a" $x "b" .}}{{end}}{{len $x}}`:                           "",
		`{{$x := printf "%9000000d" 1}}{{range seq 1 50}}{{$y := map "a" $x}}{{len $y}}{{end}}`:                 "",
	} {
		e, err := loadFiles(map[string]string{"conf.d/x.toml": "[template]\nsrc = \"t\"\ndest = \"/t\"\n", "templates/t": text}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Render(t.Context(), Input{Config: &bgp.Config{}, Version: Version{2, 0, 12}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestTextsThatGrow(t *testing.T) {
	for _, grow := range []string{`print $x $x`, `printf "%s%s" $x $x`, `replace $x "a" "aa" -1`, `join (split (print $x "," $x) ",") ""`,
		`join (split (print $x $x) "") $x`, `replace $x "" $x -1`, `js (print $x "\"")`, `html $x $x`, `urlquery $x $x`, `base64Encode (base64Encode (base64Encode $x))`} {
		e, err := loadFiles(map[string]string{
			"conf.d/x.toml": "[template]\nsrc = \"t\"\ndest = \"/t\"\n",
			"templates/t":   `{{$x := "a"}}{{range seq 1 40}}{{$x = ` + grow + `}}{{end}}`,
		}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Render(t.Context(), Input{Config: &bgp.Config{}, Version: Version{2, 0, 12}}); err == nil || !strings.Contains(err.Error(), "are the most") {
			t.Errorf("%s: got error %v", grow, err)
		}
	}
}
