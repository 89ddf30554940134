package main

import (
	"fmt"
	"time"

	"confd/internal/testenv"
)

// measureBeside measures what Calico's program was measured with, before: making a
// configuration once, from etcd, and the memory of a program that runs.
func measureBeside(o options, etcd *etcdServer) ([]work, error) {
	o.against = ""
	var list []work
	for _, c := range []struct {
		benchCase
		cluster *testenv.Cluster
	}{
		{benchCase{name: meshOf1000, node: testenv.NodeName(plainNode)}, testenv.Mesh(1000)},
		{benchCase{name: meshOf5000, node: testenv.NodeName(plainNode)}, testenv.Mesh(5000)},
		{benchCase{name: peersOf1000, node: testenv.NodeName(plainNode)}, testenv.ExplicitPeers(1000, 2000)},
	} {
		if err := etcd.replace(c.cluster.EtcdKeys()); err != nil {
			return nil, err
		}
		w, err := renderOnce(o, c.benchCase, o.contestants(etcd.store()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		w.name = c.name
		list = append(list, w)
	}
	if err := etcd.replace(testenv.RouteReflectors(5000).EtcdKeys()); err != nil {
		return nil, err
	}
	once := o
	once.runs = 1
	daemons, _, err := start(once, benchCase{node: testenv.NodeName(plainNode)}, o.contestants(etcd.store()))
	defer func() { stopAll(daemons) }()
	if err != nil {
		return nil, err
	}
	time.Sleep(restAfter)
	most, err := memory(reflectorsOf5000, mostField, daemons)
	return append(list, most), err
}

// What Calico's program was measured with.
const (
	meshOf1000       = "configuration, once: full mesh of 1,000 nodes"
	meshOf5000       = "configuration, once: full mesh of 5,000 nodes"
	peersOf1000      = "configuration, once: 1,000 nodes, 2,000 BGPPeers, no mesh"
	nodeOf5000       = "a node more in a full mesh of 5,000, on each other node"
	reflectorsOf5000 = "memory, 5,000 nodes with 100 route reflectors"
)

// calicos are what Calico's program took on one core of a machine like this one, in
// clusters like these, in ms or MB.
func calicos() []work {
	took := func(name string, d time.Duration) work {
		return work{name: name, unit: "ms", samples: [2][]sample{{{value: ms(d)}}}}
	}
	return []work{
		took(meshOf1000, 1800*time.Millisecond),
		took(meshOf5000, 55*time.Second),
		took(peersOf1000, 9*time.Second),
		took(nodeOf5000, 156*time.Second),
		{name: reflectorsOf5000, unit: "MB", samples: [2][]sample{{{value: 12_000}}}},
	}
}
