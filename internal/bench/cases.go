package main

import (
	"fmt"
	"os"
	"path/filepath"

	"confd/internal/testenv"
)

// The nodes that run confd: one that reflects routes in clusters with route
// reflectors, and one that does not.
const (
	reflectorNode = 0
	plainNode     = 50
)

// benchCase is a cluster, and one node of it that runs confd.
type benchCase struct {
	name    string
	nodes   int
	node    string // whose configuration is made
	cluster func() *testenv.Cluster
	// change is what is added to the cluster in a run: another node, or a peer.
	change func(run int) []testenv.Object
	// unaffected is set where the change does not alter the node's configuration.
	unaffected bool
}

func cases(sizes []int) []benchCase {
	var all []benchCase
	for _, n := range sizes {
		reflectors := func() *testenv.Cluster { return testenv.RouteReflectors(n) }
		// The new node stands in the first rack, and reflects nothing.
		client := func(run int) []testenv.Object { return testenv.RackNodeObjects((n/100+1)*100+2+run, 0) }
		all = append(all,
			benchCase{name: "mesh", nodes: n, node: testenv.NodeName(plainNode),
				cluster: func() *testenv.Cluster { return testenv.Mesh(n) },
				change:  func(run int) []testenv.Object { return testenv.NodeObjects(n + run) }},
			benchCase{name: "route reflectors: a reflector", nodes: n, node: testenv.NodeName(reflectorNode),
				cluster: reflectors, change: client},
			benchCase{name: "route reflectors: a client", nodes: n, node: testenv.NodeName(plainNode),
				cluster: reflectors, change: client, unaffected: true})
	}
	const n, peers = 1000, 2000
	return append(all, benchCase{name: "2,000 BGPPeers, no mesh", nodes: n, node: testenv.NodeName(plainNode),
		cluster: func() *testenv.Cluster { return testenv.ExplicitPeers(n, peers) },
		change: func(run int) []testenv.Object {
			return []testenv.Object{testenv.ExplicitPeer(peers+run, testenv.NodeName(plainNode))}
		}})
}

// store is where a cluster is kept: "file" or "etcd".
type store struct {
	name string
	args []string // for confd
	// add puts more objects into the cluster, all at once.
	add func(run int, objects []testenv.Object) error
	// stop ends what serves it; nil: nothing does, or it is shared.
	stop func()
}

// result is what was measured of one case with one store.
type result struct {
	benchCase
	store   string
	oneShot []usage
	changes []changeCost
	start   usage // of the daemon, from its start to its first configuration; RSS at the end
}

func measureCase(o options, etcd *etcdServer, c benchCase) ([]result, error) {
	stores, err := fillStores(o, etcd, c)
	if err != nil {
		return nil, err
	}
	var results []result
	for _, s := range stores {
		if s.stop != nil {
			defer s.stop()
		}
	}
	for _, s := range stores {
		fmt.Fprintf(os.Stderr, "bench: %s, %d nodes, from %s\n", c.name, c.nodes, s.name)
		r := result{benchCase: c, store: s.name}
		if r.oneShot, err = measureOneShot(o, c, s); err != nil {
			return nil, err
		}
		if err = measureDaemon(o, c, s, &r); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// fillStores writes the case's cluster to a new folder, and into etcd in place
// of what it held.
func fillStores(o options, etcd *etcdServer, c benchCase) ([]store, error) {
	cluster := c.cluster()
	dir, err := os.MkdirTemp(o.work, "data")
	if err != nil {
		return nil, err
	}
	if err := cluster.WriteYAML(dir); err != nil {
		return nil, err
	}
	if err := etcd.replace(cluster.EtcdKeys()); err != nil {
		return nil, err
	}
	typha, err := typhaStore(cluster.EtcdKeys())
	if err != nil {
		return nil, err
	}
	inEtcd := etcd.store()
	inEtcd.add = func(_ int, objects []testenv.Object) error { return etcd.put(testenv.EtcdKeys(objects)) }
	return []store{
		{name: "file", args: []string{"--datastore", "file", "--data", dir},
			add: func(run int, objects []testenv.Object) error { return addFile(dir, run, objects) }},
		inEtcd,
		typha,
	}, nil
}

// addFile lets one more file appear in the folder, complete from the start.
func addFile(dir string, run int, objects []testenv.Object) error {
	tmp := dir + ".new"
	if err := testenv.WriteYAML(tmp, objects); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, fmt.Sprintf("change-%d.yaml", run)))
}
