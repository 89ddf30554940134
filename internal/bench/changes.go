package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
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

// How changes are measured: as many of a kind as there is time for in a window, with
// idle windows before and after, so long that the program looks at BIRD in each.
const (
	window     = 10 * time.Second
	leastOfOne = 5 // changes of a kind, where that takes longer
	// passingWindow is longer: such changes take so little that one collection of memory
	// more or less counts.
	passingWindow = 20 * time.Second
	// passingPace is the time between changes that lead to no configuration, and
	// appliedPace that between those that do: the program spaces reloads by 1 s.
	passingPace = 500 * time.Millisecond
	appliedPace = 1500 * time.Millisecond
	// passedRest is how long a program is left alone after the former, before idling is
	// measured, and appliedRest after the latter: what it writes down is written, and
	// what memory it does not need it has given back, which takes it 10 s.
	passedRest  = 2 * time.Second
	appliedRest = 11 * time.Second
)

// changeCase is a change that is made again and again, each time a bit different.
type changeCase struct {
	name string
	// applied is set where it leads to another configuration.
	applied bool
	make    func(n int) error
}

// etcdChanges are changes of the mesh in etcd: those that have nothing to do with the
// node that is measured, and those that have.
func etcdChanges(etcd *etcdServer) []changeCase {
	put := func(objects ...testenv.Object) error { return etcd.put(testenv.EtcdKeys(objects)) }
	return []changeCase{
		{labelChange, false, func(n int) error {
			return put(testenv.DualNodeObjects(7, map[string]string{"x": strconv.Itoa(n)})[0])
		}},
		{"a BGPPeer of another node", false, func(n int) error { return put(testenv.ExplicitPeer(100+n, testenv.NodeName(7))) }},
		{"another node's block", false, func(n int) error { return put(testenv.Block(7, n)) }},
		{blockChange, true, func(n int) error { return put(testenv.Block(quietNode, ownBlocks+n)) }},
		{nodeChange, true, func(n int) error { return put(testenv.DualNodeObjects(changesNodes+n, nil)...) }},
	}
}

const (
	labelChange = "a label of another node"
	blockChange = "a block of this node"
	nodeChange  = "a node more"
	// ownBlocks is the number of the first block that is given to the node itself:
	// those before are for others.
	ownBlocks = 10_000
)

// measureChanges measures what changes cost programs that run and are at rest, and what
// a minute without any does. All of them see each change at the same time.
func measureChanges(runs int, daemons []*daemon, cases []changeCase) ([]work, error) {
	idling := make([][]spent, len(daemons)) // windows in which nothing changes
	idle := func() ([]spent, error) {
		list, err := spentBy(daemons, func() error { time.Sleep(window); return nil })
		for i, s := range list {
			idling[i] = append(idling[i], s)
		}
		return list, err
	}
	windows := make([][2][]changing, len(cases)) // by case, then daemon
	made := make([]int, len(cases))
	for range runs {
		before, err := idle()
		if err != nil {
			return nil, err
		}
		for k, c := range cases {
			first := made[k]
			busy, err := burst(daemons, c, &made[k])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			time.Sleep(c.rest())
			after, err := idle()
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "bench: %s: %d changes\n", c.name, made[k]-first)
			for i := range daemons {
				windows[k][i] = append(windows[k][i], changing{busy[i], before[i], after[i], made[k] - first})
			}
			before = after
		}
	}
	return worksOf(cases, windows, idling), nil
}

// worksOf is what each case cost each program, and a minute of idling.
func worksOf(cases []changeCase, windows [][2][]changing, idling [][]spent) []work {
	var list []work
	nothing := work{name: "a minute in which nothing changes", unit: "ms"}
	for k, c := range cases {
		w := work{name: c.name, unit: "ms"}
		for i, all := range idling {
			for _, each := range windows[k][i] {
				w.samples[i] = append(w.samples[i], each.each(wavering(all)))
			}
		}
		list = append(list, w)
	}
	for i, all := range idling {
		for _, s := range all {
			nothing.add(i, s.share()*ms(time.Minute))
		}
	}
	return append(list, nothing)
}

func (c changeCase) rest() time.Duration {
	if c.applied {
		return appliedRest
	}
	return passedRest
}

// spentBy is what programs take while f runs.
func spentBy(daemons []*daemon, f func() error) ([]spent, error) {
	before, err := cpuOf(daemons)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := f(); err != nil {
		return nil, err
	}
	after, err := cpuOf(daemons)
	var list []spent
	for i := range after {
		list = append(list, spent{after[i] - before[i], time.Since(began)})
	}
	return list, err
}

// cpuOf is the CPU time that programs have taken so far, without BIRD's checks.
func cpuOf(daemons []*daemon) ([]time.Duration, error) {
	var list []time.Duration
	for _, d := range daemons {
		own, _, err := cpuTime(d.confd.Process.Pid)
		if err != nil {
			return nil, err
		}
		list = append(list, own)
	}
	return list, nil
}

// burst makes changes for a window of time, and counts them in made. Each waits until
// what the one before led to is in place everywhere.
func burst(daemons []*daemon, c changeCase, made *int) ([]spent, error) {
	pace, span := passingPace, passingWindow
	if c.applied {
		pace, span = appliedPace, window
	}
	return spentBy(daemons, func() error {
		first := *made
		for end := time.Now().Add(span); time.Until(end) >= pace || *made-first < leastOfOne; *made++ {
			next := time.Now().Add(pace)
			versions := versionsOf(daemons)
			if err := c.make(*made); err != nil {
				return err
			}
			if c.applied {
				if err := await("the new bird.conf", func() bool { return allDiffer(versions, versionsOf(daemons)) }); err != nil {
					return err
				}
			}
			time.Sleep(time.Until(next))
			if !c.applied && !allSame(versions, versionsOf(daemons)) {
				return errors.New("bird.conf changed, though nothing in it is about the change")
			}
		}
		return nil
	})
}

func versionsOf(daemons []*daemon) (list []string) {
	for _, d := range daemons {
		list = append(list, d.version())
	}
	return list
}

func allDiffer(a, b []string) bool {
	for i := range a {
		if a[i] == b[i] {
			return false
		}
	}
	return true
}

func allSame(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
