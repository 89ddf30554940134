package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"confd/internal/testenv"
)

// changesNodes is how many nodes the mesh has, dual stack, in which changes are
// measured: each has 10,003 sessions.
const changesNodes = 5000

// quietNode is the node that runs confd there. Its addresses come first, so that the
// others open the sessions: a BIRD that waits for 10,000 peers leaves the machine to
// what is measured.
const quietNode = 0

// work is something that a program does, and that costs it CPU or memory.
type work struct {
	name string
	// costs are what it cost the programs: the one that is measured, and where there
	// is one the other build.
	costs [2][]float64
	unit  string
}

// measureChanges measures what changes cost a running program, in a large mesh:
// those that have nothing to do with its node, and those that have. Where there is
// another build both run at the same time, and see the same changes.
func measureChanges(w io.Writer, o options, etcd *etcdServer) error {
	list, err := changesFromEtcd(o, etcd)
	if err != nil {
		return err
	}
	printWork(w, o, fmt.Sprintf("%s, from etcd (medians of %d runs)", changesName, o.runs), list)
	return nil
}

func changesFromEtcd(o options, etcd *etcdServer) ([]work, error) {
	cluster := testenv.DualMesh(changesNodes)
	if err := etcd.replace(cluster.EtcdKeys()); err != nil {
		return nil, err
	}
	s := store{name: "etcd", args: []string{"--datastore", "etcdv3", "--etcd-endpoints", etcd.url}}
	c := benchCase{name: changesName, nodes: changesNodes, node: testenv.NodeName(quietNode)}
	cases := []changeCase{
		{"a label of another node", func(run int) error {
			return etcd.put(testenv.EtcdKeys(testenv.DualNodeObjects(7, map[string]string{"x": strconv.Itoa(run)})[:1]))
		}},
		{"a BGPPeer of another node", func(run int) error {
			return etcd.put(testenv.EtcdKeys([]testenv.Object{testenv.ExplicitPeer(100+run, testenv.NodeName(7))}))
		}},
		{"another node's block", func(run int) error { return etcd.put(testenv.EtcdKeys([]testenv.Object{testenv.Block(7, run)})) }},
		{"a block of ours", func(run int) error {
			return etcd.put(testenv.EtcdKeys([]testenv.Object{testenv.Block(quietNode, 100+run)}))
		}},
		{"a node more", func(run int) error {
			return etcd.put(testenv.EtcdKeys(testenv.DualNodeObjects(changesNodes+run, nil)))
		}},
	}
	return compare(o, c, s, cases)
}

// idleName begins the name of what is measured while nothing changes.
const idleName = "nothing"

// changesName names the cluster of measureChanges.
const changesName = "changes in a mesh of 5,000 nodes, dual stack: 10,003 sessions"

// changeCase is a change that is made again and again, each time a bit different.
type changeCase struct {
	name string
	make func(run int) error
}

// programs are the program that is measured, and the other build where there is one.
func (o options) programs() []string {
	if o.against == "" {
		return []string{o.confd}
	}
	return []string{o.confd, o.against}
}

// compare measures one-shot runs, starts, changes, and the memory at rest before
// and after them.
func compare(o options, c benchCase, s store, cases []changeCase) ([]work, error) {
	oneShots, starts := work{name: "one-shot", unit: "ms"}, work{name: "start to the first configuration", unit: "ms"}
	memory, after := work{name: "memory at rest", unit: "MB"}, work{name: "memory at rest, after the changes", unit: "MB"}
	var daemons []*daemon
	for range o.runs { // by turns: what else the machine does concerns both
		for i, program := range o.programs() {
			each := o
			each.confd = program
			u, err := oneShot(each, c, s)
			if err != nil {
				return nil, err
			}
			oneShots.add(i, ms(u.cpu))
		}
	}
	for i, program := range o.programs() {
		each, r := o, result{}
		each.confd = program
		d, err := startDaemon(each, c, s, &r)
		defer d.stop()
		if err != nil {
			return nil, err
		}
		starts.add(i, ms(r.start.cpu))
		daemons = append(daemons, d)
	}
	if err := memory.addMemory(daemons); err != nil {
		return nil, err
	}
	list := []work{oneShots, starts, memory}
	nothing := changeCase{idleName + ", for as long as changes are watched (below, without this)", func(int) error { return nil }}
	for _, change := range append([]changeCase{nothing}, cases...) {
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", c.name, change.name)
		one := work{name: change.name, unit: "ms"}
		for run := range o.runs {
			if err := one.measure(daemons, func() error { return change.make(run) }); err != nil {
				return nil, fmt.Errorf("%s: %w", change.name, err)
			}
		}
		list = append(list, one)
	}
	for i := range list[4:] {
		list[4+i].less(list[3])
	}
	err := after.addMemory(daemons)
	return append(list, after), err
}

// less takes off what idle costs.
func (w *work) less(idle work) {
	for i, costs := range w.costs {
		for k := range costs {
			costs[k] = max(0.1, costs[k]-medianOf(idle.costs[i]))
		}
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func (w *work) add(program int, cost float64) { w.costs[program] = append(w.costs[program], cost) }

// changeWindow is how long the CPU time of a change is counted, from before it is
// made. What the programs do besides in that time (they look at BIRD's sessions every
// few seconds) is measured by itself.
const changeWindow = 4 * time.Second

// measure makes a change that all daemons see.
func (w *work) measure(daemons []*daemon, change func() error) error {
	var before []time.Duration
	for _, d := range daemons {
		cpu, _, err := d.settled()
		if err != nil {
			return err
		}
		before = append(before, cpu)
	}
	if err := change(); err != nil {
		return err
	}
	time.Sleep(changeWindow)
	for i, d := range daemons {
		cpu, _, err := d.settled()
		if err != nil {
			return err
		}
		w.add(i, ms(cpu-before[i]))
	}
	return nil
}

// restAfter is how long a program is left alone before its memory is looked at.
const restAfter = 15 * time.Second

func (w *work) addMemory(daemons []*daemon) error {
	time.Sleep(restAfter)
	for i, d := range daemons {
		n, err := memoryOf(d.confd.Process.Pid, "VmRSS:")
		if err != nil {
			return err
		}
		w.add(i, float64(n)/1e6)
	}
	return nil
}

// printWork prints what each work costs, and how much less than the other build.
func printWork(out io.Writer, o options, title string, list []work) {
	heads := []string{filepath.Base(o.confd)}
	if o.against != "" {
		heads = append(heads, filepath.Base(o.against), "ratio")
	}
	printBeside(out, title, heads, list)
}

// printBeside prints what each work costs one, and where there are more heads another,
// and their ratio.
func printBeside(out io.Writer, title string, heads []string, list []work) {
	heads = append([]string{"work"}, heads...)
	fmt.Fprintf(out, "\n%s:\n\n| %s |\n|%s\n", title, strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for _, w := range list {
		fmt.Fprintf(out, "| %s | %.1f %s |", w.name, medianOf(w.costs[0]), w.unit)
		switch {
		case len(heads) > 2 && len(w.costs[1]) == 0:
			fmt.Fprint(out, " - | |")
		case len(heads) > 2:
			fmt.Fprintf(out, " %.1f %s | %.2f (1/%.1f) |", medianOf(w.costs[1]), w.unit, medianOf(w.costs[0])/medianOf(w.costs[1]), medianOf(w.costs[1])/medianOf(w.costs[0]))
		}
		fmt.Fprintln(out)
	}
}

func medianOf(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}
