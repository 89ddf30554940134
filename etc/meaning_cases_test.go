package etc_test

import "confd/bgp"

// meanings are clusters in which what is meant is easily missed.
func meanings() []meaning {
	var all []meaning
	for _, some := range [][]meaning{nodeMeanings(), filterMeanings(), peerMeanings(), serviceMeanings(), podCIDRMeanings(), documentedMeanings()} {
		all = append(all, some...)
	}
	return all
}

// Objects that several meanings have.
const (
	meshOff = `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {nodeToNodeMeshEnabled: false}}
---`
	peerWithFilter = `
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: edge}, spec: {peerIP: 10.9.0.250, asNumber: 64999, filters: [f]}}
---`
)

func withFilter(spec string) string {
	return meshOff + peerWithFilter + "\n{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: f}, spec: " + spec + "}"
}

func withPeer(spec string) string {
	return meshOff + "\n{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: p}, spec: " + spec + "}"
}

func nodeMeanings() []meaning {
	const noLength = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1}}}
---`
	return []meaning{
		{
			name: "a route reflector that was labelled with calicoctl",
			cluster: meshOff + `
apiVersion: v1
kind: Node
metadata:
  name: b
  labels: {kubernetes.io/hostname: b}
  annotations:
    projectcalico.org/IPv4Address: 10.9.0.2/24
    projectcalico.org/RouteReflectorClusterID: 244.0.0.1
    projectcalico.org/labels: '{"rr":"yes"}'
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: to-rr}, spec: {nodeSelector: "!has(rr)", peerSelector: rr == 'yes'}}
---
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: rr-mesh}, spec: {nodeSelector: rr == 'yes', peerSelector: rr == 'yes'}}
`,
			want: []string{"protocol bgp Node_10_9_0_2"},
		},
		{
			name: "an address without a length, and a VXLAN pool",
			cluster: noLength + `
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.1.0.0/16, vxlanMode: Always}}
`,
			want: []string{"filter calico_to_kernel4", "if net ~ 10.1.0.0/16 then reject;"},
		},
		{
			name: "an address without a length, and an IPIP pool for other subnets",
			cluster: noLength + `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {programClusterRoutes: EnabledIPIPOnly}}
---
{apiVersion: projectcalico.org/v3, kind: FelixConfiguration, metadata: {name: default}, spec: {programClusterRoutes: EnabledNoEncapOnly}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.1.0.0/16, ipipMode: CrossSubnet}}
`,
			fork: true,
			want: []string{"filter calico_to_kernel4", "if net ~ 10.1.0.0/16 then {",
				`if defined(bgp_next_hop) && bgp_next_hop ~ 10.9.0.1/32 then krt_tunnel = ""; else krt_tunnel = "tunl0";`},
		},
		{
			name: "a node of which not all makes sense",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: b}, spec: {bgp: {ipv4Address: 10.9.0.2/24, routeReflectorClusterID: one}, wireguard: {interfaceIPv4Address: 10.300.0.1}}}
`,
			want:     []string{"protocol bgp Mesh_10_9_0_2"},
			problems: []string{`Node b ignored: spec.bgp.routeReflectorClusterID: "one"`, `Node b ignored: spec.wireguard.interfaceIPv4Address: "10.300.0.1"`},
		},
		{
			name: "a pool of which the mode makes no sense",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.1.0.0/16, vxlanMode: always}}
