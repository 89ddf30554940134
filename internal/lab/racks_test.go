package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
)

// spineAS is the AS number of the router between the racks.
const spineAS = 65000

// twoRacks adds two racks of two nodes each, with one block and one pod a node, and
// no mesh. Each rack peers with the router between them.
func twoRacks(l *lab.Lab, rackPeer func(rack int) string) []*lab.Workload {
	l.AddSubnet("rack1", "10.0.1.0/24")
	l.AddSubnet("rack2", "10.0.2.0/24")
	l.Store.Apply(rackPool + `
---
kind: BGPConfiguration
metadata: {name: default}
spec: {nodeToNodeMeshEnabled: false}`)
	var pods []*lab.Workload
	for i, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		rack := 1 + i/2
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("n%d", i+1), BIRD: version, Subnet: fmt.Sprintf("rack%d", rack),
			Addresses: []string{fmt.Sprintf("10.0.%d.1%d/24", rack, i+1)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i+1)},
			Labels:    map[string]string{"rack": fmt.Sprint(rack)},
		})
		pods = append(pods, h.AddWorkload(fmt.Sprintf("10.244.%d.2", i+1)))
	}
	for rack := 1; rack <= 2; rack++ {
		l.Store.Apply(fmt.Sprintf("\nkind: BGPPeer\nmetadata: {name: rack%d}\nspec: {nodeSelector: rack == '%[1]d', peerIP: 10.0.%[1]d.1, asNumber: %d%s}",
			rack, spineAS, rackPeer(rack)))
	}
	return pods
}

// startSpine starts FRR on the router between the racks. as is the AS number that
// the nodes of a rack speak as.
func startSpine(t *testing.T, l *lab.Lab, as func(rack byte) uint32, more ...string) routers.Router {
	t.Helper()
	c := routers.Config{AS: spineAS, ID: netip.MustParseAddr("10.0.1.1"), More: strings.Join(more, "")}
	for _, h := range l.Hosts {
		rack := h.IPv4().As4()[2]
		c.Neighbors = append(c.Neighbors, routers.Neighbor{
			Address: h.IPv4(), Local: netip.AddrFrom4([4]byte{10, 0, rack, 1}), AS: as(rack),
		})
	}
	return routers.Start(t, routers.FRR, l.Router.NS(), c)
}

// awaitSpine waits until each node has its session with the router.
func awaitSpine(l *lab.Lab) {
	for _, h := range l.Hosts {
		h.AwaitSessions(lab.SessionName("Node", fmt.Sprintf("10.0.%d.1", h.IPv4().As4()[2])))
	}
}

// TestRacksWithAnASEach: localASNumber gives each rack a number of its own, so the
// racks take each other's routes.
func TestRacksWithAnASEach(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	pods := twoRacks(l, func(rack int) string { return fmt.Sprintf(", localASNumber: %d", 65100+rack) })
	spine := startSpine(t, l, func(rack byte) uint32 { return 65100 + uint32(rack) })
	l.Start()
	awaitSpine(l)
	routers.Await(t, spine, "10.244.1.0/26 via 10.0.1.11 path 65101", "10.244.2.0/26 via 10.0.1.12 path 65101",
		"10.244.3.0/26 via 10.0.2.13 path 65102", "10.244.4.0/26 via 10.0.2.14 path 65102")
	l.AwaitPings(pods[0], pods[2])
	l.AwaitPings(pods[1], pods[3])
	for i, rack := range []string{"1", "1", "2", "2"} { // the other rack's way is the router
		awaitRoute(l, l.Hosts[i].Machine, fmt.Sprintf("10.244.%d.0/26", 4-i), "10.0."+rack+".1")
	}
}

