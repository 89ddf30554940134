package reload

import (
	"context"
	"errors"

	"confd/reload/control"
)

// takeUp is takeUpTrial where it does not matter whether a trial has lapsed.
func (k *keeper) takeUp(ctx context.Context, s Set) error {
	err := k.takeUpTrial(ctx, s)
	if lapsed := (*LapsedError)(nil); errors.As(err, &lapsed) && k.takenUp {
		k.log.Warn("a trial from before this start is over", "set", s.Name, "error", lapsed)
		return nil
	}
	return err
}

// takeUpTrial learns, once, what a process before this one has left unfinished.
func (k *keeper) takeUpTrial(ctx context.Context, s Set) error {
	if k.takenUp || s.Daemon == nil {
		return nil
	}
	r := k.of(s)
	if r.Before != nil && k.back == nil {
		var err error
		if k.back, err = k.disk.wayBack(s, r); err != nil { // the next set leads back to what lies on disk now
			k.log.Warn("what lay on disk when BIRD last agreed cannot be put back any more", "set", s.Name, "error", err)
		}
	}
	if r.Trial == nil || s.socket() == "" {
		k.takenUp = true
		return nil
	}
	old, generation, err := r.OnDisk()
	if err != nil || generation.Hash != r.Trial.Hash {
		k.log.Warn("a trial from before this start is over: its files are no longer on disk", "set", s.Name, "error", err)
		k.noteNoTrial(s)
		k.takenUp = true
		return nil
	}
	old.Daemon = s.Daemon
	return k.continueTrial(ctx, old, *r.Trial)
}

// continueTrial takes up a trial of a set that is on disk.
func (k *keeper) continueTrial(ctx context.Context, s Set, r RecordedTrial) error {
	l := k.bird.lookAtTrial(ctx, s.socket())
	away := errors.Is(l.err, control.ErrNotRunning)
	if l.err != nil && !away {
		return l.err
	}
	k.takenUp = true
	k.found(newGeneration(s))
	why := "BIRD ended"
	if !away {
		t, reason := r.resumed(l)
		if t != nil {
			proof := l.bird
			k.tried(proof.status.Version, &proof, t)
			k.log.Info("a trial from before this start goes on", "set", s.Name, "hash", r.Hash, "ends", t.ends)
			return nil
		}
		why = reason
	}
	restored, err := k.takeBack(ctx, s, away)
	if err == nil && !restored {
		k.noteNoTrial(s) // the next trial of it is another one
	}
	return errors.Join(&LapsedError{Hash: r.Hash, Reason: why + " while confd was not running", Restored: restored}, err)
}
