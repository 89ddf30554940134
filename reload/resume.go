package reload

import (
	"context"
	"errors"
	"time"

	"confd/reload/control"
)

// RecordedTrial is a trial that has begun.
type RecordedTrial struct {
	Hash     string    `json:"hash"`     // of the set that is tried
	Told     time.Time `json:"told"`     // when BIRD was told
	Ends     time.Time `json:"ends"`     // when its time is over
	Deadline time.Time `json:"deadline"` // when BIRD goes back by itself
	// Stay are the sessions that must stay up, with BIRD's times for when each came
	// up; Return are those that must be up at the end.
	Stay   map[string]string `json:"stay,omitempty"`
	Return []string          `json:"return,omitempty"`
	// Reconfigured and Rebooted are BIRD's times for when it took the set, and was
	// started; zero: it has not said that it took it.
	Reconfigured time.Time `json:"reconfigured,omitzero"`
	Rebooted     time.Time `json:"rebooted,omitzero"`
}

func (t *trial) recorded(proof *observation) *RecordedTrial {
	r := &RecordedTrial{Hash: t.hash, Told: t.told, Ends: t.ends, Deadline: t.deadline, Stay: map[string]string{}, Return: t.back}
	for name, s := range t.stay {
		r.Stay[name] = s.Since
	}
	if proof != nil {
		r.Reconfigured, r.Rebooted = proof.status.LastReconfiguration, proof.status.LastReboot
	}
	return r
}

// Resume goes on with the trial that a record has, and that a process before this
// one began: where BIRD still uses the set it is OnTrial, and to be watched to its
// end with Trial (of the set from Record.OnDisk). Else nobody knows how the set did:
// the files from before are put back, BIRD is told to read them, and a
// *LapsedError comes back. A record without a trial is ErrNoTrial. An error of the
// control socket means to try again.
//
// Apply, Reconfigure and Boot do so too, where Resume has not been called; what
// lapses then is only logged.
func (a *Applier) Resume(ctx context.Context, r Record, d Daemon) (Result, error) {
	res, err := a.resume(ctx, r, d)
	return res, naming(r.Set, err)
}

func (a *Applier) resume(ctx context.Context, r Record, d Daemon) (Result, error) {
	s, err := r.setOf(d)
	if err != nil {
		return Result{}, err
	}
	mem := a.memory(s.Name)
	if err := a.takeUpTrial(ctx, s, mem); err != nil {
		return Result{}, err
	}
	if mem.phase != onTrial {
		return Result{}, ErrNoTrial
	}
	return mem.trialResult(Result{Hash: mem.trial.hash}), nil
}

// takeUp is takeUpTrial where it does not matter whether a trial has lapsed.
func (a *Applier) takeUp(ctx context.Context, s Set, mem *memory) error {
	err := a.takeUpTrial(ctx, s, mem)
	if lapsed := (*LapsedError)(nil); errors.As(err, &lapsed) && mem.takenUp {
		a.log.Warn("a trial from before this start is over", "set", s.Name, "error", lapsed)
		return nil
	}
	return err
}

// takeUpTrial learns, once, what a process before this one has left unfinished.
func (a *Applier) takeUpTrial(ctx context.Context, s Set, mem *memory) error {
	if mem.takenUp || s.Daemon == nil {
		return nil
	}
	r := a.recordOf(s, mem)
	if r.Before != nil && mem.back == nil {
		mem.back = a.backFromRecord(s, r)
	}
	if r.Trial == nil || s.socket() == "" {
		mem.takenUp = true
		return nil
	}
	old, generation, err := r.OnDisk()
	if err != nil || generation.Hash != r.Trial.Hash {
		a.log.Warn("a trial from before this start is over: its files are no longer on disk", "set", s.Name, "error", err)
		r.Trial = nil
		mem.takenUp = true
		return nil
	}
	old.Daemon = s.Daemon
	return a.continueTrial(ctx, old, mem, *r.Trial)
}

func (a *Applier) backFromRecord(s Set, r *Record) *backup {
	set := Set{Name: s.Name, Daemon: s.Daemon}
	before := known{phase: unsure}
	if old, err := r.Before.read(r); err == nil {
		before.generation = newGeneration(old)
	}
	return &backup{agreed: r.Before.Agreed, before: before, undo: func() error { return a.putBack(set, r) }}
}

// continueTrial takes up a trial of a set that is on disk.
func (a *Applier) continueTrial(ctx context.Context, s Set, mem *memory, r RecordedTrial) error {
	l := a.lookAtTrial(ctx, s.socket())
	away := errors.Is(l.err, control.ErrNotRunning)
	if l.err != nil && !away {
		return l.err
	}
	mem.takenUp = true
	mem.found(newGeneration(s))
	why := "BIRD ended"
	if !away {
		t, reason := r.resumed(l)
		if t != nil {
			proof := l.bird
			mem.tried(proof.status.Version, &proof, t)
			a.log.Info("a trial from before this start goes on", "set", s.Name, "hash", r.Hash, "ends", t.ends)
			return nil
		}
		why = reason
	}
	restored, err := a.takeBack(ctx, s, mem, away)
	if err == nil && !restored {
		mem.record.Trial = nil // the next trial of it is another one
	}
	return errors.Join(&LapsedError{Hash: r.Hash, Reason: why + " while confd was not running", Restored: restored}, err)
}

// resumed is a recorded trial as it goes on; nil where BIRD no longer uses the set,
// and why. BIRD's own times say how old what it uses is: the clock may have been
// set meanwhile.
func (r RecordedTrial) resumed(l look) (*trial, string) {
	status := l.bird.status
	age, known := status.ConfigAge()
	switch {
	case !known || r.Reconfigured.IsZero():
		return nil, "nobody knows what BIRD uses"
	case !near(status.LastReboot, r.Rebooted):
		return nil, "BIRD was restarted"
	case age >= r.Deadline.Sub(r.Told), !near(status.LastReconfiguration, r.Reconfigured):
		return nil, "BIRD went back by itself, or somebody else has had it use another configuration"
	}
	began := l.bird.from.Add(-age)
	t := &trial{
		hash: r.Hash, told: began, looked: began, ends: began.Add(r.Ends.Sub(r.Told)), deadline: began.Add(r.Deadline.Sub(r.Told)),
		stay: map[string]control.SessionState{}, back: r.Return,
	}
	for name, since := range r.Stay {
		t.stay[name] = control.SessionState{Name: name, Since: since}
	}
	return t, ""
}

// near says that two of BIRD's times are the same: those of later BIRDs waver.
func near(a, b time.Time) bool {
	d := a.Sub(b).Abs()
	if a.Year() == 0 && b.Year() == 0 { // times of the day
		d = min(d, 24*time.Hour-d)
	}
	return d <= proofSlack
}
