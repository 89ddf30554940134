package reload

import (
	"context"
	"errors"
)

// boot has BIRD use what lies on disk.
func (k *keeper) boot(ctx context.Context, r Record, d Daemon) (Result, error) {
	s, err := r.setOf(d)
	if err != nil {
		return Result{}, err
	}
	if err := k.takeUp(ctx, s); err != nil {
		return Result{}, err
	}
	if k.phase == onTrial {
		return Result{}, ErrOnTrial
	}
	daemon := s.Daemon
	if s, _, err = k.of(s).OnDisk(); err != nil {
		return Result{}, err
	}
	s.Daemon = daemon
	k.found(newGeneration(s))
	res := Result{Hash: k.generation.Hash}
	err = k.checks.checkDaemon(ctx, s, &stage{}) // nothing is staged: the files are where they go
	switch {
	case err == nil:
		res.Checked = k.opts.Now()
	case errors.Is(err, ErrCannotCheck):
		k.log.Warn("running on files from before without another check", "set", s.Name, "error", err)
		res.Unchecked = true
	default:
		return res, err
	}
	return k.tell(ctx, s, res)
}

// commandsRan takes up what came of reload commands.
func (k *keeper) commandsRan(ctx context.Context, s Set, err error) (Result, error) {
	res := Result{Hash: s.Hash()}
	if k.generation.Hash != res.Hash || k.commands != commandsGiven {
		return res, err
	}
	if err != nil {
		k.commands = commandsFailed
		return res, err
	}
	k.commands = noCommands
	if s.socket() == "" {
		k.ran()
		return k.confirm(s, res), nil
	}
	if k.proof != nil {
		k.proof = nil // without an answer there is none
		if now, _, err := k.bird.look(ctx, s.socket()); err == nil {
			k.proof = &now
		}
	}
	switch k.phase {
	case confirmed:
		res.State = Confirmed
	case installed:
		res.State = Installed
	}
	return k.proven(res), nil
}
