package main

import (
	"context"
	"errors"
	"maps"
	"time"

	"confd/backends"
	"confd/internal/quarantine"
	"confd/reload"
)

// searchLimit is how long the search for objects that BIRD refuses may take. The
// last good configuration stays meanwhile.
const searchLimit = time.Minute

// withoutCulprits finds the objects for which BIRD's check refuses w, and
// returns what is wanted without them, or refused where that does not help.
func (d *daemon) withoutCulprits(ctx context.Context, w *wanted, refused error) (*wanted, error) {
	try := func(ctx context.Context, without map[backends.Key]string) (quarantine.Attempt, error) {
		d.observer.turned()
		return d.attempt(ctx, w, without)
	}
	limited, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	found, err := quarantine.Find(limited, quarantine.Attempt{Config: w.config, Sets: w.sets}, refused,
		quarantine.Options{Try: try, Remembered: d.culprits.Unchanged(d.in.state)})
	if err != nil {
		return nil, err
	}
	d.culprits.Keep(d.in.state, found.Culprits)
	reduced := *w
	reduced.config, reduced.sets, reduced.quarantined = found.Attempt.Config, found.Attempt.Sets, found.Culprits
	reduced.hash, reduced.times.rendered = hashOf(reduced.sets), time.Now()
	return &reduced, nil
}

// attempt makes w without some objects, and has it checked.
func (d *daemon) attempt(ctx context.Context, w *wanted, without map[backends.Key]string) (quarantine.Attempt, error) {
	state := w.state.Without(without)
	cfg, err := d.node.Compute(state)
	if err != nil {
		return quarantine.Attempt{}, err
	}
	files, err := d.node.Render(ctx, cfg, state, w.version)
	if err != nil {
		return quarantine.Attempt{}, err
	}
	made := quarantine.Attempt{Config: cfg, Sets: d.node.Sets(files, d.birds)}
	var errs []error
	for i := range made.Sets {
		made.Sets[i].Mark = w.revision
		errs = append(errs, d.applier.Check(ctx, made.Sets[i]))
	}
	return made, errors.Join(errs...)
}

// reportQuarantine logs what is left out of what is live now, and what is back.
func (d *daemon) reportQuarantine(now map[backends.Key]string) {
	var was map[backends.Key]string
	if d.live != nil {
		was = d.live.quarantined
	}
	for _, k := range sortedKeys(maps.Keys(now)) {
		if was[k] != now[k] {
			d.log.Error("quarantined: BIRD refuses what comes of this object, so it is left out", "object", k.String(), "refusal", now[k])
		}
	}
	for _, k := range sortedKeys(maps.Keys(was)) {
		if _, still := now[k]; !still {
			d.log.Info("no longer quarantined: BIRD takes this object again, or it is gone", "object", k.String())
		}
	}
	if len(now) == 0 {
		d.culprits.Keep(d.in.state, nil)
	}
}

// refusal says whether err is BIRD's check refusing a set.
func refusal(err error) bool { return errors.As(err, new(*reload.CheckError)) }
