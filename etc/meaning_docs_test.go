package etc_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite what is made from the tests")

// The part of docs/calico-node.md that is made from the meanings.
const (
	docsBegin = "<!-- Made from the tests by \"go test ./etc -run MeaningsInTheDocs -update\". Change their table, not this one. -->\n"
	docsEnd   = "<!-- end of the table -->\n"
)

// TestMeaningsInTheDocs: the page lists the meanings that have a row, each once.
func TestMeaningsInTheDocs(t *testing.T) {
	page := filepath.Join(testenv.Root(t), "docs", "calico-node.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), docsBegin)
	_, after, ended := strings.Cut(rest, docsEnd)
	if !found || !ended {
		t.Fatalf("%s has no part between %q and %q", page, docsBegin, docsEnd)
	}
	want := before + docsBegin + docsTable() + docsEnd + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not what the tests say: go test ./etc -run MeaningsInTheDocs -update writes it", page)
	}
}

func docsTable() string {
	var b strings.Builder
	b.WriteString("\n| input | here |\n| --- | --- |\n")
	said := map[row]bool{}
	for _, m := range meanings() {
		if m.row != (row{}) && !said[m.row] {
			said[m.row] = true
			b.WriteString("| " + m.row.input + " | " + m.row.here + " |\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}

// documentedMeanings are those in which this program is meant to do otherwise
// than Calico's.
func documentedMeanings() []meaning {
	node := func(name, spec string) string {
		return "\n{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: " + name + "}, spec: " + spec + "}\n---"
	}
	defaults := func(spec string) string {
		return "\n{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: " + spec + "}\n---"
	}
	severity := row{"`logSeverityScreen`", "In upper or lower case. `Debug` and `Trace`: all; `Warning` and what is above it, and `None`: nothing; anything else, as `Info`: the events of sessions. What is none of these is a warning, `BGP_LOGSEVERITYSCREEN` too. " +
		"Calico's program has BIRD log their states, routes and filters as well, which is [a line a session at every reconfiguration](scale.md#what-bird-logs)."}
	withSeverity := func(s string) string { return defaults("{nodeToNodeMeshEnabled: false, logSeverityScreen: " + s + "}") }
	return []meaning{
		{
			name:    "the mesh, with a node of another AS",
			row:     row{"A node without `asNumber` in a mesh with nodes of other ASes", "Its AS is the cluster's. (Calico's program takes each node's own for it, and sessions between different ones never come up.)"},
			cluster: node("a", "{bgp: {ipv4Address: 10.9.0.1/24, asNumber: 64999}}"),
			want:    []string{"neighbor 10.9.0.2 as 64512;"},
		},
		{
			name:    "reflectors of one cluster by peerIP",
			row:     row{"Route reflectors of one cluster ID that peer by `peerIP`", "They are no clients of each other, as by `peerSelector`. (Calico's program makes each the other's client.)"},
			cluster: withPeer("{node: a, peerIP: 10.9.0.2, asNumber: 64512}") + "\n---" + node("a", "{bgp: {ipv4Address: 10.9.0.1/24, routeReflectorClusterID: 1.1.1.1}}") + node("b", "{bgp: {ipv4Address: 10.9.0.2/24, routeReflectorClusterID: 1.1.1.1}}"),
			want:    []string{"protocol bgp Node_10_9_0_2"}, without: []string{"rr client"},
		},
		{
			name: "an excluded node, and ranges from the environment",
			row: row{"The label `node.kubernetes.io/exclude-from-external-load-balancers: \"true\"` on a node, with `CALICO_ADVERTISE_CLUSTER_IPS`",
				"The node announces no service addresses, whoever names the ranges. (Calico's program announces those of the variable.)"},
			cluster: `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a, labels: {node.kubernetes.io/exclude-from-external-load-balancers: "true"}}, spec: {bgp: {ipv4Address: 10.9.0.1/24}}}`,
			options: func(o *bgp.Options) { o.ClusterIPs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")} },
			want:    []string{"if net ~ 10.96.0.0/12 then reject;"}, without: []string{"route 10.96.0.0/12", "10.96.0.0/12 then accept"},
		},
		{
			name:    "no aggregation, and the kernel",
			row:     row{"`serviceLoadBalancerAggregation: Disabled`", "The ranges are no routes of their own, and stay out of the kernel all the same: others' single addresses are not routed past kube-proxy."},
			cluster: defaults("{serviceLoadBalancerAggregation: Disabled, serviceLoadBalancerIPs: [{cidr: 203.0.113.0/24}]}"),
			want:    []string{"if net ~ 203.0.113.0/24 then reject;"}, without: []string{"route 203.0.113.0/24"},
		},
		{
			name: "a node's own listenPort and the other side of a peering",
			row:  row{"`listenPort` in a node's own BGPConfiguration, and a BGPPeer with that port", "The other side of the peering knows the port as the node's. (Calico's program compares with the cluster's port only.)"},
			cluster: defaults("{nodeToNodeMeshEnabled: false, listenPort: 178}") + `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: node.a}, spec: {listenPort: 1790}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: {node: b, peerIP: "10.9.0.1:1790", asNumber: 64512}}`,
			want: []string{"protocol bgp Node_10_9_0_2_port_178"},
		},
		{
			name: "another spelling of an IPv6 address",
			row:  row{"A `peerIP` that is a node's IPv6 address in another spelling (`FD09:0::2`)", "It is the node's, with all that follows: AS number, port, the other side. (Calico's program compares texts.)"},
			cluster: withPeer(`{peerIP: "FD09:0::2"}`) + "\n---" + node("a", `{bgp: {ipv4Address: 10.9.0.1/24, ipv6Address: "fd09::1/64"}}`) +
				node("b", `{bgp: {ipv4Address: 10.9.0.2/24, ipv6Address: "fd09::2/64", asNumber: 64999}}`),
			want: []string{"protocol bgp Global_fd09__2", "neighbor fd09::2 as 64999;", "passive on;"},
		},
		{
			name:     "a gateway of a family that the node lacks",
			row:      row{"`reachableBy` for a peer of an address family in which the node has no address", "No session, and no route to the peer either, with a warning. (Calico's program makes the route.)"},
			cluster:  withPeer(`{peerIP: "fd09::9", reachableBy: "fd09::254"}`),
			without:  []string{"route fd09::9", "protocol bgp"},
			problems: []string{`BGPPeer p its session with fd09::9 is left out: node "a" has no IPv6 address`},
		},
		{
			name: "a local workload with a password",
			row: row{"Options of a BGPPeer with `localWorkloadSelector`",
				"They count as for any other. **Mind a password there:** Calico's program leaves it out, so with this one the session waits until the workload has it, too."},
			cluster: withPeer(`{localWorkloadSelector: all(), asNumber: 64999, password: {secretKeyRef: {name: s, key: k}}, keepaliveTime: 10s}`) + `
---
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: kube-system}, stringData: {k: hello}}`,
			workloads: []backends.EndpointStatus{{Name: "w", Interface: "cali1", IPv4: netip.MustParseAddr("10.1.0.5"), BGPPeer: "p"}},
			want:      []string{"protocol bgp Local_Workload_10_1_0_5", "keepalive time 10;", `password "hello";`},
		},
		{
			name:     "a mesh pair that is also a BGPPeer",
			row:      row{"A BGPPeer that leads to a node which the mesh has a session with", "One session: the mesh's. The BGPPeer is reported as left out."},
			cluster:  "\n{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: {peerIP: 10.9.0.2, asNumber: 64512, keepaliveTime: 10s}}",
			want:     []string{"protocol bgp Mesh_10_9_0_2"},
			without:  []string{"Global_", "keepalive"},
			problems: []string{"BGPPeer p session Global_10_9_0_2 is left out: BGPConfiguration default has one with the same neighbor and port"},
		},
		{name: "severity trace", row: severity, cluster: withSeverity("tRACE"), want: []string{"debug all;"}, without: []string{"debug { states"}},
		{name: "severity warning", row: severity, cluster: withSeverity("warning"), without: []string{"debug "}},
		{name: "severity of another program", row: severity, cluster: withSeverity("Notice"), want: []string{"debug { states"}, problems: []string{`no log severity "Notice"`}},
		{name: "severity of nobody, in the environment", row: severity, options: func(o *bgp.Options) { o.LogSeverity = "loud" }, want: []string{"debug { states"}, problems: []string{`BGP_LOGSEVERITYSCREEN: there is no log severity "loud"`}},
		{
			name: "overlapping pools",
			row:  row{"IP pools that overlap", "What goes into the kernel follows the pool with the longest prefix. A pool with `disableBGPExport` is never exported, nor what lies in it."},
			cluster: `
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: large}, spec: {cidr: 10.0.0.0/8, vxlanMode: Always}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: small}, spec: {cidr: 10.1.0.0/16}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: smallest}, spec: {cidr: 10.1.2.0/24, disableBGPExport: true, vxlanMode: Always}}`,
			want: []string{"if net ~ 10.1.2.0/24 then reject;", "if net ~ 10.1.0.0/16 then accept;", "if net ~ 10.0.0.0/8 then accept;",
				"filter calico_to_kernel4", "if net ~ 10.1.2.0/24 then reject;", "if net ~ 10.1.0.0/16 then accept;", "if net ~ 10.0.0.0/8 then reject;"},
		},
	}
}
