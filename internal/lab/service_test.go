package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
)

const serviceRanges = `
---
kind: BGPConfiguration
metadata: {name: default}
spec:
  serviceExternalIPs: [{cidr: 192.0.2.0/28}, {cidr: 192.0.2.77/32}, {cidr: '2001:db8::/124'}, {cidr: '2001:db8::77/128'}]
  serviceLoadBalancerIPs: [{cidr: 192.0.2.128/28}]`

// service is a Service of both families, with an external address of each.
func service(name, policy, address, address6 string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default}
spec: {type: NodePort, ipFamilyPolicy: RequireDualStack, externalTrafficPolicy: %s, externalIPs: [%s, '%s'], ports: [{port: 80}]}`,
		name, policy, address, address6)
}

// endpoints are the Service's EndpointSlices, one of each family, with a ready endpoint
// on each node.
func endpoints(service string, nodes ...string) string {
	slice := func(family, prefix string) string {
		var list []string
		for i, node := range nodes {
			list = append(list, fmt.Sprintf("{addresses: ['%s%d'], nodeName: %s, conditions: {ready: true}}", prefix, i+1, node))
		}
		return fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s-%s, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}
addressType: %[3]s
ports: []
endpoints: [%s]`, service, strings.ToLower(family), family, strings.Join(list, ", "))
	}
	return slice("IPv4", "10.244.9.") + "\n---\n" + slice("IPv6", "fd00:f4:0:9::")
}

// rackPeers are the sessions with the router, one of each family, with that filter.
func rackPeers(filter string) string {
	return fmt.Sprintf(`
kind: BGPPeer
metadata: {name: rack}
spec: {peerIP: 10.0.1.21, asNumber: 65021, filters: [%s]}
---
kind: BGPPeer
metadata: {name: rack6}
spec: {peerIP: 'fd00:1::21', asNumber: 65021, filters: [%[1]s]}`, filter)
}

// TestServiceAddresses: three nodes of a mesh below a router, in both families. The
// addresses of a Service with the policy Local are announced by the nodes that have an
// endpoint, and by no other; a single address that the configuration names, by all. When
// an endpoint goes, its node takes the addresses back, and nobody else does anything.
func TestServiceAddresses(t *testing.T) {
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "10.0.1.0/24", "fd00:1::/64")
	l.Store.Apply(rackPool + "\n---" + rackPool6 + serviceRanges)
	l.Store.Apply(documented(t, "neighbors.md", "Only its own routes") + "\n---" + rackPeers("own-routes-only"))
	var hosts []*lab.Host
	for i, version := range []string{"1.6.8", "2.17.6", "3.1.8"} {
		hosts = append(hosts, l.AddHost(lab.HostConfig{Name: fmt.Sprintf("n%d", i+1), BIRD: version,
			Addresses: []string{fmt.Sprintf("10.0.1.%d/24", 11+i), fmt.Sprintf("fd00:1::%d/64", 11+i)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i+1), fmt.Sprintf("fd00:f4:0:%d::/122", i+1)}}))
	}
	l.Store.Apply(service("local", "Local", "192.0.2.5", "2001:db8::5") + "\n---\n" + endpoints("local", "n1", "n2"))
	l.Store.Apply(service("everywhere", "Cluster", "192.0.2.77", "2001:db8::77") + "\n---\n" + endpoints("everywhere", "n3"))
	rack := startRack(t, routers.FRR, l.AddMachine("frr", "", "10.0.1.21/24", "fd00:1::21/64"), 65021, 64512, hosts, nil)
	l.Start()

	var always []string
	for i := range hosts {
		node := fmt.Sprintf(" via 10.0.1.%d path 64512", 11+i)
		always = append(always, fmt.Sprintf("10.244.%d.0/26", i+1)+node, "192.0.2.0/28"+node, "192.0.2.128/28"+node, "192.0.2.77/32"+node)
		node = fmt.Sprintf(" via fd00:1::%d path 64512", 11+i)
		always = append(always, fmt.Sprintf("fd00:f4:0:%d::/122", i+1)+node, "2001:db8::/124"+node, "2001:db8::77/128"+node)
	}
	fromNode := func(n int) []string {
		return []string{fmt.Sprintf("192.0.2.5/32 via 10.0.1.%d path 64512", 10+n), fmt.Sprintf("2001:db8::5/128 via fd00:1::%d path 64512", 10+n)}
	}
	local := func(nodes ...int) []string {
		want := slices.Clone(always)
		for _, n := range nodes {
			want = append(want, fromNode(n)...)
		}
		return want
	}
	routers.Await(t, rack, local(1, 2)...)
	for _, h := range hosts { // what is announced is not for the node itself
		awaitRecovered(l, h) // before, nothing is in the kernel
		for _, net := range []string{"192.0.2.0/28", "192.0.2.128/28", "192.0.2.5/32", "192.0.2.77/32", "2001:db8::/124", "2001:db8::5/128", "2001:db8::77/128"} {
			awaitRoute(l, h.Machine, net, "")
		}
	}

	before := l.Moment()
	l.Store.Apply(endpoints("local", "n2"))
	routers.Await(t, rack, local(2)...)
	l.Store.Apply(endpoints("local", "n2", "n3"))
	routers.Await(t, rack, local(2, 3)...)
	l.Store.Delete(service("local", "Local", "192.0.2.5", "2001:db8::5"))
	routers.Await(t, rack, local()...)
	before.NoFlap(nil)

	// Without the filter each node passes on what it hears from the mesh.
	l.Store.Apply(service("local", "Local", "192.0.2.5", "2001:db8::5") + "\n---\n" + endpoints("local", "n1"))
	routers.Await(t, rack, local(1)...)
	l.Store.Apply(rackPeers(""))
	l.Await("the detours", func() error {
		lines := routers.Lines(t, rack)
		for n := 1; n <= 3; n++ {
			for _, want := range fromNode(n) {
				if !slices.Contains(lines, want) {
					return fmt.Errorf("no %s", want)
				}
			}
		}
		return nil
	})
}
