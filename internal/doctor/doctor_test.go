package doctor

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"confd/backends"
	"confd/backends/file"
	"confd/bgp"
	"confd/internal/explain"
	"confd/internal/terminal"
)

var update = flag.Bool("update", false, "write what was found into testdata")

// mesh is a cluster with nothing wrong: three nodes in a mesh, a router, a filter.
const mesh = `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {asNumber: 64512, serviceClusterIPs: [{cidr: 10.96.0.0/16}]}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1, labels: {rack: r1}}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-2, labels: {rack: r1}}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-3, labels: {rack: r2}}, spec: {bgp: {ipv4Address: 10.0.0.3/24}}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: tor}, spec: {nodeSelector: "rack == 'r1'", peerIP: 10.0.0.250, asNumber: 65000, filters: [f]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, spec: {exportV4: [{action: Accept, matchOperator: In, cidr: 10.128.0.0/16}, {action: Reject}]}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: pool}, spec: {cidr: 10.128.0.0/16}}
---
{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: node-1-10-128-0-0-26}, spec: {node: node-1, cidr: 10.128.0.0/26, state: confirmed}}
`

// reflectors is one with two route reflectors that have all others as clients.
const reflectors = `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {asNumber: 64512, nodeToNodeMeshEnabled: false}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rr-1, labels: {rr: a}}, spec: {bgp: {ipv4Address: 10.0.0.11/24, routeReflectorClusterID: 244.0.0.1}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rr-2, labels: {rr: b}}, spec: {bgp: {ipv4Address: 10.0.0.12/24, routeReflectorClusterID: 244.0.0.2}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-1, labels: {rack: r1}}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-2, labels: {rack: r1}}, spec: {bgp: {ipv4Address: 10.0.0.2/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-3, labels: {rack: r2}}, spec: {bgp: {ipv4Address: 10.0.0.3/24}}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: clients}, spec: {nodeSelector: "!has(rr)", peerSelector: has(rr)}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: among}, spec: {nodeSelector: has(rr), peerSelector: has(rr)}}
`

// fault is one thing that is wrong with a cluster.
type fault struct {
	code string // the name
	base string
	// old and new are texts that are replaced; more is added.
	replace []string
	more    string
	ask     func(*Question)
	// also are the codes that cannot but come with it.
	also []string
}

func faults() []fault {
	return slices.Concat(inputFaults(), nodeFaults(), sessionFaults(), poolFaults(), resourceFaults(), liveFaults())
}

func inputFaults() []fault {
	return []fault{
		{code: "unreadable", more: "kind: [\n"},
		{code: "unrendered-template", replace: []string{"peerIP: 10.0.0.250, asNumber: 65000", `peerIP: 10.0.0.250, asNumber: 65000, reachableBy: ""`}, more: "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: {{ .Values.name }}}\n"},
		{code: "encrypted", more: "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: e}, spec: {cidr: 'ENC[AES256_GCM,data:xx]'}, sops: {version: '3'}}", also: []string{"unusable"}},
		{code: "old-format", more: "{apiVersion: v1, kind: bgpPeer, metadata: {scope: global, peerIP: 10.0.0.9}, spec: {asNumber: 1}}"},
		{code: "no-kind", more: "{apiVersion: projectcalico.org/v3, metadata: {name: x}}"},
		{code: "unknown-kind", more: "{apiVersion: projectcalico.org/v3, kind: bgpPeer, metadata: {name: x}}"},
		{code: "unknown-field", replace: []string{"asNumber: 65000, filters", "asNumber: 65000, keepAliveTime: 3s, filters"}},
		{code: "wrong-type", replace: []string{"spec: {bgp: {ipv4Address: 10.0.0.3/24}}", `spec: {bgp: {ipv4Address: 10.0.0.3/24}, orchRefs: x}`}},
		{code: "field-twice", replace: []string{"asNumber: 65000,", "asNumber: 65000, asNumber: 65000,"}},
		{code: "object-twice", more: "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: pool}, spec: {cidr: 10.128.0.0/16, natOutgoing: true}}"},
		{code: "yaml-tag", replace: []string{`nodeSelector: "rack == 'r1'"`, "nodeSelector: !has(nope)"}},
		{code: "not-a-text", replace: []string{"labels: {rack: r2}", "labels: {rack: r2, on: yes}"}},
		{code: "no-effect", more: "{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: defaut}, spec: {}}"},
		{code: "unusable", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {peerIP: 10.0.0.9, asNumber: 8589934592}}"},
		{code: "ignored-value", replace: []string{"asNumber: 65000, filters", "asNumber: 65000, keepaliveTime: x, filters"}},
	}
}