// TestRacksOfOneAS: both racks have the cluster's AS number. The other rack's routes
// come back with it in their path, and count only where numAllowedLocalASNumbers
// says so.
func TestRacksOfOneAS(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	pods := twoRacks(l, func(int) string { return "" })
	spine := startSpine(t, l, func(byte) uint32 { return 64512 })
	l.Start()
	awaitSpine(l)
	routers.Await(t, spine, "10.244.1.0/26 via 10.0.1.11 path 64512", "10.244.2.0/26 via 10.0.1.12 path 64512",
		"10.244.3.0/26 via 10.0.2.13 path 64512", "10.244.4.0/26 via 10.0.2.14 path 64512")
	for _, h := range l.Hosts {
		for i := range l.Hosts {
			if h != l.Hosts[i] {
				awaitRoute(l, h.Machine, fmt.Sprintf("10.244.%d.0/26", i+1), "")
			}
		}
	}

	for rack := 1; rack <= 2; rack++ {
		l.Store.Apply(fmt.Sprintf("\nkind: BGPPeer\nmetadata: {name: rack%d}\nspec: {nodeSelector: rack == '%[1]d', peerIP: 10.0.%[1]d.1, asNumber: %d, numAllowedLocalASNumbers: 1}", rack, spineAS))
	}
	l.AwaitPings(pods...)
}

// TestNextHopModes: two nodes of a mesh tell each router both blocks, their own and
// the other's. With which next hop says the BGPPeer.
func TestNextHopModes(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts := meshOfTwo(l)
	ways := []struct {
		kind routers.Kind
		mode string
		keep bool
	}{
		{routers.FRR, "", false},
		{routers.OpenBGPD, ", nextHopMode: Self, keepOriginalNextHop: true", false},
		{routers.ExaBGP, ", nextHopMode: Keep", true},
		{routers.GoBGP, ", keepOriginalNextHop: true", true},
	}
	var racks []rack
	for i, way := range ways {
		address := fmt.Sprintf("10.0.1.%d", 21+i)
		l.Store.Apply(fmt.Sprintf("\nkind: BGPPeer\nmetadata: {name: %s}\nspec: {peerIP: %s, asNumber: 65021%s}", way.kind, address, way.mode))
		racks = append(racks, startRack(t, way.kind, l.AddMachine(string(way.kind), "", address+"/24"), 65021, 64512, hosts, nil))
	}
	l.Start()
	for i, r := range racks {
		line := func(block, node int) string {
			return fmt.Sprintf("10.244.%d.0/26 via 10.0.1.1%d path 64512", block, node)
		}
		want := []string{line(1, 1), line(1, 2), line(2, 1), line(2, 2)}
		if ways[i].keep {
			want = []string{line(1, 1), line(1, 1), line(2, 2), line(2, 2)}
		}
		routers.Await(t, r, want...)
	}
}

// meshOfTwo adds two nodes with a block each, in one subnet.
func meshOfTwo(l *lab.Lab) []*lab.Host {
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply(rackPool)
	return []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24"}, Blocks: []string{"10.244.1.0/26"}}),
		l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24"}, Blocks: []string{"10.244.2.0/26"}, BIRD: "2.17.6"}),
	}
}

// TestReachableBy: the router is reached at an address of its own that no route
// leads to but the one that reachableBy makes. BIRDs start without -R: with it none of
// their routes is in the kernel before their sessions are up.
func TestReachableBy(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts := meshOfTwo(l)
	l.Router.IP("addr add 10.255.0.1/32 dev lo")
	l.Store.Apply(`
kind: BGPPeer
metadata: {name: spine}
spec: {peerIP: 10.255.0.1, asNumber: 65000, reachableBy: 10.0.1.1}`)
	c := routers.Config{AS: spineAS, ID: netip.MustParseAddr("10.255.0.1")}
	for _, h := range hosts {
		h.BirdFlags = []string{}
		h.IP("route del default")
		c.Neighbors = append(c.Neighbors, routers.Neighbor{Address: h.IPv4(), Local: c.ID, AS: 64512, Multihop: true})
	}
	spine := rack{Router: routers.Start(t, routers.FRR, l.Router.NS(), c)}
	spine.announce(t, "198.51.100.0/24")
	l.Start()
	for i, h := range hosts {
		h.AwaitSessions("Global_10_255_0_1", lab.SessionName("Mesh", hosts[1-i].IPv4().String()))
		awaitRoute(l, h.Machine, "10.255.0.1/32", "10.0.1.1")
		awaitRoute(l, h.Machine, "198.51.100.0/24", "10.0.1.1")
	}
}
