package etc_test

// meanings are clusters in which the meaning of a field is easily missed.
func meanings() []meaning {
	return []meaning{
		{
			name: "a route reflector that was labelled with calicoctl",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: {name: default}, spec: {nodeToNodeMeshEnabled: false}}
---
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
			cluster: `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1}}}
---
{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.1.0.0/16, vxlanMode: Always}}
`,
			want: []string{"filter calico_to_kernel4", "if net ~ 10.1.0.0/16 then reject;", "accept;"},
		},
		{
			name: "an address without a length, and an IPIP pool for other subnets",
			cluster: `
{apiVersion: projectcalico.org/v3, kind: Node, metadata: {name: a}, spec: {bgp: {ipv4Address: 10.9.0.1}}}
---
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
	}
}