func nodeFaults() []fault {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: more-%d}, spec: {bgp: {ipv4Address: 10.0.1.%d/24}}}\n---\n", i, i)
	}
	return []fault{
		{code: "address-taken", more: "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: node-4}, spec: {bgp: {ipv4Address: 10.0.0.3/24}}}"},
		{code: "session-taken", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: tor-again}, spec: {node: node-1, peerIP: 10.0.0.250, asNumber: 65000}}"},
		{code: "shared-neighbor", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: again}, spec: {peerIP: '10.0.0.3:1790', asNumber: 64512, reversePeering: Manual}}", also: []string{"own-address"}},
		{code: "bad-selector", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {nodeSelector: \"rack =\", peerIP: 10.0.0.9, asNumber: 1}}"},
		{code: "own-address", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: '10.0.0.1:1790', asNumber: 64512}}"},
		{code: "no-address", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: 'fd00::9', asNumber: 65000}}"},
		{code: "local-as", base: reflectors, more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: 10.0.0.3, asNumber: 64512, localASNumber: 65009}}"},
		{code: "no-such-filter", replace: []string{"filters: [f]", "filters: [f, typo]"}},
		{code: "no-password", replace: []string{"filters: [f]", "filters: [f], password: {secretKeyRef: {name: s, key: k}}"}},
		{code: "bad-password", replace: []string{"filters: [f]", "filters: [f], password: {secretKeyRef: {name: s, key: k}}"}, more: "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: kube-system}, stringData: {k: \"a\\nb\"}}"},
		{code: "time-out-of-range", replace: []string{"filters: [f]", "filters: [f], maxRestartTime: 20h"}},
		{code: "unknown-community", replace: []string{"asNumber: 64512,", "asNumber: 64512, prefixAdvertisements: [{cidr: 10.128.0.0/16, communities: [rack]}],"}},
		{code: "pool-routes", replace: []string{"asNumber: 64512,", "asNumber: 64512, programClusterRoutes: Disabled,"}},
		{code: "blackhole-in-the-way", replace: []string{"ipv4Address: 10.0.0.3/24", "ipv4Address: 10.128.0.3/24"}},
		{code: "listens-everywhere", replace: []string{"asNumber: 64512,", "asNumber: 64512, bindMode: NodeIP,", "filters: [f]", "filters: [f], sourceAddress: None"}},
		{code: "router-id-from-name", replace: []string{"{ipv4Address: 10.0.0.1/24}", "{ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}", "{ipv4Address: 10.0.0.3/24}", "{ipv6Address: 'fd00::3/64'}"}},
		{code: "large-mesh", more: strings.TrimSuffix(many.String(), "---\n")},
		{code: "service-outside-ranges", more: `
{apiVersion: v1, kind: Service, metadata: {name: shop, namespace: web}, spec: {type: LoadBalancer, clusterIP: 10.97.0.7, clusterIPs: [10.97.0.7], externalTrafficPolicy: Local}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: shop-1, namespace: web, labels: {kubernetes.io/service-name: shop}}, addressType: IPv4, endpoints: [{addresses: [10.128.0.2], nodeName: node-1}]}`},
	}
}

