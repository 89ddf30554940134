package lab_test

import (
	"fmt"
	"testing"

	"confd/internal/lab"
	"confd/internal/routers"
)

// elevated is the metric of a workload's route on the node that it moves to.
const elevated = 512

// TestLiveMigration: what the rack's router hears while a workload moves from one node
// to another: of an address of the source's own block, and of one that a third node's
// block lends. There is a way to the workload all the time, and from the moment when
// the target has it, by the target.
func TestLiveMigration(t *testing.T) {
	long(t)
	t.Parallel()
	for name, address := range map[string]string{"own address": "10.244.1.40", "borrowed address": "10.244.3.40"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts := meshOfTwo(l, "2.0.12", "2.17.6")
			for _, h := range hosts {
				h.Env = []string{"CONFD_LIVE_MIGRATION=true"}
			}
			hosts = append(hosts, l.AddHost(lab.HostConfig{Name: "n3", Addresses: []string{"10.0.1.13/24"}, BIRD: "3.1.8", Blocks: []string{"10.244.3.0/26"}}))
			l.Store.Apply(documented(t, "neighbors.md", "Only its own routes") + `
---
kind: BGPPeer
metadata: {name: rack}
spec: {peerIP: 10.0.1.21, asNumber: 65021, filters: [own-routes-only]}`)
			tor := startRack(t, routers.GoBGP, l.AddMachine("gobgp", "", "10.0.1.21/24"), 65021, 64512, hosts, nil)
			from := hosts[0].AddWorkload(address)
			other := hosts[2].AddWorkload("10.244.3.2")
			l.Start()
			l.AwaitPings(from, other)
			hears := func(nodes ...int) {
				t.Helper()
				var want []string
				for n := 1; n <= 3; n++ {
					want = append(want, fmt.Sprintf("10.244.%d.0/26 via 10.0.1.1%[1]d path 64512", n))
				}
				for _, n := range nodes {
					want = append(want, fmt.Sprintf("%s/32 via 10.0.1.1%d path 64512", address, n))
				}
				routers.Await(t, tor, want...)
			}
			if name == "borrowed address" {
				hears(1)
			} else {
				hears() // it is in the block
			}

			way := address + "/32 via"
			if name == "own address" {
				way = "10.244.1.0/26 via"
			}
			watched := watch(t, []rack{tor}, way)
			to := hosts[1].AddWorkloadAt(elevated, address)
			hears(2) // the source itself takes the target's way
			l.Await("the target", func() error { return other.Ping(to) })
			awaitRoute(l, hosts[2].Machine, address+"/32", "10.0.1.12")

			from.Remove()
			hears(2)
			to.AddRoute(to.Addresses[0], 1024)
			to.DeleteRoute(to.Addresses[0], elevated)
			hears(2)
			l.Await("the target", func() error { return other.Ping(to) })
			if watched()[0] {
				t.Errorf("the router was without %s", way)
			}
		})
	}
}
