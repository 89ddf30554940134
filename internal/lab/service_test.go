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
  serviceExternalIPs: [{cidr: 192.0.2.0/28}, {cidr: 192.0.2.77/32}]
  serviceLoadBalancerIPs: [{cidr: 192.0.2.128/28}]`

// service is a Service with an external address.
func service(name, policy, address string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default}
spec: {type: NodePort, externalTrafficPolicy: %s, externalIPs: [%s], ports: [{port: 80}]}`, name, policy, address)
}

// endpoints is the Service's EndpointSlice, with a ready endpoint on each node.
func endpoints(service string, nodes ...string) string {
	var list []string
	for i, node := range nodes {
		list = append(list, fmt.Sprintf("{addresses: [10.244.9.%d], nodeName: %s, conditions: {ready: true}}", i+1, node))
	}
	return fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s-1, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: []
endpoints: [%s]`, service, strings.Join(list, ", "))
}

// TestServiceAddresses: three nodes of a mesh below a router. The address of a Service
// with the policy Local is announced by the nodes that have an endpoint, and by no
// other; a single address that the configuration names, by all. When an endpoint goes,
// its node takes the address back, and nobody else does anything.
func TestServiceAddresses(t *testing.T) {
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply(rackPool + serviceRanges + "\n---\n" + documented(t, "neighbors.md", "Only its own routes") + `
---
kind: BGPPeer
metadata: {name: rack}
spec: {peerIP: 10.0.1.21, asNumber: 65021, filters: [own-routes-only]}`)
	var hosts []*lab.Host
	for i, version := range []string{"1.6.8", "2.17.6", "3.1.8"} {
		hosts = append(hosts, l.AddHost(lab.HostConfig{Name: fmt.Sprintf("n%d", i+1), BIRD: version,
			Addresses: []string{fmt.Sprintf("10.0.1.%d/24", 11+i)}, Blocks: []string{fmt.Sprintf("10.244.%d.0/26", i+1)}}))
	}
	l.Store.Apply(service("local", "Local", "192.0.2.5") + "\n---\n" + endpoints("local", "n1", "n2"))
	l.Store.Apply(service("everywhere", "Cluster", "192.0.2.77") + "\n---\n" + endpoints("everywhere", "n3"))
	rack := startRack(t, routers.FRR, l.AddMachine("frr", "", "10.0.1.21/24"), 65021, 64512, hosts, nil)
	l.Start()

	var always []string
	for i := range hosts {
		node := fmt.Sprintf(" via 10.0.1.%d path 64512", 11+i)
		always = append(always, fmt.Sprintf("10.244.%d.0/26", i+1)+node, "192.0.2.0/28"+node, "192.0.2.128/28"+node, "192.0.2.77/32"+node)
	}
	local := func(nodes ...int) []string {
		want := slices.Clone(always)
		for _, n := range nodes {
			want = append(want, fmt.Sprintf("192.0.2.5/32 via 10.0.1.%d path 64512", 10+n))
		}
		return want
	}
	routers.Await(t, rack, local(1, 2)...)
	for _, h := range hosts { // what is announced is not for the node itself
		awaitRecovered(l, h) // before, nothing is in the kernel
		for _, net := range []string{"192.0.2.0/28", "192.0.2.128/28", "192.0.2.5/32", "192.0.2.77/32"} {
			awaitRoute(l, h.Machine, net, "")
		}
	}

	before := l.Moment()
	l.Store.Apply(endpoints("local", "n2"))
	routers.Await(t, rack, local(2)...)
	l.Store.Apply(endpoints("local", "n2", "n3"))
	routers.Await(t, rack, local(2, 3)...)
	l.Store.Delete(service("local", "Local", "192.0.2.5"))
	routers.Await(t, rack, local()...)
	before.NoFlap(nil)

	// Without the filter each node passes on what it hears from the mesh.
	l.Store.Apply(service("local", "Local", "192.0.2.5") + "\n---\n" + endpoints("local", "n1"))
	routers.Await(t, rack, local(1)...)
	l.Store.Apply("\nkind: BGPPeer\nmetadata: {name: rack}\nspec: {peerIP: 10.0.1.21, asNumber: 65021, filters: []}")
	l.Await("the detours", func() error {
		lines := routers.Lines(t, rack)
		for n := 1; n <= 3; n++ {
			if want := fmt.Sprintf("192.0.2.5/32 via 10.0.1.%d path 64512", 10+n); !slices.Contains(lines, want) {
				return fmt.Errorf("no %s", want)
			}
		}
		return nil
	})
}
