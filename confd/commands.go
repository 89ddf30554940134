package main

import (
	"context"
	"time"

	"confd/reload"
)

// applier is an Applier that runs the reload commands at once.
type applier struct {
	*reload.Applier
	limit time.Duration // for each command
}

// Apply is that of reload.Applier, and runs the reload commands.
func (a *applier) Apply(ctx context.Context, s reload.Set) (reload.Result, error) {
	r, err := a.Applier.Apply(ctx, s)
	return a.run(ctx, s, r, err)
}

// Reconfigure is that of reload.Applier, and runs the reload commands.
func (a *applier) Reconfigure(ctx context.Context, s reload.Set) (reload.Result, error) {
	r, err := a.Applier.Reconfigure(ctx, s)
	return a.run(ctx, s, r, err)
}

// Trial is that of reload.Applier, and runs the reload commands.
func (a *applier) Trial(ctx context.Context, s reload.Set) (reload.Result, error) {
	r, err := a.Applier.Trial(ctx, s)
	return a.run(ctx, s, r, err)
}

func (a *applier) run(ctx context.Context, s reload.Set, r reload.Result, err error) (reload.Result, error) {
	if err != nil || len(r.Commands) == 0 {
		return r, err
	}
	done, err := a.Ran(ctx, s, reload.RunCommands(ctx, r.Commands, a.limit))
	if err != nil {
		return r, err
	}
	r.State, r.Reconfigured, r.Rebooted = done.State, done.Reconfigured, done.Rebooted
	if !done.Confirmed.IsZero() {
		r.Confirmed = done.Confirmed
	}
	return r, nil
}