func sessionFaults() []fault {
	return []fault{
		{code: "one-sided-session", base: reflectors, more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: 10.0.0.3, asNumber: 64512, reversePeering: Manual}}"},
		{code: "session-conflict", base: reflectors, more: `
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: 10.0.0.3, asNumber: 64999, reversePeering: Manual}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: z}, spec: {node: node-3, peerIP: 10.0.0.1, asNumber: 64512, reversePeering: Manual}}`},
		{code: "wrong-port", base: reflectors, more: `
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: node-1, peerIP: '10.0.0.3:1179', asNumber: 64512, reversePeering: Manual}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: z}, spec: {node: node-3, peerIP: '10.0.0.1:1179', asNumber: 64512, reversePeering: Manual}}`},
		{code: "node-without-sessions", base: reflectors, replace: []string{`nodeSelector: "!has(rr)"`, `nodeSelector: "rack == 'r1'"`}},
		{code: "as-loop", replace: []string{"asNumber: 64512,", "asNumber: 64512, nodeToNodeMeshEnabled: false,", `nodeSelector: "rack == 'r1'", peerIP`, "peerIP"}},
		{code: "reflector-without-clients", base: reflectors, replace: []string{`"!has(rr)"`, `"!has(rr) && !has(spare)"`}, more: "{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: spare, labels: {spare: 'yes'}}, spec: {bgp: {ipv4Address: 10.0.0.13/24, routeReflectorClusterID: 244.0.0.3}}}\n---\n" +
			"{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: spare}, spec: {nodeSelector: has(spare), peerIP: 10.0.0.249, asNumber: 65001}}"},
		{code: "single-reflector", base: reflectors, replace: []string{`nodeSelector: "!has(rr)", peerSelector: has(rr)`, `nodeSelector: "rack == 'r1'", peerSelector: has(rr)`}, more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: r2}, spec: {nodeSelector: \"rack == 'r2'\", peerSelector: \"rr == 'a'\"}}"},
		{code: "reflectors-not-connected", base: pairs(), replace: []string{"nodeSelector: has(rr), peerSelector: has(rr)", "nodeSelector: rr == 'a', peerSelector: rr == 'a'"}, more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: among-b}, spec: {nodeSelector: \"rr == 'b'\", peerSelector: \"rr == 'b'\"}}"},
		{code: "cluster-id-splits", base: pairs(), replace: []string{"244.0.0.2", "244.0.0.1"}},
	}
}

// pairs has two route reflectors for each of two racks.
func pairs() string {
	base := strings.Replace(reflectors, `nodeSelector: "!has(rr)", peerSelector: has(rr)`, `nodeSelector: "rack == 'r1'", peerSelector: "rr == 'a'"`, 1)
	return base + `---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: clients-2}, spec: {nodeSelector: "rack == 'r2'", peerSelector: "rr == 'b'"}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rr-3, labels: {rr: a}}, spec: {bgp: {ipv4Address: 10.0.0.13/24, routeReflectorClusterID: 244.0.0.1}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: rr-4, labels: {rr: b}}, spec: {bgp: {ipv4Address: 10.0.0.14/24, routeReflectorClusterID: 244.0.0.2}}}
`
}

func poolFaults() []fault {
	affinity := func(name, node, cidr string) string {
		return fmt.Sprintf("{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: %s}, spec: {node: %s, cidr: %s, state: confirmed}}", name, node, cidr)
	}
	return []fault{
		{code: "pools-overlap", more: "{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: other}, spec: {cidr: 10.128.7.0/24}}"},
		{code: "pool-nearly-full", replace: []string{"cidr: 10.128.0.0/16}}\n---\n{apiVersion: projectcalico.org/v3, kind: BlockAffinity", "cidr: 10.128.0.0/25}}\n---\n{apiVersion: projectcalico.org/v3, kind: BlockAffinity"}, more: affinity("n2", "node-2", "10.128.0.64/26")},
		{code: "block-outside-pools", more: affinity("n2", "node-2", "10.99.0.64/26")},
		{code: "block-of-no-node", more: affinity("n2", "node-9", "10.128.0.64/26")},
		{code: "block-twice", more: affinity("n2", "node-2", "10.128.0.0/26")},
		{code: "service-range-in-pool", replace: []string{"cidr: 10.96.0.0/16", "cidr: 10.128.240.0/20"}},
		{code: "borrowed-addresses", ask: func(q *Question) { q.Usage = &backends.Usage{Addresses: true, Borrowed: 3} }},
		{code: "needs-krt-tunnel", replace: []string{"asNumber: 64512,", "asNumber: 64512, programClusterRoutes: EnabledIPIPOnly,", "{cidr: 10.128.0.0/16}}", "{cidr: 10.128.0.0/16, ipipMode: Always}}"},
			more: "{apiVersion: projectcalico.org/v3, kind: FelixConfiguration, metadata: {name: default}, spec: {programClusterRoutes: EnabledNoEncapOnly}}", ask: func(q *Question) { q.BIRD = 2 }},
	}
}

