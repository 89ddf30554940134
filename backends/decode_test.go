package backends

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ptr[T any](v T) *T { return &v }

var comparePlain = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var compareNets = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func object(name, spec string) []byte {
	return fmt.Appendf(nil, `{"apiVersion": "projectcalico.org/v3", "metadata": {"name": %q}, "spec": %s}`, name, spec)
}

func TestDecode(t *testing.T) {
	addr, net := netip.MustParseAddr, netip.MustParsePrefix
	for _, tc := range []struct {
		name string
		kind Kind
		data string
		want Resource
	}{
		{"node", KindNode, `{"metadata": {"name": "n", "labels": {"a": true, "b": 1, "c": "x", "d": null}}, "spec": {
			"bgp": {"ipv4Address": "10.0.0.1/24", "ipv6Address": "2001:db8::1", "asNumber": "1.10", "routeReflectorClusterID": "224.0.0.1"},
			"wireguard": {"interfaceIPv4Address": "10.9.0.1"}}}`,
			&Node{Name: "n", Labels: map[string]string{"a": "true", "b": "1", "c": "x", "d": ""},
				IPv4: NodeAddress{addr("10.0.0.1"), net("10.0.0.0/24")}, IPv6: NodeAddress{addr("2001:db8::1"), net("2001:db8::1/128")},
				ASNumber: 65546, ClusterID: addr("224.0.0.1"), WireguardIPv4: addr("10.9.0.1")}},
		{"node without spec", KindNode, `{"metadata": {"name": "n"}, "spec": null}`, &Node{Name: "n"}},
		{"node with a single address", KindNode, `{"metadata": {"name": "n"}, "spec": {"bgp": {"ipv4Address": "::ffff:10.0.0.1/128"}}}`,
			&Node{Name: "n", IPv4: NodeAddress{addr("10.0.0.1"), net("10.0.0.1/32")}}},
		{"metadata in an annotation", KindBGPPeer, `{"metadata": {"name": "a-hash", "annotations":
			{"projectcalico.org/metadata": "{\"name\":\"Real\"}"}}, "spec": {"peerIP": "10.0.0.1"}}`,
			&BGPPeer{Name: "Real", PeerIP: addr("10.0.0.1")}},
		{"configuration", KindBGPConfiguration, string(object("default", `{"asNumber": "65001", "nodeToNodeMeshEnabled": "false",
			"listenPort": 178, "logSeverityScreen": "Info", "serviceClusterIPs": [{"cidr": "10.96.0.1/12"}, {}, {"cidr": ""}],
			"serviceLoadBalancerAggregation": "Disabled", "communities": [{"name": "c", "value": 339792}],
			"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["c", "1:2:3", 339792]}],
			"nodeMeshPassword": {"secretKeyRef": {"name": "s", "key": "k"}}, "nodeMeshMaxRestartTime": "2m", "bindMode": "NodeIP",
			"ignoredInterfaces": ["eth*"], "programClusterRoutes": "Disabled", "ipv4NormalRoutePriority": 512, "unknown": [1]}`)),
			&BGPConfiguration{Name: "default", ASNumber: 65001, NodeToNodeMesh: ptr(false), ListenPort: 178, LogSeverity: "Info",
				ServiceClusterIPs: []netip.Prefix{net("10.96.0.0/12")}, NoLoadBalancerAggregation: true,
				Communities:            []NamedCommunity{{"c", Community{A: 5663, B: 12}}},
				PrefixAdvertisements:   []PrefixAdvertisement{{net("10.0.0.0/8"), []string{"c", "1:2:3", "5663:12"}}},
				NodeMeshPassword:       &SecretKeyRef{"s", "k"},
				NodeMeshMaxRestartTime: ptr(2 * time.Minute), BindNodeIP: true, IgnoredInterfaces: []string{"eth*"},
				ProgramClusterRoutes: RoutesDisabled, IPv4NormalPriority: ptr(uint32(512))}},
		{"peer", KindBGPPeer, string(object("p", `{"nodeSelector": "all()", "peerIP": "[2001:db8::1]:1790", "asNumber": 4294967295,
			"nextHopMode": "Keep", "sourceAddress": "None", "maxRestartTime": "90s", "keepaliveTime": "1500ms", "ttlSecurity": 1,
			"reachableBy": "2001:db8::2", "filters": ["f", "g"], "reversePeering": "Manual", "numAllowedLocalASNumbers": "2"}`)),
			&BGPPeer{Name: "p", NodeSelector: "all()", PeerIP: addr("2001:db8::1"), Port: 1790, ASNumber: 4294967295, NextHopMode: NextHopKeep,
				NoSourceAddress: true, MaxRestartTime: ptr(90 * time.Second), KeepaliveTime: ptr(1500 * time.Millisecond), TTLSecurity: 1,
				ReachableBy: addr("2001:db8::2"), Filters: []string{"f", "g"}, NoReversePeering: true, NumAllowedLocalAS: ptr(uint32(2))}},
		{"filter", KindBGPFilter, string(object("f.1", `{"importV4": [{"cidr": "10.1.2.3/16", "matchOperator": "In", "prefixLength": {"max": 24},
			"source": "RemotePeers", "interface": "*.calico", "peerType": "iBGP", "communities": {"values": ["1:2"]}, "asPathPrefix": [1, "1.1"],
			"priority": 5, "action": "Accept", "operations": [{"addCommunity": {"value": "1:2:3"}}, {"prependASPath": {"prefix": ["65000"]}},
			{"setPriority": {"value": 0}}]}], "exportV6": [{"action": "Reject"}]}`)),
			&BGPFilter{Name: "f.1", ImportV4: []FilterRule{{CIDR: net("10.1.0.0/16"), Match: MatchIn, PrefixLength: &LengthRange{16, 24},
				RemotePeers: true, Interface: "*.calico", PeerType: PeerInternal, Community: &Community{A: 1, B: 2}, ASPathPrefix: []uint32{1, 65537},
				Priority: ptr(uint32(5)), Accept: true, Operations: []Operation{{AddCommunity: &Community{Large: true, A: 1, B: 2, C: 3}},
					{PrependASPath: []uint32{65000}}, {SetPriority: ptr(uint32(0))}}}}, ExportV6: []FilterRule{{}}}},
		{"pool", KindIPPool, string(object("p", `{"cidr": "10.1.0.0/16", "ipipMode": "CrossSubnet", "vxlanMode": "Never", "disableBGPExport": true, "blockSize": 28}`)),
			&IPPool{Name: "p", CIDR: net("10.1.0.0/16"), IPIP: EncapCrossSubnet, VXLAN: EncapNever, DisableBGPExport: true, BlockSize: 28}},
		{"pool whose block size makes no sense", KindIPPool, string(object("p", `{"cidr": "10.1.0.0/16", "blockSize": 8}`)),
			&IPPool{Name: "p", CIDR: net("10.1.0.0/16")}},
		{"block", KindBlockAffinity, string(object("b", `{"node": "n", "cidr": "10.1.0.0/26", "state": "confirmed", "deleted": "true"}`)),
			&BlockAffinity{Name: "b", Node: "n", CIDR: net("10.1.0.0/26"), State: "confirmed", Deleted: true}},
		{"service", KindService, `{"metadata": {"name": "s"}, "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"],
			"externalIPs": ["80.15.0.1/32", "80.15.0.2"], "externalTrafficPolicy": "Local"}, "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"hostname": "x"}]}}}`,
			&Service{Namespace: "default", Name: "s", Type: "ClusterIP", ClusterIPs: []netip.Addr{addr("10.0.0.1"), addr("fd00::1")},
				ExternalIPs: []netip.Addr{addr("80.15.0.2")}, LoadBalancerIPs: []netip.Addr{addr("1.1.1.1")}, Local: true, IPv4: true, IPv6: true,
				Ignored: []string{`spec.externalIPs[0]: "80.15.0.1/32" is not an IP address`}}},
		{"headless", KindService, `{"metadata": {"name": "s", "namespace": "x"}, "spec": {"clusterIP": "None", "clusterIPs": ["None"]}}`,
			&Service{Namespace: "x", Name: "s", Type: "ClusterIP", IPv4: true}},
		{"slice", KindEndpointSlice, `{"metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "svc"}}, "addressType": "IPv6",
			"endpoints": [{"nodeName": "b"}, {"nodeName": "a", "conditions": {"ready": true}}, {"nodeName": "c", "conditions": {"ready": false}}, {"nodeName": "b"}]}`,
			&EndpointSlice{Namespace: "default", Name: "s", Service: "svc", IPv6: true, Ready: true, Nodes: []string{"a", "b"}}},
		{"secret", KindSecret, `{"metadata": {"name": "s"}, "data": {"a": "cHc=", "b": "cHc="}, "stringData": {"b": "plain"}}`,
			&Secret{Namespace: "default", Name: "s", Data: map[string]string{"a": "pw", "b": "plain"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Decode(tc.kind, "", []byte(tc.data))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got, comparePlain, compareNets); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeUnusable(t *testing.T) {
	for _, tc := range []struct {
		kind Kind
		spec string
		want string // a part of the error
	}{
		{KindNode, `[]`, ""},
		{KindBGPPeer, `{}`, "has none of peerIP"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "peerSelector": "all()"}`, "has peerIP and peerSelector"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "node": "a", "nodeSelector": "all()"}`, "has node and nodeSelector"},
		{KindBGPPeer, `{"peerIP": "not-an-ip"}`, `spec.peerIP: "not-an-ip" is not an IP address`},
		{KindBGPPeer, `{"peerIP": "10.0.0.1:0"}`, "port outside 1..65535"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1:65536"}`, "port outside 1..65535"},
		{KindBGPPeer, `{"peerIP": "224.0.0.5"}`, "multicast"},
		{KindBGPPeer, `{"peerIP": "0.0.0.0"}`, "unspecified"},
		{KindBGPPeer, `{"peerIP": "[fe80::1]:179"}`, "link-local"},
		{KindBGPPeer, `{"peerIP": "255.255.255.255"}`, "no unicast"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "ttlSecurity": 256}`, "256 is above 255"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "password": {"secretKeyRef": {"name": "s"}}}`, "needs a name and a key"},
		{KindBGPFilter, `{"importV4": [{"cidr": "2001:db8::/32", "matchOperator": "In", "action": "Accept"}]}`, "not of IPv4"},
		{KindBGPFilter, `{"importV4": [{"cidr": "10.0.0.0/8", "action": "Accept"}]}`, "needs both cidr and matchOperator"},
		{KindBGPFilter, `{"importV4": [{"matchOperator": "In", "action": "Accept"}]}`, "needs both cidr and matchOperator"},
		{KindBGPFilter, `{"exportV4": [{"cidr": "10.0.0.0/16", "matchOperator": "In", "action": "Accept", "prefixLength": {"max": 12}}]}`, "no length is at least 16 and at most 12"},
		{KindBGPFilter, `{"exportV4": [{"cidr": "10.0.0.0/16", "matchOperator": "In", "action": "Accept", "prefixLength": {"max": 33}}]}`, "33 is above 32"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "prefixLength": {"max": 12}}]}`, "needs a cidr"},
		{KindBGPFilter, `{"exportV4": [{"action": "accept"}]}`, "none of [Accept Reject]"},
		{KindBGPFilter, `{"exportV4": [{}]}`, "action: is missing"},
		{KindBGPFilter, `{"exportV4": [{"action": "Reject", "operations": [{"setPriority": {"value": 1}}]}]}`, "with action Accept only"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "operations": [{}]}]}`, "an operation is one"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "operations": [{"setPriority": {"value": 2147483648}}]}]}`, "above 2147483647"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "interface": "a\" then accept; \""}]}`, "is not an interface pattern"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "communities": {"values": ["70000:1"]}}]}`, "is not a community"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "communities": {"values": []}}]}`, "has no community"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "asPathPrefix": [4294967296]}]}`, "above 4294967295"},
		{KindBGPFilter, `{"exportV4": [{"action": "Accept", "asPathPrefix": [null]}]}`, "asPathPrefix[0]: is missing"},
		{KindFelixConfiguration, `{"programClusterRoutes": "\nall"}`, `spec.programClusterRoutes: "\nall" is none of [EnabledNoEncapOnly Enabled `},
		{KindIPPool, `{"cidr": "10.0.0.0"}`, "is not a CIDR"},
		{KindIPPool, `{}`, "spec.cidr: is missing"},
		{KindIPPool, `{"cidr": "10.0.0.0/8", "ipipMode": "Sometimes"}`, "none of"},
		{KindIPPool, `{"cidr": "10.0.0.0/8", "ipipMode": "Always", "vxlanMode": "Always"}`, "both"},
		{KindIPPool, `{"cidr": "fd00::/64", "ipipMode": "Always"}`, "does not exist for IPv6"},
		{KindBlockAffinity, `{"cidr": "10.0.0.0/26"}`, "spec.node: is missing"},
		{KindBlockAffinity, `{"type": "virtual"}`, ErrNotOurs.Error()},
		{"Pod", `{}`, "is not one that can be read"},
	} {
		t.Run(fmt.Sprintf("%s %s", tc.kind, tc.spec), func(t *testing.T) {
			got, err := Decode(tc.kind, "", object("x", tc.spec))
			if tc.want == "" {
				return // must not panic
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, error %v; want an error with %q", got, err, tc.want)
			}
		})
	}
}

// A field that an object can do without costs itself, not the object.
func TestDecodeKeepsTheRest(t *testing.T) {
	for _, tc := range []struct {
		kind Kind
		spec string
		want string // a part of what is said
	}{
		{KindNode, `{"bgp": {"asNumber": 8589934592}}`, "spec.bgp.asNumber: 8589934592 is above 4294967295"},
		{KindNode, `{"bgp": {"asNumber": "65536.1"}}`, `"65536.1" is not an AS number`},
		{KindNode, `{"bgp": {"asNumber": -1}}`, "-1 is below 0"},
		{KindNode, `{"bgp": {"asNumber": 99999999999999999999}}`, "above 4294967295"},
		{KindNode, `{"bgp": {"ipv4Address": "2001:db8::1/64"}}`, "is not an IPv4 address"},
		{KindNode, `{"bgp": {"ipv4Address": "10.0.0.1/33"}}`, "is not an IP address with a prefix length"},
		{KindNode, `{"bgp": {"ipv6Address": "fe80::1%eth0"}}`, "is not an IP address"},
		{KindNode, `{"bgp": {"ipv6Address": "fe80::1/64"}}`, "link-local"},
		{KindNode, `{"bgp": {"routeReflectorClusterID": "x"}}`, `"x" is not an IP address`},
		{KindNode, `{"bgp": []}`, "spec.bgp: a list is not an object"},
		{KindNode, `{"wireguard": {"interfaceIPv4Address": "10.0.0.1/32"}}`, "is not an IP address"},
		{KindNode, `[]`, "spec: a list is not an object"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "reachableBy": "fd00::1"}`, "not of the same address family"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "maxRestartTime": "-1s"}`, "negative"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "keepaliveTime": "0s"}`, "is not longer than 0"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "keepaliveTime": 10}`, "a text"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "numAllowedLocalASNumbers": -1}`, "-1 is below 0"},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "nextHopMode": "keep"}`, `"keep" is none of [Auto Self Keep]`},
		{KindBGPPeer, `{"peerIP": "10.0.0.1", "sourceAddress": "Any"}`, `none of [UseNodeIP None]`},
		{KindIPPool, `{"cidr": "10.0.0.0/8", "natOutgoing": "perhaps"}`, "spec.natOutgoing"},
	} {
		got, err := Decode(tc.kind, "", object("x", tc.spec))
		if err != nil {
			t.Errorf("%s %s: %v", tc.kind, tc.spec, err)
			continue
		}
		ignored := reflect.ValueOf(got).Elem().FieldByName("Ignored").Interface()
		if list, ok := ignored.([]string); !ok || len(list) != 1 || !strings.Contains(list[0], tc.want) {
			t.Errorf("%s %s: ignored %q, want one with %q", tc.kind, tc.spec, ignored, tc.want)
		}
	}
}

// What guards something closes where it cannot be used, as far as it guards.
func TestDecodeCloses(t *testing.T) {
	reject, cidr := []FilterRule{{}}, netip.MustParsePrefix("10.0.0.0/8")
	all := ClosedFilter("x")
	for _, tc := range []struct {
		kind Kind
		data string
		want Resource
	}{
		{KindBGPFilter, string(object("x", `{"importV4": [{"action": "Reject"}, {"action": "accept"}], "exportV6": [{"action": "Accept"}], "exportV4": []}`)),
			&BGPFilter{Name: "x", ImportV4: reject, ExportV6: reject}},
		{KindBGPFilter, string(object("x", `{"importV4": {"action": "Reject"}}`)), &BGPFilter{Name: "x", ImportV4: reject}},
		{KindBGPFilter, string(object("x", `{"importV4": [null], "exportV4": null}`)), &BGPFilter{Name: "x", ImportV4: reject}},
		{KindBGPFilter, string(object("x", `[]`)), all},
		{KindBGPFilter, `{"spec": `, all},
		{KindBGPFilter, `[]`, all},
		{KindIPPool, string(object("x", `{"cidr": "10.0.0.0/8", "ipipMode": "always"}`)), &IPPool{Name: "x", CIDR: cidr, IPIP: EncapNever, VXLAN: EncapAlways}},
		{KindIPPool, string(object("x", `{"cidr": "10.0.0.0/8", "disableBGPExport": "yes"}`)),
			&IPPool{Name: "x", CIDR: cidr, IPIP: EncapNever, VXLAN: EncapAlways, DisableBGPExport: true}},
		{KindIPPool, string(object("x", `{"cidr": "10.0.0.0", "ipipMode": "Always"}`)), nil},
		{KindBGPPeer, string(object("x", `{}`)), nil},
	} {
		got, err := Decode(tc.kind, "x", []byte(tc.data))
		if err == nil {
			t.Errorf("%s %s: no error", tc.kind, tc.data)
		}
		if d := cmp.Diff(tc.want, got, comparePlain, compareNets); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.kind, tc.data, d)
		}
	}
}

func TestDecodeHostile(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, data := range map[string]string{
		"empty":       ``,
		"null":        `null`,
		"list":        `[]`,
		"text after":  `{} {}`,
		"deep":        strings.Repeat(`{"a":`, 1<<19) + strings.Repeat(`}`, 1<<19),
		"deep list":   `{"spec":` + strings.Repeat(`[`, 101) + strings.Repeat(`]`, 101) + `}`,
		"large":       `{"a": "` + strings.Repeat("x", MaxObjectBytes) + `"}`,
		"no name":     `{"spec": {"peerIP": "10.0.0.1"}}`,
		"long value":  `{"metadata": {"name": "x"}, "spec": {"peerIP": "` + long + `"}}`,
		"many errors": `{"metadata": {"name": "x"}, "spec": {"peerIP": "1.1.1.1", "filters": [` + strings.Repeat("{},", 100000) + `{}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(KindBGPPeer, "", []byte(data))
			if err == nil {
				t.Fatal("no error")
			}
			if len(err.Error()) > 2000 || strings.Contains(err.Error(), "\n") {
				t.Errorf("error of %d bytes: %.200s", len(err.Error()), err)
			}
		})
	}
}

