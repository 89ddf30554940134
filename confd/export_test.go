package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"confd/internal/testenv"
	"confd/internal/unified"
)

// exportKeys is a cluster with all kinds and most fields, as etcd has it.
func exportKeys() map[string]string {
	resource := func(kind, name, meta, spec string) (string, string) {
		return "/calico/resources/v3/projectcalico.org/" + strings.ToLower(kind) + "s/" + name,
			fmt.Sprintf(`{"apiVersion":"projectcalico.org/v3","kind":%q,"metadata":{"name":%q%s},"spec":%s}`, kind, name, meta, spec)
	}
	keys := map[string]string{
		"/calico/ipam/v2/host/node-1/ipv4/block/10.128.0.0-26":  `{"state":"confirmed","deleted":false}`,
		"/calico/ipam/v2/host/node-1/ipv4/block/10.128.0.64-26": "",
		"/calico/ipam/v2/host/node-1/ipv4/block/10.128.1.0-26":  `{"state":"pendingDeletion"}`,
		"/calico/ipam/v2/host/node-1/ipv6/block/fd10::-122":     `{"state":"confirmed","deleted":true}`,
		"/calico/ipam/v2/host/node-1/ipv6/block/fd10::40-122":   `{"state":"confirmed"}`,
	}
	add := func(kind, name, meta, spec string) {
		key, value := resource(kind, name, meta, spec)
		keys[key] = value
	}
	add("Node", "node-1", `,"labels":{"rack":"07","zone":"true","q":"a: \"b\" # c","odd":"`+"a\x7f\u0085\u2028b"+`"}`,
		`{"bgp":{"ipv4Address":"10.0.0.1/24","ipv6Address":"fd00::1/64","asNumber":"65000.1","routeReflectorClusterID":"244.0.0.1"},"wireguard":{"interfaceIPv4Address":"10.9.0.1"}}`)
	for i := 2; i < 30; i++ {
		add("Node", fmt.Sprintf("node-%d", i), `,"labels":{"rack":"07"}`,
			fmt.Sprintf(`{"bgp":{"ipv4Address":"10.0.0.%d/24","ipv6Address":"fd00::%x"},"wireguard":{"interfaceIPv4Address":"10.9.0.%d"}}`, i, i, i))
	}
	add("BGPConfiguration", "default", "", `{"asNumber":64600,"listenPort":1790,"logSeverityScreen":"Debug","serviceClusterIPs":[{"cidr":"10.96.0.0/12"}],
		"serviceLoadBalancerIPs":[{"cidr":"192.0.2.0/24"},{"cidr":"192.0.3.1/32"}],"serviceExternalIPs":[{"cidr":"198.51.100.0/24"}],
		"communities":[{"name":"all","value":"5663:12"},{"name":"large","value":"1:2:3"}],"prefixAdvertisements":[{"cidr":"10.128.0.0/9","communities":["all","large","100:59"]}],
		"nodeMeshMaxRestartTime":"2m","bindMode":"NodeIP","ignoredInterfaces":["eth9","veth*"],"programClusterRoutes":"Disabled","ipv4NormalRoutePriority":2000}`)
	add("BGPConfiguration", "node.node-1", "", `{"listenPort":1791,"prefixAdvertisements":[{"cidr":"10.128.0.0/10","communities":["1:59"]}]}`)
	add("BGPConfiguration", "node.node-3", "", `{"listenPort":1793}`)
	add("FelixConfiguration", "default", "", `{"programClusterRoutes":"Disabled"}`)
	add("IPPool", "a", "", `{"cidr":"10.128.0.0/16","ipipMode":"CrossSubnet","natOutgoing":true}`)
	add("IPPool", "b", "", `{"cidr":"10.129.0.0/16","vxlanMode":"Always","disableBGPExport":true}`)
	add("IPPool", "c", "", `{"cidr":"fd10::/64","disabled":true}`)
	add("BGPPeer", "by-ip", "", `{"peerIP":"10.0.0.200:1799","asNumber":65535,"localASNumber":65010,"keepOriginalNextHop":true,"sourceAddress":"None","maxRestartTime":"90s",
		"keepaliveTime":"20s","numAllowedLocalASNumbers":2,"ttlSecurity":3,"reachableBy":"10.0.0.254","filters":["every-field","gone"]}`)
	add("BGPPeer", "by-ip-6", "", `{"node":"node-1","peerIP":"[fd00::99]:1799","asNumber":65536,"nextHopMode":"Self","filters":["every-field"]}`)
	add("BGPPeer", "by-selector", "", `{"nodeSelector":"rack == '07' && !has(x)","peerSelector":"zone in {'true', \"y\"} || rack == '07'","nextHopMode":"Keep","reversePeering":"Manual"}`)
	add("BGPFilter", "every-field", "", fmt.Sprintf(`{"importV4":%s,"exportV4":%[1]s,"importV6":%s,"exportV6":%[2]s}`, filterRules("10.0.0.0/8"), filterRules("fd00::/16")))
	return keys
}

