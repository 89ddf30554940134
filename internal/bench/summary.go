package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"confd/internal/testenv"
)

// measureSummary prints, in one table, what changes, starts and single runs cost in
// large clusters, from those datastores whose clusters' names are asked for; beside
// another build where there is one. What was measured before something failed is printed
// too.
func measureSummary(w io.Writer, o options, etcd *etcdServer) error {
	var rows []work
	for _, part := range []struct {
		name    string
		measure func() ([]work, error)
	}{
		{"etcd, mesh of 5,000 dual stack", func() ([]work, error) { return changesFromEtcd(o, etcd) }},
		{"Typha, the same mesh", func() ([]work, error) { return startsFromTypha(o) }},
		{"Kubernetes, mesh of 5,000, 2,000 Services", func() ([]work, error) { return changesFromKubernetes(o) }},
	} {
		if !o.only.MatchString(part.name) {
			continue
		}
		list, err := part.measure()
		rows = append(rows, named(part.name, list)...)
		if err != nil {
			printWork(w, o, "what large clusters cost, as far as it was measured", rows)
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	printWork(w, o, fmt.Sprintf("what large clusters cost (medians of %d runs)", o.runs), rows)
	return nil
}

// changesFromKubernetes measures what changes of the cluster in Kubernetes cost, but for
// heartbeats.
func changesFromKubernetes(o options) (list []work, err error) {
	err = withKubernetes(o, func(k *kubeCluster, config string) error {
		list, err = k.compare(o, config, func(c benchCase) bool { return !strings.HasSuffix(c.name, heartbeats) })
		return err
	})
	return list, err
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
