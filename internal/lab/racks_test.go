package lab_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
)

// spineAS is the AS number of the router between the racks.
const spineAS = 65000

// twoRacks adds two racks of two nodes each, of both families, with a block of each and
// one pod a node, and no mesh. Each rack peers with the router between them.
func twoRacks(l *lab.Lab, rackPeer func(rack int) string) []*lab.Workload {
	l.AddSubnet("rack1", "10.0.1.0/24", "fd00:1::/64")
	l.AddSubnet("rack2", "10.0.2.0/24", "fd00:2::/64")
	l.Store.Apply(rackPool + "\n---" + rackPool6 + `
---
kind: BGPConfiguration
metadata: {name: default}
spec: {nodeToNodeMeshEnabled: false}`)
	var pods []*lab.Workload
	for i, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		rack := 1 + i/2
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("n%d", i+1), BIRD: version, Subnet: fmt.Sprintf("rack%d", rack),
			Addresses: []string{fmt.Sprintf("10.0.%d.1%d/24", rack, i+1), fmt.Sprintf("fd00:%d::1%d/64", rack, i+1)},
			Blocks:    []string{fmt.Sprintf("10.244.%d.0/26", i+1), fmt.Sprintf("fd00:f4:0:%d::/122", i+1)},
			Labels:    map[string]string{"rack": fmt.Sprint(rack)},
		})
		pods = append(pods, h.AddWorkload(fmt.Sprintf("10.244.%d.2", i+1), fmt.Sprintf("fd00:f4:0:%d::2", i+1)))
	}
	peerRacks(l, rackPeer)
	return pods
}

// peerRacks has each rack peer with the router, in both families; rackPeer is more of
// those BGPPeers.
func peerRacks(l *lab.Lab, rackPeer func(rack int) string) {
	for rack := 1; rack <= 2; rack++ {
		for name, address := range spineAddresses(rack) {
			l.Store.Apply(fmt.Sprintf("\nkind: BGPPeer\nmetadata: {name: %s}\nspec: {nodeSelector: rack == '%d', peerIP: '%s', asNumber: %d%s}",
				name, rack, address, spineAS, rackPeer(rack)))
		}
	}
}

// spineAddresses are the router's addresses in a rack, by the name of the BGPPeer.
func spineAddresses(rack int) map[string]string {
	return map[string]string{fmt.Sprintf("rack%d", rack): fmt.Sprintf("10.0.%d.1", rack), fmt.Sprintf("rack%d-v6", rack): fmt.Sprintf("fd00:%d::1", rack)}
}

// rackOf is the number of the rack that a host is in.
func rackOf(h *lab.Host) int { return int(h.IPv4().As4()[2]) }

// startSpine starts FRR on the router between the racks. as is the AS number that
// the nodes of a rack speak as.
func startSpine(t *testing.T, l *lab.Lab, as func(rack int) uint32, more ...string) routers.Router {
	t.Helper()
	c := routers.Config{AS: spineAS, ID: netip.MustParseAddr("10.0.1.1"), More: strings.Join(more, "")}
	for _, h := range l.Hosts {
		for _, address := range spineAddresses(rackOf(h)) {
			local := netip.MustParseAddr(address)
			neighbor := h.IPv4()
			if local.Is6() {
				neighbor = h.IPv6()
			}
			c.Neighbors = append(c.Neighbors, routers.Neighbor{Address: neighbor, Local: local, AS: as(rackOf(h))})
		}
	}
	return routers.Start(t, routers.FRR, l.Router.NS(), c)
}

// awaitSpine waits until each node has its sessions with the router.
func awaitSpine(l *lab.Lab) {
	for _, h := range l.Hosts {
		var names []string
		for _, address := range spineAddresses(rackOf(h)) {
			names = append(names, lab.SessionName("Node", address))
		}
		h.AwaitSessions(names...)
	}
}

// awaitBySpine waits until a host's kernel has a route by way of the router.
func awaitBySpine(t *testing.T, l *lab.Lab, h *lab.Host, prefix string) {
	t.Helper()
	gateways := slices.Collect(maps.Values(spineAddresses(rackOf(h))))
	awaitRoute(l, h.Machine, prefix, append(gateways, linkLocal(t, l.Router, fmt.Sprintf("to-rack%d", rackOf(h))))...)
}

// blocksAtSpine are the blocks of both racks as the router hears them; as is described
// with startSpine.
func blocksAtSpine(l *lab.Lab, as func(rack int) uint32) []string {
	var lines []string
	for _, h := range l.Hosts {
		for _, block := range h.Blocks {
			via := h.IPv4()
			if block.Addr().Is6() {
				via = h.IPv6()
			}
			lines = append(lines, fmt.Sprintf("%s via %s path %d", block, via, as(rackOf(h))))
		}
	}
	return lines
}

// ownAS and localAS are racks with an AS each: on the router, and in a rack's BGPPeers.
func ownAS(rack int) uint32   { return 65100 + uint32(rack) }
func localAS(rack int) string { return fmt.Sprintf(", localASNumber: %d", ownAS(rack)) }

// TestRacksWithAnASEach: localASNumber gives each rack a number of its own, so the
// racks take each other's routes.
func TestRacksWithAnASEach(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	pods := twoRacks(l, localAS)
	spine := startSpine(t, l, ownAS)
	l.Start()
	awaitSpine(l)
	routers.Await(t, spine, blocksAtSpine(l, ownAS)...)
	l.AwaitPings(pods[0], pods[2])
	l.AwaitPings(pods[1], pods[3])
	for i, h := range l.Hosts { // the other rack's way is the router
		for _, block := range l.Hosts[3-i].Blocks {
			awaitBySpine(t, l, h, block.String())
		}
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
	clusterAS := func(int) uint32 { return 64512 }
	spine := startSpine(t, l, clusterAS)
	l.Start()
	awaitSpine(l)
	routers.Await(t, spine, blocksAtSpine(l, clusterAS)...)
	for _, h := range l.Hosts {
		for _, o := range l.Hosts {
			if h == o {
				continue
			}
			for _, block := range o.Blocks {
				awaitRoute(l, h.Machine, block.String(), "")
			}
		}
	}

	peerRacks(l, func(int) string { return ", numAllowedLocalASNumbers: 1" })
	l.AwaitPings(pods...)
}

// TestNextHopModes: two nodes of a mesh tell each router both blocks, their own and
// the other's. With which next hop says the BGPPeer.
func TestNextHopModes(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts := meshOfTwo(l, "1.6.8", "3.1.8")
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

// meshOfTwo adds two nodes with a block each, in one subnet, and a BIRD of each version.
func meshOfTwo(l *lab.Lab, first, second string) []*lab.Host {
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply(rackPool)
	return []*lab.Host{
		l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24"}, Blocks: []string{"10.244.1.0/26"}, BIRD: first}),
		l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24"}, Blocks: []string{"10.244.2.0/26"}, BIRD: second}),
	}
}

// TestReachableBy: the router is reached at an address of its own that no route
// leads to but the one that reachableBy makes. BIRDs start without -R: with it none of
// their routes is in the kernel before their sessions are up.
func TestReachableBy(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts := meshOfTwo(l, "1.6.8", "3.1.8")
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
