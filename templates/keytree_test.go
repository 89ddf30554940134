package templates

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/memkv"

	"confd/backends"
	"confd/bgp"
)

// TestLikeMemkv compares the functions of the key tree with memkv's own, over
// random trees and questions.
func TestLikeMemkv(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	key := func(letters string, depth int) string {
		var b strings.Builder
		for range 1 + random.IntN(depth) {
			b.WriteString("/")
			for range 1 + random.IntN(2) {
				b.WriteByte(letters[random.IntN(len(letters))])
			}
		}
		return b.String()
	}
	for range 300 {
		store := memkv.New()
		var p pairs
		for range 12 {
			k := key("ab", 4)
			store.Set(k, k+"'s")
			p.add(k+"'s", "/root", k)
		}
		source := &keySource{groups: []*keyGroup{{root: "/root", fill: func(out *pairs) error { out.list = p.list; return nil }}}}
		v := keyView{source: source, prefix: "/root", selected: []string{"/root"}}
		for range 40 {
			askBoth(t, &store, v, key("ab*?", 4))
			askBoth(t, &store, v, key("ab", 3))
			askBoth(t, &store, v, key("ab", 2)+"/")
			askBoth(t, &store, v, key("ab", 2)+"/[^a]*")
		}
		for _, q := range []string{"", "/", "a", "[]a]", "/*"} {
			askBoth(t, &store, v, q)
		}
	}
}

func askBoth(t *testing.T, store *memkv.Store, v keyView, q string) {
	t.Helper()
	check := func(function string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s %q (-memkv +ours):\n%s", function, q, diff)
		}
	}
	text := func(err error) string { return fmt.Sprint(err) }
	wantKV, wantErr := store.Get(q)
	gotKV, gotErr := v.get(q)
	if wantErr == nil {
		check("get", wantKV, gotKV)
		check("get", text(wantErr), text(gotErr))
	}
	exists, _ := v.exists(q)
	check("exists", store.Exists(q), exists)
	wantKVs, wantErr := store.GetAll(q)
	gotKVs, gotErr := v.gets(q)
	if wantErr == nil {
		check("gets", wantKVs, gotKVs)
	}
	check("gets", text(wantErr), text(gotErr))
	if wantErr == nil {
		want, _ := store.GetAllValues(q)
		got, _ := v.getvs(q)
		check("getvs", want, got)
	}
	names, _ := v.ls(q)
	check("ls", store.List(q), names)
	names, _ = v.lsdir(q)
	check("lsdir", store.ListDir(q), names)
}