func filterRules(cidr string) string {
	return fmt.Sprintf(`[{"cidr":%q,"matchOperator":"In","prefixLength":{"min":20},"source":"RemotePeers","interface":"*.cali","peerType":"eBGP","communities":{"values":["100:59"]},
		"asPathPrefix":[65000,"65001"],"priority":512,"action":"Accept","operations":[{"addCommunity":{"value":"1:2:3"}},{"prependASPath":{"prefix":[1,2]}},{"setPriority":{"value":7}}]},
		{"cidr":%[1]q,"matchOperator":"NotEqual","action":"Accept"},{"action":"Reject"}]`, cidr)
}

// TestExportOfEtcd: what was exported renders to the same bytes as the store.
func TestExportOfEtcd(t *testing.T) {
	etcd := testenv.StartEtcd(t)
	kv, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	for key, value := range exportKeys() {
		if _, err := kv.Put(context.Background(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	store := []string{"--datastore", "etcdv3", "--etcd-endpoints", etcd.Endpoint()}
	files := exportedAs(t, t.TempDir(), store)
	for _, text := range []string{"Node_10_0_0_2_", "allow local as 2", "(1, 2, 3)", "fd10::40/122"} {
		if !strings.Contains(files, text) {
			t.Errorf("the rendered files lack %q: the cluster is not as varied as it should be", text)
		}
	}
}

// TestExportOfFiles does the same with the golden cases, which have Services,
// EndpointSlices and Secrets.
func TestExportOfFiles(t *testing.T) {
	cases, err := filepath.Glob("testdata/golden/*/data.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, data := range cases {
		t.Run(filepath.Base(filepath.Dir(data)), func(t *testing.T) {
			exportedAs(t, filepath.Dir(data), []string{"--data", data})
		})
	}
}

// A password that no session can have is none in the export, either.
func TestExportOfBadPasswords(t *testing.T) {
	text := "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: node-1}\nspec: {bgp: {ipv4Address: 10.0.0.1/24}}\n" +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: kube-system}\nstringData: {good: secret-1, empty: '', line: \"secret-2\\n\", quote: 'secret\"3', long: '" + strings.Repeat("secret-4", 11) + "'}\n"
	for i, key := range []string{"good", "empty", "line", "quote", "long"} {
		text += fmt.Sprintf("---\napiVersion: projectcalico.org/v3\nkind: BGPPeer\nmetadata: {name: %s}\nspec: {peerIP: 10.0.0.%d, asNumber: 7, password: {secretKeyRef: {name: s, key: %s}}}\n", key, i+2, key)
	}
	data := filepath.Join(t.TempDir(), "data.yaml")
	if err := os.WriteFile(data, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(exportedAs(t, filepath.Dir(data), []string{"--data", data}), "protocol bgp Global_"); got != 2 {
		t.Errorf("%d sessions, want 2: with the good password, and with none", got)
	}
}

// exportedAs exports the store that the flags name, compares what both render
// to, and returns that.
func exportedAs(t *testing.T, statuses string, store []string) string {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{"NODENAME": "node-1", "CALICO_ENDPOINT_STATUS_PATH_PREFIX": statuses, "CONFD_LOG_LEVEL": "error"}
	run := func(args ...string) called {
		t.Helper()
		c := execute(t, env, args...)
		if c.code != exitGood {
			t.Fatalf("%v: exit code %d: %s", args, c.code, c.stderr)
		}
		return c
	}
	snapshot, hidden := filepath.Join(dir, "snapshot.yaml"), filepath.Join(dir, "hidden.yaml")
	run(append([]string{"export", "--secrets", "-o", snapshot}, store...)...)
	if err := os.WriteFile(hidden, []byte(run(append([]string{"export"}, store...)...).stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	render := []string{"render", "--bird", "1", "--confdir", "/nonexistent"}
	want := run(append(render, store...)...).stdout
	if got := run(append(render, "--data", snapshot)...).stdout; got != want {
		t.Error(unified.Diff("rendered", want, "rendered (new)", got))
	}
	if got := run(append(render, "--data", hidden)...).stdout; unified.Hidden(got) != unified.Hidden(want) {
		t.Error(unified.Diff("rendered with hidden secrets", want, "new", got))
	}
	again := run(append([]string{"export", "--secrets"}, "--data", snapshot)...).stdout
	if first, err := os.ReadFile(snapshot); err != nil || string(first) != again {
		t.Errorf("an export of the export differs: %v", err)
	}
	if info, err := os.Stat(snapshot); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode of the snapshot: %v, %v", info.Mode(), err)
	}
	for password := range passwordsIn(want) {
		if text, _ := os.ReadFile(hidden); strings.Contains(string(text), password) {
			t.Errorf("the export without --secrets has the password %q", password)
		}
	}
	return want
}

// passwordsIn are the passwords in rendered files.
func passwordsIn(files string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`\bpassword "([^"]*)"`).FindAllStringSubmatch(files, -1) {
		found[m[1]] = true
	}
	return found
}