func TestConfigurationKeepsTheRest(t *testing.T) {
	data := object("default", `{"asNumber": 65001, "nodeToNodeMeshEnabled": false, "listenPort": 0, "serviceClusterIPs": [{"cidr": "x"}, {"cidr": "10.0.0.0/8"}],
		"programClusterRoutes": "Never", "ignoredInterfaces": ["a b", "eth0"], "logSeverityScreen": "de\"bug", "nodeMeshMaxRestartTime": 5,
		"prefixAdvertisements": [{"cidr": "10.0.0.0/8", "communities": ["1:2:3:4", "name"]}], "nodeMeshPassword": "x"}`)
	got, err := Decode(KindBGPConfiguration, "", data)
	if err != nil {
		t.Fatal(err)
	}
	want := &BGPConfiguration{Name: "default", ASNumber: 65001, NodeToNodeMesh: ptr(false),
		ServiceClusterIPs:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		IgnoredInterfaces:    []string{"eth0"},
		PrefixAdvertisements: []PrefixAdvertisement{{netip.MustParsePrefix("10.0.0.0/8"), []string{"name"}}},
		NodeMeshPassword:     &SecretKeyRef{},
		Ignored: []string{
			"spec.listenPort: 0 is below 1",
			`spec.logSeverityScreen: "de\"bug" is not a log level`,
			`spec.serviceClusterIPs[0].cidr: "x" is not a CIDR`,
			`spec.prefixAdvertisements[0].communities[0]: "1:2:3:4" is not a community a:b or a:b:c`,
			"spec.nodeMeshPassword: is a text, not an object",
			`spec.nodeMeshMaxRestartTime: 5 is not a text (YAML needs quotes around it)`,
			`spec.ignoredInterfaces[0]: "a b" is not an interface name`,
			`spec.programClusterRoutes: "Never" is none of [EnabledNoEncapOnly Enabled EnabledIPIPOnly Disabled]`,
		}}
	if d := cmp.Diff(want, got, comparePlain, compareNets); d != "" {
		t.Error(d)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	for _, data := range []string{
		`{"metadata": {"name": "s"}, "data": {"a": "hunter2!"}}`,
		`{"metadata": {"name": "s"}, "stringData": {"a": 4711}}`,
		`{"metadata": {"name": "s"}, "stringData": "hunter2!"}`,
	} {
		_, err := Decode(KindSecret, "", []byte(data))
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestDecodeKubernetesNode(t *testing.T) {
	data := `{"metadata": {"name": "n", "labels": {"a": "b"}, "annotations": {"projectcalico.org/IPv4Address": "10.0.0.1/24",
		"projectcalico.org/ASNumber": "x", "projectcalico.org/RouteReflectorClusterID": "", "other": "y"}},
		"spec": {"podCIDRs": ["10.1.0.0/24", "z"]}}`
	node, err := DecodeKubernetesNode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	want := &Node{Name: "n", Labels: map[string]string{"a": "b"}, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")},
		IPv4:    NodeAddress{netip.MustParseAddr("10.0.0.1"), netip.MustParsePrefix("10.0.0.0/24")},
		Ignored: []string{`annotation projectcalico.org/ASNumber: "x" is not a whole number`, `spec.podCIDRs[1]: "z" is not a CIDR`}}
	if d := cmp.Diff(want, node, comparePlain, compareNets); d != "" {
		t.Error(d)
	}
	if node, err = DecodeKubernetesNode([]byte(`{"metadata": {"name": "n", "annotations": ["x"]}}`)); err != nil || len(node.Ignored) != 1 || node.Ignored[0] != "metadata.annotations: a list is not an object" {
		t.Errorf("annotations that are a list: %v, %+v", err, node)
	}
	if _, err := DecodeKubernetesNode([]byte(`{"metadata": {}}`)); err == nil {
		t.Error("a Node without a name is taken")
	}
}

// Labels that were set with calicoctl are in an annotation; of one key
// Kubernetes' own label counts.
func TestDecodeKubernetesNodeLabels(t *testing.T) {
	for _, test := range []struct {
		labels, annotation string
		want               map[string]string
		warning            string
	}{
		{`{}`, `{"rr":"yes"}`, map[string]string{"rr": "yes"}, ""},
		{`null`, `{"rr":"yes"}`, map[string]string{"rr": "yes"}, ""},
		{`{"zone": "a", "rr": "no"}`, `{"rr":"yes","rack":"r1"}`, map[string]string{"zone": "a", "rr": "no", "rack": "r1"}, ""},
		{`{"zone": "a"}`, `{}`, map[string]string{"zone": "a"}, ""},
		{`{"zone": "a"}`, ``, map[string]string{"zone": "a"}, ""},
		{`{"zone": "a"}`, `null`, map[string]string{"zone": "a"}, "null, not an object"},
		{`{"zone": "a"}`, `{"rr":`, map[string]string{"zone": "a"}, "not JSON"},
		{`{"zone": "a"}`, `["rr"]`, map[string]string{"zone": "a"}, "a list, not an object"},
		{`{"zone": "a"}`, `{"rr": {}, "x": 1}`, map[string]string{"zone": "a", "x": "1"}, "an object is not a text"},
	} {
		annotation, err := json.Marshal(test.annotation)
		if err != nil {
			t.Fatal(err)
		}
		data := fmt.Sprintf(`{"metadata": {"name": "n", "labels": %s, "annotations": {"projectcalico.org/labels": %s}}}`, test.labels, annotation)
		node, err := DecodeKubernetesNode([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(test.want, node.Labels); d != "" {
			t.Errorf("%s (-want +got):\n%s", data, d)
		}
		all := strings.Join(node.Ignored, "; ")
		if (all == "") != (test.warning == "") || !strings.Contains(all, test.warning) ||
			all != "" && !strings.HasPrefix(all, "annotation projectcalico.org/labels") {
			t.Errorf("%s: ignored %q, want one with %q", data, node.Ignored, test.warning)
		}
	}
}

func TestDecodeEndpointStatus(t *testing.T) {
	got, err := DecodeEndpointStatus("f", []byte(`{"ifaceName": "cali1", "ipv4Nets": ["10.0.0.1/32", "x"], "ipv6Nets": [], "bgpPeerName": "p"}`))
	want := &EndpointStatus{Name: "f", Interface: "cali1", IPv4: netip.MustParseAddr("10.0.0.1"), BGPPeer: "p"}
	if d := cmp.Diff(want, got, comparePlain); err != nil || d != "" {
		t.Error(err, d)
	}
	if _, err := DecodeEndpointStatus("f", []byte(`{"ipv4Nets": ["fd00::1"], "bgpPeerName": "p"}`)); err == nil {
		t.Error("an IPv6 address among ipv4Nets is taken")
	}
	if _, err := DecodeEndpointStatus("f", []byte(`{"ifaceName": "cali1"}`)); !errors.Is(err, ErrNotOurs) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for i := range Kinds() {
		f.Add(i, `{"metadata": {"name": "x", "labels": {"a": true}}, "spec": {"peerIP": "10.0.0.1:179", "cidr": "10.0.0.0/8", "bgp": {"asNumber": "1.1"}}}`)
		f.Add(i, `{"metadata": {"name": "n", "annotations": {"projectcalico.org/labels": "{\"a\": 1}"}}, "status": {"podCIDRs": ["10.0.0.0/24"]}}`)
		f.Add(i, `{"metadata": {"annotations": {"projectcalico.org/metadata": "{}"}}, "spec": {"importV4": [{"action": "Accept", "operations": [null]}]}}`)
	}
	f.Fuzz(func(t *testing.T, i int, data string) {
		kind := Kinds()[uint(i)%uint(len(Kinds()))]
		res, err := Decode(kind, "", []byte(data))
		if res == nil && err == nil || res != nil && err != nil && kind != KindBGPFilter && kind != KindIPPool {
			t.Fatalf("resource %v and error %v", res, err)
		}
		if res != nil && res.ResourceKey().Kind != kind {
			t.Fatalf("a %s came out as %s", kind, res.ResourceKey())
		}
		if res == nil && !json.Valid([]byte(data)) && err == nil {
			t.Fatal("what is no JSON is taken")
		}
		if n, err := DecodeKubernetesNode([]byte(data)); (n == nil) == (err == nil) {
			t.Fatalf("node %v and error %v", n, err)
		}
	})
}