`,
			want:     []string{"filter calico_to_kernel4", "if net ~ 10.1.0.0/16 then reject;"},
			problems: []string{`IPPool p left out: cannot be used, so BIRD puts no routes of it into the kernel: spec.vxlanMode: "always"`},
		},
	}
}

func filterMeanings() []meaning {
	const (
		rejected = "function 'bgp_f_importFilterV4'() { reject; }"
		called   = "import filter { 'bgp_f_importFilterV4'();"
		closed   = "BGPFilter f left out: cannot be used, so all routes that get to it are rejected: "
	)
	return []meaning{
		{
			name: "a filter with a range of lengths that is none, beside a rule that rejects",
			cluster: withFilter(`{importV4: [{action: Reject, matchOperator: In, cidr: 10.0.0.0/8},
				{action: Accept, matchOperator: In, cidr: 10.0.0.0/8, prefixLength: {min: 24, max: 20}}]}`),
			want: []string{rejected, called}, without: []string{"ExportFilterV4", "FilterV6"},
			problems: []string{closed + "spec.importV4[1].prefixLength: no length is at least 24 and at most 20"},
		},
		{
			name:     "a filter with an action in lower case",
			cluster:  withFilter(`{importV4: [{action: accept}, {action: Reject}], exportV4: [{action: Reject, interface: eth0}]}`),
			want:     []string{rejected, "function 'bgp_f_exportFilterV4'() { reject; }", called},
			problems: []string{closed + `spec.importV4[0].action: "accept" is none of [Accept Reject]`},
		},
		{
			name:    "a filter with AS 0 in a path, which BIRD takes",
			cluster: withFilter(`{importV4: [{action: Reject, asPathPrefix: [0]}, {action: Accept, operations: [{prependASPath: {prefix: [0]}}]}]}`),
			want:    []string{"if bgp_path ~ [= 0 * =] then reject;", "bgp_path.prepend(0); accept;", called},
		},
		{
			name:    "an interface pattern with anything that BIRD's strings take",
			cluster: withFilter(`{importV4: [{action: Reject, interface: "it's {a} b;#ö*"}]}`),
			want:    []string{`ifname ~ "it's {a} b;#ö*" then reject;`, called},
		},
		{
			name:     "a filter of which nothing can be read",
			cluster:  withFilter(`[]`),
			want:     []string{rejected, "function 'bgp_f_exportFilterV4'() { reject; }", called, "'bgp_f_exportFilterV4'(); calico_to_peer4"},
			problems: []string{closed + "spec: a list is not an object"},
		},
		{
			name:     "a filter that does not exist",
			cluster:  meshOff + peerWithFilter,
			want:     []string{"protocol bgp Global_10_9_0_250"},
			without:  []string{"bgp_f_"},
			problems: []string{`BGPPeer edge names the BGPFilter "f", which does not exist: its sessions run unfiltered where that would filter (--missing-filters=closed`},
		},
		{
			name:     "a filter that does not exist, where that closes sessions",
			cluster:  meshOff + peerWithFilter,
			options:  func(o *bgp.Options) { o.CloseMissingFilters = true },
			want:     []string{rejected, "function 'bgp_f_exportFilterV4'() { reject; }", called, "'bgp_f_exportFilterV4'(); calico_to_peer4"},
			problems: []string{`BGPPeer edge names the BGPFilter "f", which does not exist: its sessions reject all routes`},
		},
		{
			name: "a filter with a name that BIRD's symbols cannot hold",
			cluster: meshOff + `
{apiVersion: projectcalico.org/v3, kind: BGPPeer, metadata: {name: edge}, spec: {peerIP: 10.9.0.250, asNumber: 64999, filters: ["a'; }/\nb"]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPFilter, metadata: {name: "a'; }/\nb"}, spec: {importV4: [{action: Reject, interface: eth0}]}}`,
			want: []string{"function 'bgp_a______b_", "_importFilterV4'() {", `ifname ~ "eth0" then reject;`, "import filter { 'bgp_a______b_"},
		},
		{
			name: "equal to a net that is not of the asked length",
			cluster: withFilter(`{importV4: [{action: Reject, matchOperator: Equal, cidr: 10.0.0.0/8, prefixLength: {min: 16, max: 24}},
				{action: Reject, matchOperator: NotEqual, cidr: 10.0.0.0/8, prefixLength: {min: 16}},
				{action: Reject, matchOperator: Equal, cidr: 10.0.0.0/8, prefixLength: {max: 24}}]}`),
			want: []string{"if false then reject;", "if true then reject;", "if net = 10.0.0.0/8 then reject;", called},
		},
	}
}

func peerMeanings() []meaning {
	return []meaning{
		{
			name: "two nodes with one address, of which the selector chooses the second",
			cluster: withPeer("{peerSelector: has(rr)}") + `
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: old}, spec: {bgp: {ipv4Address: 10.9.0.3/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: z, labels: {rr: "yes"}}, spec: {bgp: {ipv4Address: 10.9.0.3/24, asNumber: 64999}}}`,
			want:     []string{"protocol bgp Global_10_9_0_3", "neighbor 10.9.0.3 as 64999;"},
			problems: []string{`Node z has the address 10.9.0.3, which node "old" has too`},
		},
		{
			name: "two nodes with one address, of which the second is asked",
			node: "z",
			cluster: withPeer("{node: b, peerIP: 10.9.0.3, asNumber: 64512}") + `
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: old}, spec: {bgp: {ipv4Address: 10.9.0.3/24}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: z}, spec: {bgp: {ipv4Address: 10.9.0.3/24}}}`,
			want:     []string{"protocol bgp Node_10_9_0_2"},
			problems: []string{`Node z has the address 10.9.0.3, which node "old" has too`},
		},
		{
			name: "two nodes with one address, of which the first is a reflector",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: old}, spec: {bgp: {ipv4Address: 10.9.0.3/24, routeReflectorClusterID: 1.1.1.1}}}
---
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: z}, spec: {bgp: {ipv4Address: 10.9.0.3/24}}}`,
			want:     []string{"protocol bgp Mesh_10_9_0_3"},
			problems: []string{`Node z has the address 10.9.0.3, which node "old" has too`},
		},
		{
			name:    "all spellings of selectors",
			cluster: withPeer(`{peerIP: 10.9.0.250, nodeSelector: "zone startswith 'z' && zone endswith '1' && zone notin {'a', 'b',} && zone in {'z1',}"}`) + "\n---\n{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a, labels: {zone: z1}}, spec: {bgp: {ipv4Address: 10.9.0.1/24}}}",
			want:    []string{"protocol bgp Node_10_9_0_250"},
		},
		{
			name:     "no keepalive time",
			cluster:  withPeer("{peerIP: 10.9.0.250, keepaliveTime: 0s}"),
			want:     []string{"protocol bgp Global_10_9_0_250"},
			without:  []string{"keepalive time"},
			problems: []string{`BGPPeer p ignored: spec.keepaliveTime: "0s" is not longer than 0`},
		},
		{
			name:     "a keepalive time below a second",
			cluster:  withPeer("{peerIP: 10.9.0.250, keepaliveTime: 400ms}"),
			want:     []string{"protocol bgp Global_10_9_0_250", "keepalive time 1;"},
			problems: []string{"BGPPeer p its keepalive time of 400ms is less than BGP can say: 1 s is used"},
		},
		{
			name:     "a keepalive time of days",
			cluster:  withPeer("{peerIP: 10.9.0.250, keepaliveTime: 48h}"),
			want:     []string{"protocol bgp Global_10_9_0_250", "keepalive time 32767;"},
			problems: []string{"BGPPeer p its keepalive time of 48h0m0s is more than half of the longest hold time that there is: 32767 s is used"},
		},
		{
			name:     "a restart time of hours",
			cluster:  withPeer("{peerIP: 10.9.0.250, maxRestartTime: 20h}"),
			want:     []string{"protocol bgp Global_10_9_0_250", "graceful restart time 4095;"},
			problems: []string{"BGPPeer p its restart time of 20h0m0s is more than BGP can say: 4095 s is used"},
		},
		{
			name:     "a number of own AS numbers below zero",
			cluster:  withPeer("{peerIP: 10.9.0.250, numAllowedLocalASNumbers: -1}"),
			want:     []string{"protocol bgp Global_10_9_0_250"},
			without:  []string{"allow local as"},
			problems: []string{"BGPPeer p ignored: spec.numAllowedLocalASNumbers: -1 is below 0"},
		},
		{
			name:     "a password of the mesh that is nowhere",
			cluster:  "\n{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {nodeMeshPassword: {secretKeyRef: {name: s}}}}",
			options:  func(o *bgp.Options) { o.RequirePasswords = true },
			without:  []string{"protocol bgp"},
			problems: []string{"BGPConfiguration default asks for a password and does not say", "BGPConfiguration default ignored: spec.nodeMeshPassword.secretKeyRef: needs a name and a key"},
		},
		{
			name:     "a password without a Secret",
			cluster:  withPeer("{peerIP: 10.9.0.250, password: {}}"),
			want:     []string{"protocol bgp Global_10_9_0_250"},
			problems: []string{"BGPPeer p asks for a password and does not say in which Secret, and by which key, it is: its sessions go without a password"},
		},
		{
			name:    "as many own AS numbers as there can be",
			cluster: withPeer("{peerIP: 10.9.0.250, numAllowedLocalASNumbers: 4294967295}"),
			want:    []string{"protocol bgp Global_10_9_0_250", "allow local as 4294967295;"},
		},
		{
			name:     "a peer at the node's own address, and another port",
			cluster:  withPeer("{peerIP: '10.9.0.1:1790', asNumber: 64999}"),
			without:  []string{"protocol bgp"},
			problems: []string{`BGPPeer p its session with 10.9.0.1 port 1790 is left out: the address is node "a"'s own`},
		},
		{
			name: "communities of one node's own, and a name that is there twice",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {communities: [{name: c, value: "1:1"}]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: node.a}, spec: {communities: [{name: c, value: "2:2"}, {name: c, value: "3:3"}],
  prefixAdvertisements: [{cidr: 10.1.0.0/16, communities: [c]}]}}`,
			want:    []string{"if net ~ 10.1.0.0/16 then { bgp_community.add((2, 2)); }"},
			without: []string{"add((1, 1))", "add((3, 3))"},
		},
		{
			name: "an empty list of advertisements of one node's own",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {prefixAdvertisements: [{cidr: 10.1.0.0/16, communities: ["1:1"]}]}}
---
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: node.a}, spec: {prefixAdvertisements: []}}`,
			without: []string{"bgp_community.add"},
		},
	}
}

