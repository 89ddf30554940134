package main

import (
	"context"
	"maps"
	"slices"
	"time"

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
	out := d.heldBack(w)
	if len(out) == 0 {
		return nil
	}
	rest := *w
	rest.rest, rest.full, rest.quarantined, rest.state = true, nil, nil, w.state.Clone()
	for _, k := range out {
		old, _ := d.live.state.Get(k)
		rest.state.Apply(backends.Event{Key: k, Resource: old, Err: d.live.state.Invalid[k], Warnings: d.live.state.Warnings[k]})
	}
	// What waits since long ago is what is held.
	rest.times.event = time.Time{}
	rest.changed = slices.DeleteFunc(slices.Clone(w.changed), func(k backends.Key) bool { return slices.Contains(out, k) })
	var err error
	if rest.config, err = d.node.Compute(rest.state); err != nil {
		return err
	}
	if err := d.render(ctx, &rest, rest.state); err != nil {
		return err
	}
	if rest.hash == d.live.hash {
		return nil
	}
	err = d.put(ctx, &rest)
	if !refusal(err) {
		return err
	}
	reduced, err := d.withoutCulprits(ctx, &rest, err)
	if err != nil {
		return err
	}
	return d.put(ctx, reduced)
}

// heldBack are the objects that stay as they were: those that failed their
// trial, or all that changed and can have to do with sessions.
func (d *daemon) heldBack(w *wanted) []backends.Key {
	if d.failed != nil {
		return sortedKeys(maps.Keys(d.failed.objects))
	}
	return ofSessions(w.changed)
}

// ofSessions are the objects that can have to do with sessions: not those that
// only make routes come and go.
func ofSessions(keys []backends.Key) []backends.Key {
	routes := []backends.Kind{backends.KindService, backends.KindEndpointSlice, backends.KindBlockAffinity, backends.KindEndpointStatus}
	return slices.DeleteFunc(slices.Clone(keys), func(k backends.Key) bool { return slices.Contains(routes, k.Kind) })
}
