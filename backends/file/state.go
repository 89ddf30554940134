package file

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"confd/backends"
)

// assembly makes one state of the entries of all files. Kubernetes' Nodes are
// apart, as they have the keys of Calico's.
type assembly struct{ own, nodes placedEvents }

// placedEvents are events, and where they come from.
type placedEvents struct {
	events map[backends.Key]backends.Event
	where  map[backends.Key]piecePlace
}

func newPlacedEvents() placedEvents {
	return placedEvents{map[backends.Key]backends.Event{}, map[backends.Key]piecePlace{}}
}

func newAssembly() *assembly { return &assembly{newPlacedEvents(), newPlacedEvents()} }

// add adds an entry; of two that are one object the later one counts.
func (a *assembly) add(e *entry) {
	event, matters := e.result()
	if !matters {
		return
	}
	in := a.own
	if e.core && event.Key.Kind == backends.KindNode {
		in = a.nodes
	}
	if other, twice := in.where[event.Key]; twice && !sameObject(in.events[event.Key], event) {
		event.Warnings = append(event.Warnings, e.twice(other))
	}
	in.events[event.Key], in.where[event.Key] = event, e.piecePlace
}

// sameObject says whether two events say the same of an object: backups and
// dumps have many of their objects twice.
func sameObject(a, b backends.Event) bool {
	return a.Err == nil && b.Err == nil && reflect.DeepEqual(a.Resource, b.Resource)
}

// twice is what there is to say where other was there before.
func (p piecePlace) twice(other piecePlace) backends.Warning {
	first := said{}.placed(other).Place
	return said{Warning: backends.Warning{Code: backends.ObjectTwice, Text: fmt.Sprintf("is there twice, first in %s; the later one counts", first)}}.placed(p)
}

// finish returns the state.
func (a *assembly) finish() map[backends.Key]backends.Event {
	for key, core := range a.nodes.events {
		if own, both := a.own.events[key]; both {
			core = mergedNode(own, core)
		}
		a.own.events[key] = core
	}
	return a.own.events
}

// mergedNode is Calico's Node with what the Kubernetes Node of that name adds:
// labels, nets of pods, and what Calico's does not say.
func mergedNode(own, core backends.Event) backends.Event {
	own.Warnings = append(own.Warnings[:len(own.Warnings):len(own.Warnings)], core.Warnings...)
	calico, isNode := own.Resource.(*backends.Node)
	kubernetes, isCore := core.Resource.(*backends.Node)
	switch {
	case !isCore:
		own.Err = cmp.Or(own.Err, core.Err)
		return own
	case !isNode:
		own.Resource = kubernetes
		return own
	}
	own.Resource = calico.With(kubernetes)
	return own
}

// kept are the entries of a file that were there before and cannot be found now,
// while a part of it cannot be read: that part may well have them.
func kept(before, now []entry) []entry {
	if !slices.ContainsFunc(now, func(e entry) bool { return e.err != nil }) {
		return nil
	}
	found := map[backends.Key]bool{}
	for _, e := range now {
		if e.event != nil {
			found[e.event.Key] = true
		}
	}
	var all []entry
	for _, e := range before {
		if e.event != nil && e.event.Resource != nil && !found[e.event.Key] {
			all = append(all, e)
		}
	}
	return all
}

// tellKept has the errors of a file say that some of its objects stay.
func tellKept(entries []entry, count int) {
	for i := range entries {
		if s := entries[i].err; s != nil {
			more := *s
			more.Text += fmt.Sprintf(" (what was read of this file before, and cannot be found now, stays: %d objects)", count)
			entries[i].err = &more
		}
	}
}
