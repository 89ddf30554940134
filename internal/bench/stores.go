package main

import (
	"time"

	"confd/internal/testenv"
)

// measureStores measures what Typha costs the program beside etcd, with the same
// cluster in both, by turns.
func measureStores(o options, etcd *etcdServer) ([]work, error) {
	cluster := testenv.DualMesh(changesNodes)
	if err := etcd.replace(cluster.EtcdKeys()); err != nil {
		return nil, err
	}
	typha, err := typhaStore(cluster.EtcdKeys())
	if err != nil {
		return nil, err
	}
	defer typha.stop()
	c := benchCase{nodes: changesNodes, node: testenv.NodeName(quietNode)}
	all := []contestant{{program: o.confd, store: typha}, {program: o.confd, store: etcd.store()}}
	once, err := renderOnce(o, c, all)
	if err != nil {
		return nil, err
	}
	daemons, starts, err := start(o, c, all)
	defer func() { stopAll(daemons) }()
	if err != nil {
		return nil, err
	}
	time.Sleep(restAfter)
	most, err := memory(mostWork, mostField, daemons)
	if err != nil {
		return nil, err
	}
	rest, err := memory(memoryWork, residentField, daemons)
	return []work{once, starts, most, rest}, err
}
