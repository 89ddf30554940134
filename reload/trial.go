package reload

import (
	"context"
	"errors"

	"confd/reload/control"
)

// tell has BIRD read what is on disk. Where BIRD refuses, the files go back to
// what they were when it last agreed. What is known of the set is unsure before,
// and after every error but a refusal.
func (k *keeper) tell(ctx context.Context, s Set, res Result) (Result, error) {
	if s.socket() == "" { // the commands tell BIRD, where there are any
		k.waits()
		if res.State, res.Commands = Installed, k.give(s); len(res.Commands) > 0 {
			return res, nil
		}
		k.ran()
		return k.confirm(s, res), nil
	}
	told, err := k.bird.tell(ctx, s, k.generation.Hash, func(t *trial) {
		k.noteTrial(s, t.recorded(nil)) // from now on, whoever comes after us must know
	})
	res.Version = told.version
	var refused *control.RefusedError
	switch {
	case errors.As(err, &refused):
		e := &RefusedError{Position: refused.Position}
		e.File = s.dest(e.File)
		return res, k.undo(s, e)
	case told.trial != nil && told.sent:
		return k.begin(ctx, s, res, told, err)
	case errors.Is(err, control.ErrNotRunning):
		k.noteNoTrial(s)
		k.log.Info("BIRD is not up: it will read the set when it starts", "set", s.Name, "error", err)
		k.waits()
		res.State, res.Commands = Installed, k.give(s)
		return res, nil
	case err != nil:
		return res, err
	}
	if err := s.otherFile(told.reads); err != nil {
		return res, err
	}
	k.agreed(told.version, &told.proof)
	return k.confirm(s, res), nil
}

// begin puts a set on trial that BIRD has been told of. From that moment on it is,
// though BIRD may take its time to answer: err says why it has not confirmed.
func (k *keeper) begin(ctx context.Context, s Set, res Result, t told, err error) (Result, error) {
	switch {
	case err == nil:
		err = s.otherFile(t.reads)
	case ctx.Err() != nil:
		return res, err // whoever comes after us goes on
	case errors.Is(err, control.ErrHung), errors.Is(err, control.ErrBusy):
		k.log.Warn("BIRD was told of a set on trial, and has not taken it yet", "set", s.Name, "error", err)
		k.tried(t.version, nil, t.trial)
		return k.trialResult(res), nil
	}
	k.tried(t.version, &t.proof, t.trial)
	switch {
	case errors.Is(err, control.ErrWentAway):
		return res, k.endTrial(ctx, s, verdict{outcome: failed, reason: "BIRD ended when it was told", deaf: true})
	case err != nil:
		return res, errors.Join(k.endTrial(ctx, s, verdict{outcome: lapsed, reason: "BIRD does not use it"}), err)
	}
	k.noteTrial(s, t.trial.recorded(&t.proof))
	return k.trialResult(res), nil
}

// watchTrial looks at a trial, and does what comes of it.
func (k *keeper) watchTrial(ctx context.Context, s Set) (Result, error) {
	if k.phase != onTrial {
		return Result{}, ErrNoTrial
	}
	s.Guard = nil
	res := Result{Hash: k.trial.hash, State: Confirmed, Version: k.version}
	l := k.bird.lookAtTrial(ctx, s.socket())
	if k.proof == nil && k.trial.taken(l) {
		k.proof = &l.bird
		k.noteTrial(s, k.trial.recorded(k.proof))
	}
	v := k.trial.judge(l, k.proof)
	switch {
	case ctx.Err() != nil:
		return res, context.Cause(ctx)
	case v.outcome == failed, v.outcome == lapsed:
		return res, k.endTrial(ctx, s, v)
	case v.outcome == passed:
		return k.passTrial(ctx, s, res)
	}
	return k.trialResult(res), nil
}

// passTrial tells BIRD to stay.
func (k *keeper) passTrial(ctx context.Context, s Set, res Result) (Result, error) {
	waiting, err := k.bird.tellToStay(ctx, s.socket())
	switch {
	case ctx.Err() != nil:
		return res, context.Cause(ctx)
	case err != nil:
		k.log.Debug("the set stays on trial", "set", s.Name, "error", err)
		return k.trialResult(res), nil
	case waiting:
		k.passed()
		return k.confirm(s, res), nil
	case !k.opts.Now().Before(k.trial.deadline):
		return res, k.endTrial(ctx, s, k.trial.tooLate(false))
	}
	// Somebody else has told it to stay.
	k.ended()
	return k.tell(ctx, s, res)
}

// endTrial takes a set back, after a verdict or without one.
func (k *keeper) endTrial(ctx context.Context, s Set, v verdict) error {
	if v.stays {
		if _, err := k.bird.tellToStay(ctx, s.socket()); err != nil {
			k.log.Warn("BIRD was not told to stay", "set", s.Name, "error", err)
		}
	}
	if v.outcome == failed && !v.deaf {
		if err := k.bird.goBack(ctx, s); err != nil {
			k.log.Warn("BIRD was not told to go back: it does so by itself", "set", s.Name, "error", err)
		}
	}
	hash := k.trial.hash
	k.ended()
	restored, err := k.takeBack(ctx, s, v.deaf)
	if v.outcome == failed {
		return errors.Join(&UndoneError{Hash: hash, Sessions: v.sessions, Reason: v.reason, Restored: restored}, err)
	}
	return errors.Join(&LapsedError{Hash: hash, Reason: v.reason, Restored: restored}, err)
}

// takeBack puts the files from before back, where BIRD has agreed to them, and has
// BIRD read them: it uses what is on disk then, whatever it had gone back to. One
// that is deaf reads them when it starts.
func (k *keeper) takeBack(ctx context.Context, s Set, deaf bool) (restored bool, err error) {
	if k.back == nil || !k.back.agreed {
		return false, nil
	}
	if err := k.restore(s); err != nil {
		return false, err
	}
	k.restored()
	k.collect(s)
	s.Guard = nil
	if deaf {
		k.waits() // Verify says when it is there again
		return true, nil
	}
	told, err := k.bird.tell(ctx, s, "", nil)
	switch {
	case err == nil:
		k.agreed(told.version, &told.proof)
	case errors.Is(err, control.ErrNotRunning):
		k.waits()
	}
	if err != nil {
		k.log.Warn("BIRD has not read the files from before again", "set", s.Name, "error", err)
	}
	return true, nil
}
