package reload

import (
	"context"
)

// apply installs a set where it differs from what is on disk, and tells BIRD.
func (k *keeper) apply(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	generation := newGeneration(s)
	if err := k.takeUp(ctx, s); err != nil {
		return Result{}, err
	}
	targets, err := readTargets(s, k.wrote)
	if err != nil {
		return Result{}, err
	}
	res := Result{Hash: generation.Hash, Changed: changed(targets)}
	same := k.generation.Hash == res.Hash && len(res.Changed) == 0
	if same {
		k.generation.Mark = s.Mark
	}
	switch {
	case k.phase == onTrial && same:
		return k.trialResult(res), nil
	case k.phase == onTrial:
		return res, ErrOnTrial
	case k.phase == confirmed && same:
		res.Commands = k.giveAgain(s)
		return k.proven(res), nil
	case k.phase == installed && same:
		res.State, res.Commands = Installed, k.giveAgain(s)
		return res, nil
	case len(res.Changed) > 0:
		if err := k.install(ctx, s, targets, &res); err != nil {
			return res, err
		}
	default:
		k.found(generation)
	}
	return k.tell(ctx, s, res)
}

// reconfigure has BIRD read what is on disk.
func (k *keeper) reconfigure(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	if err := k.takeUp(ctx, s); err != nil {
		return Result{}, err
	}
	if k.phase == onTrial {
		return Result{}, ErrOnTrial
	}
	s.Guard = nil
	k.found(newGeneration(s))
	return k.tell(ctx, s, Result{Hash: k.generation.Hash})
}
