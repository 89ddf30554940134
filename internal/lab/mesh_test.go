package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"confd/internal/lab"
)

const (
	poolObject = `
kind: IPPool
metadata: {name: workloads}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never, blockSize: 26}`
	meshOff = `
kind: BGPConfiguration
metadata: {name: default}
spec: {nodeToNodeMeshEnabled: false}`
	meshOn = `
kind: BGPConfiguration
metadata: {name: default}
spec: {nodeToNodeMeshEnabled: true}`
)

// host is one of the hosts k8s-m1, k8s-m2, ... at 192.168.2.140 and on.
func host(name, address, block string) lab.HostConfig {
	return lab.HostConfig{Name: name, Addresses: []string{address + "/24"}, Blocks: []string{block}}
}

func m1() lab.HostConfig { return host("k8s-m1", "192.168.2.140", "10.244.42.128/26") }
func m2() lab.HostConfig { return host("k8s-m2", "192.168.2.141", "10.244.81.128/26") }
func m3() lab.HostConfig { return host("k8s-m3", "192.168.2.142", "10.244.11.0/26") }
func m4() lab.HostConfig { return host("k8s-m4", "192.168.2.143", "10.244.200.64/26") }

// build makes a cluster of these hosts in one subnet, with a pool and a pod on each
// host. Nothing runs yet.
func build(l *lab.Lab, configs ...lab.HostConfig) (hosts []*lab.Host, pods []*lab.Workload) {
	l.AddSubnet("rack", "192.168.2.0/24", "fd00:2::/64")
	l.Store.Apply(poolObject)
	for _, c := range configs {
		h := l.AddHost(c)
		hosts = append(hosts, h)
		pods = append(pods, podOn(h))
	}
	return hosts, pods
}

// podOn adds a pod with the second address of each of the host's blocks.
func podOn(h *lab.Host) *lab.Workload {
	var addresses []string
	for _, b := range h.Blocks {
		addresses = append(addresses, b.Addr().Next().Next().String())
	}
	return h.AddWorkload(addresses...)
}

// awaitWhole waits until the hosts are a mesh, have each other's blocks, and the
// pods reach each other.
func awaitWhole(l *lab.Lab, hosts []*lab.Host, pods []*lab.Workload) {
	l.AwaitMesh(hosts...)
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods...)
}

// with says whether a session is one with the host, or on it.
func with(other *lab.Host) func(h *lab.Host, session string) bool {
	names := map[string]bool{}
	for _, kind := range []string{"Mesh", "Node"} {
		for _, a := range other.Addresses {
			names[lab.SessionName(kind, a.Addr().String())] = true
		}
	}
	return func(h *lab.Host, session string) bool { return h == other || names[session] }
}

// TestMesh is a full mesh of BIRDs of each version.
func TestMesh(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			configs := []lab.HostConfig{m1(), m2(), m3()}
			for i := range configs {
				configs[i].BIRD = version
			}
			hosts, pods := build(l, configs...)
			l.Start()
			awaitWhole(l, hosts, pods)
			awaitHealthy(l, hosts...)
		})
	}
}

// awaitHealthy waits until confd doctor finds nothing, on any of the hosts.
func awaitHealthy(l *lab.Lab, hosts ...*lab.Host) {
	for _, h := range hosts {
		l.Await("confd doctor to find nothing on "+h.Name, func() error {
			if out, code := h.RunConfd("doctor"); code != 0 || !strings.Contains(out, "nothing found") {
				return fmt.Errorf("it ends with %d: %s", code, out)
			}
			return nil
		})
	}
}

// TestNodes: a node comes, gets other addresses, and goes; sessions between the others
// never notice. What is not announced is held by the node itself for as long as it still
// has its old address.
func TestNodes(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3())
	l.Start()
	awaitWhole(l, hosts, pods)
	before := l.Moment()

	added := l.AddHost(m4())
	pods = append(pods, podOn(added))
	added.Start()
	awaitWhole(l, l.Hosts, pods)
	before.NoFlap(nil)

	added.Renumber("192.168.2.144/24")
	awaitWhole(l, l.Hosts, pods)
	before.NoFlap(nil)

	added.Readdress("192.168.2.145/24")
	added.Publish()
	awaitWhole(l, l.Hosts, pods)
	before.NoFlap(nil)

	added.Node.IPv4 = netip.MustParsePrefix("192.168.2.146/24")
	added.Publish()
	added.Confd.AwaitLog("a change is held back")
	added.Readdress("192.168.2.146/24")
	awaitWhole(l, l.Hosts, pods)
	before.NoFlap(nil)

	added.Remove()
	awaitWhole(l, hosts, pods[:3])
	for _, h := range hosts {
		h.AwaitNoRoute("10.244.200.64/26")
	}
	before.NoFlap(nil)
}

// TestClusterAS: a new AS of the cluster takes all sessions. It is held back until it
// is announced; then all start anew, and all is as before.
func TestClusterAS(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3())
	l.Start()
	awaitWhole(l, hosts, pods)
	before := l.Moment()
	const newAS = "kind: BGPConfiguration\nmetadata: {name: default}\nspec: {asNumber: 64600}"
	l.Store.Apply(newAS)
	for _, h := range hosts {
		h.Confd.AwaitLog("a change is held back")
	}
	before.NoFlap(nil)
	l.Store.Apply(lab.Announced(newAS))
	for _, h := range hosts {
		h.AwaitPeerAS(64600)
	}
	awaitWhole(l, hosts, pods)
}

// TestAnAffinityMoves: a block goes from one node to another with its pod; no session
// notices.
func TestAnAffinityMoves(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, pods := build(l, m1(), m2(), m3())
	l.Start()
	awaitWhole(l, hosts, pods)
	before := l.Moment()
	pods[2].Remove()
	block := hosts[2].Blocks[0]
	hosts[2].RemoveBlock(block.String())
	hosts[1].AddBlock(block.String())
	moved := hosts[1].AddWorkload(pods[2].Addresses[0].String())
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods[0], pods[1], moved)
	before.NoFlap(nil)
}
