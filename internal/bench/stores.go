package main

import (
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
	list, daemons, err := begin(o, c, all)
	stopAll(daemons)
	return list, err
}