// TestSelectedKeys shows that a resource sees what its keys name, and not what
// only starts with the same letters.
func TestSelectedKeys(t *testing.T) {
	view := func(prefix string, keys ...string) keyView {
		return keyView{source: newKeySource(testInput()), prefix: cleanPrefix(prefix),
			selected: fullKeys(cleanPrefix(prefix), keys, "n1"), resource: "conf.d/x.toml"}
	}
	tests := []struct {
		name    string
		view    keyView
		pattern string
		want    []string
	}{
		{"one node's, not n10's", view("calico", "/bgp/v1/host//NODENAME"), "/bgp/v1/host/*/ip_addr_v4", []string{"/bgp/v1/host/n1/ip_addr_v4"}},
		{"one key", view("/calico", "/bgp/v1/global/as_num"), "/bgp/v1/global/*", []string{"/bgp/v1/global/as_num"}},
		{"nested keys", view("/calico", "/rejectcidrs", "/rejectcidrs/10.96.0.0-16"), "/rejectcidrs/*", []string{"/rejectcidrs/10.96.0.0-16"}},
		{"keys beside one another", view("/calico", "/bgp/v1", "/bgp/v1/global", "/bgp/v1-x", "/bgp/v1/host/n1"), "/bgp/v1/global/as*", []string{"/bgp/v1/global/as_num"}},
		{"not IPv6's", view("/calico", "/staticroutes/"), "/staticroutes*/*", []string{"/staticroutes/10.96.0.0-16"}},
		{"no prefix", view("", "/calico/bgp/v1/global"), "/calico/bgp/v1/global/as_num", []string{"/calico/bgp/v1/global/as_num"}},
		{"longer prefix", view("/calico/bgp", "/v1/global/loglevel"), "/v1/*/*", []string{"/v1/global/loglevel"}},
		{"no keys", view("/calico"), "/bgp/v1/global/*", []string{}},
		{"blocks", view("/calico", "/ipam/v2/host//NODENAME/ipv4/block"), "/ipam/v2/host/*/*/block/*",
			[]string{"/ipam/v2/host/n1/ipv4/block/192.168.1.0-26", "/ipam/v2/host/n1/ipv4/block/192.168.1.128-26"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, err := tt.view.gets(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, kv := range found {
				got = append(got, kv.Key)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := view("/calico").getv("/bgp/v1/global/as_num"); err == nil || !strings.Contains(err.Error(), "conf.d/x.toml do not select it") {
		t.Errorf("got %v", err)
	}
}

// TestKeyTree compares the whole tree of the test cluster with what templates
// rely on.
func TestKeyTree(t *testing.T) {
	want := map[string]string{
		"/calico/bgp/v1/global/as_num":                                 "64512",
		"/calico/bgp/v1/global/node_mesh":                              `{"enabled":true}`,
		"/calico/bgp/v1/global/loglevel":                               "none",
		"/calico/bgp/v1/global/listen_port":                            "1179",
		"/calico/bgp/v1/global/bind_mode":                              "NodeIP",
		"/calico/bgp/v1/global/ignored_interfaces":                     "docker0,virbr*",
		"/calico/bgp/v1/global/node_mesh_restart_time":                 "90",
		"/calico/bgp/v1/global/program_cluster_routes":                 "Disabled",
		"/calico/bgp/v1/global/svc_external_ips":                       "80.15.0.0/24",
		"/calico/bgp/v1/global/svc_loadbalancer_ips":                   "90.0.0.0/24",
		"/calico/bgp/v1/global/prefix_advertisements/ip_v4":            `[{"cidr":"192.168.0.0/16","communities":["100:5","1:2:3"]}]`,
		"/calico/bgp/v1/global/prefix_advertisements/ip_v6":            `[]`,
		"/calico/bgp/v1/global/peer_v4/10.1.0.1-166":                   `{"ip":"10.1.0.1","as_num":"65001","local_as_num":"65001","rr_cluster_id":"","password":"top-secret","source_addr":"UseNodeIP","restart_time":"120","keepalive_time":"30","port":166,"keep_next_hop":false,"calico_node":false,"num_allow_local_as":1,"ttl_security":3,"filters":["all-of-it"],"reachable_by":"","passive_mode":false,"local_bgp_peer":false,"next_hop_mode":""}`,
		"/calico/bgp/v1/host/n1/peer_v4/10.0.0.10":                     `{"ip":"10.0.0.10","as_num":"64512","local_as_num":"0","rr_cluster_id":"1.0.0.1","password":"","source_addr":"None","restart_time":"","keepalive_time":"","port":0,"keep_next_hop":true,"calico_node":true,"num_allow_local_as":0,"ttl_security":0,"filters":["by-session"],"reachable_by":"10.0.0.254","passive_mode":false,"local_bgp_peer":false,"next_hop_mode":"Keep"}`,
		"/calico/bgp/v1/host/n1/ip_addr_v4":                            "10.0.0.1",
		"/calico/bgp/v1/host/n1/ip_addr_v6":                            "fd00::1",
		"/calico/bgp/v1/host/n1/network_v4":                            "10.0.0.0/24",
		"/calico/bgp/v1/host/n1/network_v6":                            "fd00::/64",
		"/calico/bgp/v1/host/n1/wireguard_addr_v4":                     "10.9.0.1",
		"/calico/bgp/v1/host/n1/wireguard_addr_v6":                     "",
		"/calico/bgp/v1/host/n1/loglevel":                              "debug",
		"/calico/bgp/v1/host/n2/ip_addr_v6":                            "",
		"/calico/bgp/v1/host/n2/as_num":                                "4200000000",
		"/calico/bgp/v1/host/n2/listen_port":                           "179",
		"/calico/bgp/v1/host/n10/rr_cluster_id":                        "1.0.0.1",
		"/calico/v1/ipam/v4/pool/192.168.0.0-16":                       `{"cidr":"192.168.0.0/16","ipip":"tunl0","ipip_mode":"cross-subnet","vxlan_mode":"","masquerade":true,"ipam":true,"disabled":false,"disableBGPExport":false}`,
		"/calico/v1/ipam/v4/pool/172.16.0.0-16":                        `{"cidr":"172.16.0.0/16","ipip":"","ipip_mode":"","vxlan_mode":"always","masquerade":false,"ipam":false,"disabled":true,"disableBGPExport":true}`,
		"/calico/v1/ipam/v6/pool/fd10::-48":                            `{"cidr":"fd10::/48","ipip":"","ipip_mode":"","vxlan_mode":"","masquerade":false,"ipam":true,"disabled":false,"disableBGPExport":false}`,
		"/calico/ipam/v2/host/n1/ipv4/block/192.168.1.0-26":            `{"state":"confirmed","deleted":false}`,
		"/calico/ipam/v2/host/n1/ipv4/block/192.168.1.128-26":          `{"state":"pendingDeletion","deleted":false}`,
		"/calico/ipam/v2/host/n1/ipv6/block/fd10::-122":                `{"state":"confirmed","deleted":false}`,
		"/calico/staticroutes/10.96.0.0-16":                            "10.96.0.0/16",
		"/calico/staticroutesv6/fd00:96::-112":                         "fd00:96::/112",
		"/calico/rejectcidrs/10.96.0.0-16":                             "10.96.0.0/16",
		"/calico/rejectcidrsv6/fd00:96::-112":                          "fd00:96::/112",
		"/calico/resources/v3/projectcalico.org/bgpfilters/by-session": `{"apiVersion":"projectcalico.org/v3","kind":"BGPFilter","metadata":{"name":"by-session"},"spec":{"exportV4":[{"peerType":"iBGP","priority":100,"action":"Accept"}]}}`,
	}
	absent := []string{"n2/network_v6", "n10/as_num", "n10/listen_port", "n10/loglevel", "n2/prefix_advertisements/ip_v4", "odd\nname; }/ip_addr_v4"}
	v := keyView{source: newKeySource(testInput()), selected: []string{"/"}}
	for key, value := range want {
		if got, err := v.getv(key); err != nil || got != value {
			t.Errorf("%s\n got %s, %v\nwant %s", key, got, err, value)
		}
	}
	for _, key := range absent {
		if found, err := v.exists("/calico/bgp/v1/host/" + key); found || err != nil {
			t.Errorf("%s is there, %v", key, err)
		}
	}
}

// TestFilterJSON shows that a filter comes back as it was.
func TestFilterJSON(t *testing.T) {
	for _, f := range testFilters() {
		text, err := backends.Encode(f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := backends.Decode(backends.KindBGPFilter, f.Name, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		sameNet := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
		if diff := cmp.Diff(backends.Resource(f), back, sameNet); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

// bigInput is a mesh of 5,000 nodes.
func bigInput() Input {
	const nodes = 5000
	in := Input{Config: &bgp.Config{Node: "n1", IPv4: bgp.Family{Version: 4}, IPv6: bgp.Family{Version: 6}}, State: backends.NewState()}
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		node := nodeAddress(fmt.Sprintf("10.%d.%d.1/24", i/250, i%250))
		in.State.Nodes[name] = &backends.Node{Name: name, IPv4: node}
		in.State.BlockAffinities[name] = &backends.BlockAffinity{Name: name, Node: name, CIDR: pfx(fmt.Sprintf("172.%d.%d.0/26", i/250, i%250))}
	}
	return in
}

// BenchmarkKeyTree asks what a Calico template asks, at 5,000 nodes.
func BenchmarkKeyTree(b *testing.B) {
	in := bigInput()
	view := func() keyView {
		return keyView{source: newKeySource(in), prefix: "/calico", selected: []string{"/calico/bgp/v1/global", "/calico/bgp/v1/host"}}
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := view().getv("/bgp/v1/host/n1/ip_addr_v4"); err != nil {
				b.Fatal(err)
			}
		}
	})
	v := view()
	b.Run("getv", func(b *testing.B) {
		for b.Loop() {
			_, _ = v.getv("/bgp/v1/host/n2500/ip_addr_v4")
		}
	})
	b.Run("gets", func(b *testing.B) {
		for b.Loop() {
			if found, _ := v.gets("/bgp/v1/host/*/ip_addr_v4"); len(found) != 5000 {
				b.Fatal(len(found))
			}
		}
	})
	b.Run("lsdir", func(b *testing.B) {
		for b.Loop() {
			if found, _ := v.lsdir("/bgp/v1/host"); len(found) != 5000 {
				b.Fatal(len(found))
			}
		}
	})
}

// TestMeshPassword: templates of Calico find the mesh's password under a key of
// its own.
func TestMeshPassword(t *testing.T) {
	cfg := &bgp.Config{Node: "n1"}
	cfg.IPv6.Sessions = []*bgp.Session{{Kind: bgp.NodeSession, Password: "other"}, {Kind: bgp.MeshSession, Password: "mesh"}}
	source := newKeySource(Input{Config: cfg, State: testState()})
	view := keyView{source: source, prefix: "/calico", selected: []string{"/calico/bgp/v1/global"}, resource: "conf.d/x.toml"}
	if got, err := view.getv("/bgp/v1/global/node_mesh_password"); err != nil || got != "mesh" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestMeshRestartTime: templates get the time that sessions have, which is no longer than
// BGP can say, and not 0 where it is a part of a second.
func TestMeshRestartTime(t *testing.T) {
	for restart, want := range map[time.Duration]string{0: "0", 400 * time.Millisecond: "1", 90 * time.Second: "90", 2 * time.Hour: "4095"} {
		s := testState()
		s.BGPConfigurations["default"] = &backends.BGPConfiguration{Name: "default", NodeMeshMaxRestartTime: &restart}
		cfg, err := bgp.Compute(s, bgp.Options{Node: "n1"})
		if err != nil {
			t.Fatal(err)
		}
		view := keyView{source: newKeySource(Input{Config: cfg, State: s}), prefix: "/calico", selected: []string{"/calico"}}
		if got, err := view.getv("/bgp/v1/global/node_mesh_restart_time"); err != nil || got != want || number32(*cfg.IPv4.Sessions[0].GracefulRestartTime) != want {
			t.Errorf("%s: %q in the tree, %d in sessions, want %s: %v", restart, got, *cfg.IPv4.Sessions[0].GracefulRestartTime, want, err)
		}
	}
}
