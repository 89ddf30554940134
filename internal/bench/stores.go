package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"confd/internal/testenv"
)

// storesName names the cluster of measureStores.
const storesName = "mesh of 5,000 nodes, dual stack: 10,003 sessions"

// measureStores measures what Typha costs the program beside etcd, with the same
// cluster in both, by turns.
func measureStores(w io.Writer, o options, etcd *etcdServer) error {
	cluster := testenv.DualMesh(changesNodes)
	if err := etcd.replace(cluster.EtcdKeys()); err != nil {
		return err
	}
	typha, err := typhaStore(cluster.EtcdKeys())
	if err != nil {
		return err
	}
	defer typha.stop()
	c := benchCase{name: storesName, nodes: changesNodes, node: testenv.NodeName(quietNode)}
	stores := []store{typha, {name: "etcd", args: []string{"--datastore", "etcdv3", "--etcd-endpoints", etcd.url}}}
	oneShots, starts := work{name: "one-shot", unit: "ms"}, work{name: "start to the first configuration", unit: "ms"}
	most, rest := work{name: "memory, most of a start", unit: "MB"}, work{name: "memory at rest", unit: "MB"}
	for run := range o.runs {
		for i, s := range stores {
			fmt.Fprintf(os.Stderr, "bench: %s, from %s, run %d\n", storesName, s.name, run+1)
			u, err := oneShot(o, c, s)
			if err != nil {
				return err
			}
			oneShots.add(i, ms(u.cpu))
			var r result
			d, err := startDaemon(o, c, s, &r)
			if err == nil {
				err = d.memory(&most, &rest, i)
			}
			d.stop()
			if err != nil {
				return err
			}
			starts.add(i, ms(r.start.cpu))
		}
	}
	title := fmt.Sprintf("%s, Typha beside etcd (medians of %d runs)", storesName, o.runs)
	printBeside(w, title, []string{typha.name, stores[1].name, "ratio"}, []work{oneShots, starts, most, rest})
	return nil
}

// memory adds the most that a program has had, and what it has at rest.
func (d *daemon) memory(most, rest *work, i int) error {
	time.Sleep(restAfter)
	for _, m := range []struct {
		w     *work
		field string
	}{{most, "VmHWM:"}, {rest, "VmRSS:"}} {
		n, err := memoryOf(d.confd.Process.Pid, m.field)
		if err != nil {
			return err
		}
		m.w.add(i, float64(n)/1e6)
	}
	return nil
}
