package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// work is something that a program does, and that costs it CPU or memory.
type work struct {
	name string
	unit string
	// samples are what it cost each of the programs that are measured.
	samples [2][]sample
}

func (w *work) add(program int, cost float64) {
	w.samples[program] = append(w.samples[program], sample{value: cost})
}

// The names of what is measured besides changes.
const (
	onceWork   = "`confd render`, once"
	startWork  = "start to the first configuration"
	mostWork   = "memory, most of a start"
	memoryWork = "memory at rest (resident)"
	afterWork  = "memory at rest, after the changes"
)

// contestant is a program, or a datastore that it reads, beside another.
type contestant struct {
	program string // path
	store   store
	within  []string // the command that runs others where this is measured; empty: here
}

// contestants are the program that is measured, and the other build where there is
// one, with the same datastore.
func (o options) contestants(s store) []contestant {
	list := []contestant{{program: o.confd, store: s}}
	if o.against != "" {
		list = append(list, contestant{program: o.against, store: s})
	}
	return list
}

// as has the contestant measured.
func (o options) as(c contestant) options {
	o.confd, o.within = c.program, c.within
	return o
}

// renderOnce measures one-shot runs, by turns: what else the machine does concerns all.
func renderOnce(o options, c benchCase, all []contestant) (work, error) {
	w := work{name: onceWork, unit: "ms"}
	for range o.runs {
		for i, each := range all {
			u, err := oneShot(o.as(each), c, each.store)
			if err != nil {
				return w, err
			}
			w.add(i, ms(u.cpu))
		}
	}
	return w, nil
}

// start starts the contestants by turns, each o.runs times, and measures their starts.
// Those of the last turn go on, until they are stopped.
func start(o options, c benchCase, all []contestant) (running []*daemon, w work, err error) {
	w = work{name: startWork, unit: "ms"}
	running = make([]*daemon, len(all))
	for run := range o.runs {
		for i, each := range all {
			fmt.Fprintf(os.Stderr, "bench: start %d of %s from %s\n", run+1, each.program, each.store.name)
			if running[i] != nil {
				running[i].stop()
			}
			var r result
			running[i], err = startDaemon(o.as(each), c, each.store, &r)
			if err != nil {
				return running, w, err
			}
			w.add(i, ms(r.start.cpu))
		}
	}
	return running, w, nil
}

func stopAll(daemons []*daemon) {
	for _, d := range daemons {
		if d != nil {
			d.stop()
		}
	}
}

// restAfter is how long a program is left alone before its memory is looked at, which
// grows and shrinks: so it is looked at memoryLooks times, memoryPause apart.
const (
	restAfter   = 12 * time.Second
	memoryLooks = 3
	memoryPause = 3 * time.Second
)

// memory is a size of programs, in MB, as the field of their status has it.
func memory(name, field string, daemons []*daemon) (work, error) {
	w := work{name: name, unit: "MB"}
	for look := range memoryLooks {
		if look > 0 {
			time.Sleep(memoryPause)
		}
		for i, d := range daemons {
			n, err := memoryOf(d.confd.Process.Pid, field)
			if err != nil {
				return w, err
			}
			w.add(i, float64(n)/1e6)
		}
	}
	return w, nil
}

const (
	residentField = "VmRSS:"
	mostField     = "VmHWM:"
)

// begin measures one-shot runs, and of starts the time, the memory that they take at most,
// and what is left of it. What it has started is at rest then, and to be stopped also
// where there is an error.
func begin(o options, c benchCase, all []contestant) ([]work, []*daemon, error) {
	once, err := renderOnce(o, c, all)
	if err != nil {
		return nil, nil, err
	}
	daemons, starts, err := start(o, c, all)
	if err != nil {
		return nil, daemons, err
	}
	time.Sleep(restAfter)
	most, err := memory(mostWork, mostField, daemons)
	if err != nil {
		return nil, daemons, err
	}
	rest, err := memory(memoryWork, residentField, daemons)
	return []work{once, starts, most, rest}, daemons, err
}

// contest measures one-shot runs, starts, changes, and the memory at rest before and
// after them.
func contest(o options, c benchCase, s store, cases []changeCase) ([]work, error) {
	list, daemons, err := begin(o, c, o.contestants(s))
	defer func() { stopAll(daemons) }()
	if err != nil {
		return nil, err
	}
	changes, err := measureChanges(o.runs, daemons, cases)
	if err != nil {
		return nil, err
	}
	after, err := memory(afterWork, residentField, daemons)
	return slices.Concat(list, changes, []work{after}), err
}
