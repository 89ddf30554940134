package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"confd/internal/testenv"
)

// measureSummary prints, in one table, what changes, starts and single runs cost in
// large clusters, from each datastore; beside another build where there is one.
func measureSummary(w io.Writer, o options, etcd *etcdServer) error {
	rows, err := changesFromEtcd(o, etcd)
	if err != nil {
		return err
	}
	rows = named("etcd, mesh of 5,000 dual stack", rows)
	starts, err := startsFromTypha(o)
	if err != nil {
		return fmt.Errorf("cluster behind Typha: %w", err)
	}
	rows = append(rows, named("Typha, the same mesh", starts)...)
	err = withKubernetes(o, func(k *kubeCluster, config string) error {
		list, err := k.compare(o, config, func(c benchCase) bool { return !strings.HasSuffix(c.name, heartbeats) })
		rows = append(rows, named("Kubernetes, mesh of 5,000, 2,000 Services", list)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("cluster in Kubernetes: %w", err)
	}
	printWork(w, o, fmt.Sprintf("what large clusters cost (medians of %d runs)", o.runs), rows)
	return nil
}

// named puts a text before the names of rows, and leaves out what nothing costs.
func named(before string, rows []work) []work {
	var out []work
	for _, r := range rows {
		if !strings.HasPrefix(r.name, idleName) {
			r.name = before + ": " + r.name
			out = append(out, r)
		}
	}
	return out
}

// startsFromTypha measures starts from a Typha server of the tests', and the memory at
// rest after them; not of the other build, which may not know Typha.
func startsFromTypha(o options) ([]work, error) {
	typha, err := typhaStore(testenv.DualMesh(changesNodes).EtcdKeys())
	if err != nil {
		return nil, err
	}
	defer typha.stop()
	c := benchCase{name: changesName, nodes: changesNodes, node: testenv.NodeName(quietNode)}
	starts, most, rest := work{name: "start to the first configuration", unit: "ms"}, work{unit: "MB"}, work{name: "memory at rest", unit: "MB"}
	for run := range o.runs {
		fmt.Fprintf(os.Stderr, "bench: starts from Typha, run %d\n", run+1)
		var r result
		d, err := startDaemon(o, c, typha, &r)
		if err == nil {
			err = d.memory(&most, &rest, 0)
		}
		d.stop()
		if err != nil {
			return nil, err
		}
		starts.add(0, ms(r.start.cpu))
	}
	return []work{starts, rest}, nil
}