func serviceMeanings() []meaning {
	const ranges = `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {serviceLoadBalancerIPs: [{cidr: 203.0.113.9/32}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: d}, spec: {type: LoadBalancer, clusterIP: 10.96.0.5, loadBalancerIP: 203.0.113.9}}
---`
	return []meaning{
		{
			name: "a single address among the cluster's ranges",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {serviceClusterIPs: [{cidr: 10.96.0.9/32}]}}`,
			want: []string{"if net ~ 10.96.0.9/32 then accept;", "filter calico_to_kernel4", "if net ~ 10.96.0.9/32 then reject;", "route 10.96.0.9/32 blackhole;"},
		},
		{
			name: "a load balancer's address that only spec.loadBalancerIP names",
			cluster: ranges + `
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s-1, namespace: d, labels: {kubernetes.io/service-name: s}}, addressType: IPv4, endpoints: []}`,
			want: []string{"route 203.0.113.9/32 blackhole;"},
		},
		{
			name:    "a Service without any EndpointSlice",
			cluster: ranges,
			without: []string{"203.0.113.9"},
		},
	}
}

func podCIDRMeanings() []meaning {
	const nodes = `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1/24}}, status: {podCIDRs: [10.1.1.0/24], wireguardPublicKey: a2V5}}
---
apiVersion: v1
kind: Node
metadata: {name: b, annotations: {projectcalico.org/IPv4Address: 10.9.0.2/24, projectcalico.org/WireguardPublicKey: a2V5}}
spec: {podCIDRs: [10.1.2.0/24]}
---
{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: x}, spec: {node: a, cidr: 10.1.9.0/26, state: confirmed}}`
	return []meaning{
		{
			name: "podCIDRs in Calico's Node", cluster: nodes, options: func(o *bgp.Options) { o.UsePodCIDR = true },
			want:    []string{"if net = 10.1.1.0/24 then accept;", "bgp_next_hop ~ [ 10.9.0.2 ] then reject;", "route 10.1.1.0/24 blackhole;"},
			without: []string{"10.1.9.0", "10.1.2.0"},
		},
		{
			name: "podCIDRs in Kubernetes' Node", cluster: nodes, node: "b", options: func(o *bgp.Options) { o.UsePodCIDR = true },
			want: []string{"if net = 10.1.2.0/24 then accept;", "bgp_next_hop ~ [ 10.9.0.1 ] then reject;", "route 10.1.2.0/24 blackhole;"},
		},
		{
			name: "podCIDRs where Calico hands out addresses", cluster: nodes,
			want:    []string{"if net = 10.1.9.0/26 then accept;", "route 10.1.9.0/26 blackhole;"},
			without: []string{"10.1.1.0", "bgp_next_hop ~ ["},
		},
	}
}