func resourceFaults() []fault {
	return []fault{
		{code: "selector-matches-nothing", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {nodeSelector: \"rak == 'r1'\", peerIP: 10.0.0.249, asNumber: 65000}}"},
		{code: "no-such-node", more: "{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: x}, spec: {node: nod-1, peerIP: 10.0.0.249, asNumber: 65000}}"},
		{code: "unknown-log-severity", ask: func(q *Question) { q.Options.LogSeverity = "loud" }},
		{code: "unused-filter", more: "{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: g}, spec: {exportV4: [{action: Reject}]}}"},
		{code: "unreachable-rule", replace: []string{"{action: Reject}]", "{action: Reject}, {action: Accept, matchOperator: In, cidr: 10.9.0.0/16}]"}},
		{code: "address-without-length", replace: []string{"10.0.0.3/24", "10.0.0.3", "{cidr: 10.128.0.0/16}}", "{cidr: 10.128.0.0/16, vxlanMode: CrossSubnet}}"}},
		{code: "router-id-twice", replace: []string{"{ipv4Address: 10.0.0.1/24}", "{ipv4Address: 10.0.0.1/24, ipv6Address: 'fd00::1/64'}", "{ipv4Address: 10.0.0.2/24}", "{ipv4Address: " + bgp.HashRouterID("node-3").String() + "/24}", "{ipv4Address: 10.0.0.3/24}", "{ipv6Address: 'fd00::3/64'}"},
			also: []string{"router-id-from-name"}},
		{code: "foreign-first-as", replace: []string{"cidr: 10.128.0.0/16}, {action: Reject}", "cidr: 10.128.0.0/16, operations: [{prependASPath: {prefix: [65010, 64512]}}]}, {action: Reject}"}, ask: func(q *Question) { q.BIRD = 1 }},
	}
}

func liveFaults() []fault {
	session := func(up bool) explain.LiveSession {
		return explain.LiveSession{Name: "Mesh_10_0_0_2", Up: up, State: "start", Info: "Active", Meaning: "nobody listens"}
	}
	up := []explain.LiveSession{session(true), {Name: "Mesh_10_0_0_3", Up: true}, {Name: "Node_10_0_0_250", Up: true}}
	return []fault{
		{code: "bird-does-not-answer", ask: func(q *Question) { q.Live = &Live{} }},
		{code: "session-down", ask: func(q *Question) {
			q.Live = &Live{BIRD: &explain.Live{Sessions: append([]explain.LiveSession{session(false)}, up[1:]...)}}
		}},
		{code: "session-missing", ask: func(q *Question) { q.Live = &Live{BIRD: &explain.Live{Sessions: up[1:]}} }},
		{code: "unreachable-routes", ask: func(q *Question) {
			q.Live = &Live{BIRD: &explain.Live{Sessions: up}, Unreachable: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/26")}}
		}},
		{code: "recovery", ask: func(q *Question) { q.Live = &Live{BIRD: &explain.Live{Sessions: up}, Recovering: true} }},
		{code: "change-held", ask: func(q *Question) {
			q.Live = &Live{BIRD: &explain.Live{Sessions: up}, Held: []string{"it would take away 2 of 3 established sessions"}}
		}},
		{code: "address-not-here", ask: func(q *Question) {
			q.Live = &Live{BIRD: &explain.Live{Sessions: up}, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
		}},
	}
}

// TestFaults plants one fault in a cluster each: it is found, and nothing else.
func TestFaults(t *testing.T) {
	planted := map[string]bool{}
	for _, f := range faults() {
		planted[f.code] = true
		t.Run(f.code, func(t *testing.T) {
			text := f.base
			if text == "" {
				text = mesh
			}
			for i := 0; i < len(f.replace); i += 2 {
				if !strings.Contains(text, f.replace[i]) {
					t.Fatalf("no %q to replace", f.replace[i])
				}
				text = strings.ReplaceAll(text, f.replace[i], f.replace[i+1])
			}
			if f.more != "" {
				text += "---\n" + f.more
			}
			r := examineText(t, text, f.ask)
			var got []string
			for _, x := range r.Findings {
				got = append(got, x.Name)
			}
			slices.Sort(got)
			got = slices.Compact(got)
			want := append([]string{f.code}, f.also...)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("found %q, want %q: %s", got, want, textOf(r))
			}
		})
	}
	for _, c := range Codes() {
		if !planted[string(c.Name)] {
			t.Errorf("nobody plants %s", c.Name)
		}
	}
}

// TestNothingIsWrong: of clusters that are as they should be nothing is said.
func TestNothingIsWrong(t *testing.T) {
	for name, text := range map[string]string{"mesh": mesh, "reflectors": reflectors, "pairs": pairs()} {
		if r := examineText(t, text, nil); len(r.Findings) > 0 {
			t.Errorf("%s: %s", name, textOf(r))
		}
	}
}

// What a filter prepends is of no matter where the node's own number comes first, which
// it always does in BIRD 2 and later.
func TestPathsThatBeginRight(t *testing.T) {
	for prefix, bird := range map[string]int{"64512, 65010": 1, "65010": 2} {
		text := strings.Replace(mesh, "cidr: 10.128.0.0/16}, {action: Reject}", "cidr: 10.128.0.0/16, operations: [{prependASPath: {prefix: ["+prefix+"]}}]}, {action: Reject}", 1)
		if r := examineText(t, text, func(q *Question) { q.BIRD = bird }); len(r.Findings) > 0 {
			t.Errorf("prefix %s, BIRD %d: %s", prefix, bird, textOf(r))
		}
	}
	// Without an asNumber the router has the cluster's: no number is put into the path.
	text := strings.NewReplacer("peerIP: 10.0.0.250, asNumber: 65000", "peerIP: 10.0.0.250",
		"cidr: 10.128.0.0/16}, {action: Reject}", "cidr: 10.128.0.0/16, operations: [{prependASPath: {prefix: [65010]}}]}, {action: Reject}").Replace(mesh)
	if r := examineText(t, text, func(q *Question) { q.BIRD = 1 }); len(r.Findings) > 0 {
		t.Errorf("a router of the cluster's AS: %s", textOf(r))
	}
}

// TestConformanceCases has what is found in known clusters, which was looked at.
func TestConformanceCases(t *testing.T) {
	folders, err := filepath.Glob("../../../shared/conformance/cases/*/data")
	if err != nil || len(folders) == 0 {
		t.Skip("the cases are not here")
	}
	var got strings.Builder
	for _, folder := range folders {
		r := examineFolder(t, folder, nil)
		var names []string
		for _, f := range r.Findings {
			names = append(names, f.Name)
		}
		fmt.Fprintf(&got, "%s: %s\n", filepath.Base(filepath.Dir(folder)), strings.Join(slices.Compact(names), " "))
	}
	const golden = "testdata/conformance.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestLoopbackIsHere: a node that has an address of the loopback, as on a test machine, has
// one of the machine's.
func TestLoopbackIsHere(t *testing.T) {
	text := strings.ReplaceAll(mesh, "10.0.0.1/24", "127.0.1.1/8")
	r := examineText(t, text, func(q *Question) {
		q.Live = &Live{BIRD: &explain.Live{}, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}
	})
	if said := textOf(r); strings.Contains(said, "address-not-here") {
		t.Error(said)
	}
}

func TestCodes(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, c := range Codes() {
		if ids[c.ID] || names[string(c.Name)] || c.Says == "" || c.Consequence == "" || c.Cure == "" || rank(c.Severity) < 0 {
			t.Errorf("%+v", c)
		}
		ids[c.ID], names[string(c.Name)] = true, true
	}
	if _, err := Ignored([]string{"BGP040", "bgp041", "pools-overlap"}); err != nil {
		t.Error(err)
	}
	if _, err := Ignored([]string{"pool-overlap"}); err == nil || !strings.HasSuffix(err.Error(), "; did you mean pools-overlap?") {
		t.Errorf("got %v", err)
	}
	if _, err := Ignored([]string{"BGP999"}); err == nil {
		t.Error("BGP999 is no error")
	}
}

func TestIgnore(t *testing.T) {
	text := mesh + "---\n{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: g}, spec: {exportV4: [{action: Reject}]}}"
	r := examineText(t, text, func(q *Question) { q.Ignore = map[string]bool{Number("unused-filter"): true} })
	if len(r.Findings) != 0 || r.Ignored != 1 {
		t.Errorf("%+v", r)
	}
}

func textOf(r *Report) string {
	p := &terminal.Page{Width: 120}
	r.Text(p)
	return p.String()
}

func examineText(t *testing.T, text string, ask func(*Question)) *Report {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "cluster.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return examineFolder(t, folder, ask)
}

func examineFolder(t *testing.T, folder string, ask func(*Question)) *Report {
	t.Helper()
	events, err := file.Load(context.Background(), []string{folder}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := backends.NewState()
	for _, e := range events {
		s.Apply(e)
	}
	q := Question{State: s, Options: bgp.Options{Node: "node-1", SecretNamespace: "kube-system"}}
	if ask != nil {
		ask(&q)
	}
	r, err := Examine(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
