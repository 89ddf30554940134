package main

import (
	"context"
	"slices"

	"confd/backends"
)

// putRest has BIRD use what is left of w when the change in it that is held is
// taken out: a route that is withdrawn must not wait until somebody approves
// something else. The objects that are held stay as they were when what is live
// was made.
func (d *daemon) putRest(ctx context.Context, w *wanted) error {
	if d.live == nil || d.stale || w.rest {
		return nil
	}
	rest := *w
	rest.rest, rest.full, rest.quarantined = true, nil, nil
	for _, k := range d.heldBack(w) {
		old, _ := d.live.state.Get(k)
		rest.state.Apply(backends.Event{Key: k, Resource: old, Err: d.live.state.Invalid[k]})
	}
	var err error
	if rest.config, err = d.node.compute(rest.state); err != nil {
		return err
	}
	if err := d.render(ctx, &rest, rest.state); err != nil {
		return err
	}
	if rest.hash == d.live.hash {
		return nil
	}
	return d.put(ctx, &rest)
}

// heldBack are the objects that stay as they were: those that failed their
// trial, or all that changed and can have to do with sessions.
func (d *daemon) heldBack(w *wanted) []backends.Key {
	if d.failed != nil {
		var keys []backends.Key
		for k := range d.failed {
			keys = append(keys, k)
		}
		return keys
	}
	routes := []backends.Kind{backends.KindService, backends.KindEndpointSlice, backends.KindBlockAffinity, backends.KindEndpointStatus}
	return slices.DeleteFunc(slices.Clone(w.changed), func(k backends.Key) bool { return slices.Contains(routes, k.Kind) })
}
