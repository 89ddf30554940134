package reload

import (
	"context"
	"errors"
	"strings"

	"confd/reload/control"
)

// UndoneError says that a trial has failed: BIRD was seen to lose what it must
// keep while it used the set. BIRD is back to what it used before.
type UndoneError struct {
	Hash     string   // of the set that was tried
	Sessions []string // those that did not stay up, or are not up again; empty where it was something else
	Reason   string   // in words
	// Restored says that the files from before are back on disk too. They are not
	// where nobody knows what BIRD agreed to before: a BIRD that starts reads the
	// set then.
	Restored bool
}

// Error is one line.
func (e *UndoneError) Error() string {
	text := "the configuration " + e.Hash + " was undone: " + e.Reason
	if len(e.Sessions) > 0 {
		text += ": " + strings.Join(e.Sessions, ", ")
	}
	return text + whereFilesAre(e.Restored)
}

// LapsedError says that a trial has ended without a verdict: nobody looked while
// BIRD used the set, or somebody else had BIRD use something else. Nothing speaks
// against the set: apply it again.
type LapsedError struct {
	Hash     string // of the set that was tried
	Reason   string // in words
	Restored bool   // the files from before are back on disk, and what BIRD uses, where it runs
}

// Error is one line.
func (e *LapsedError) Error() string {
	return "the trial of the configuration " + e.Hash + " ended without a verdict: " + e.Reason + whereFilesAre(e.Restored)
}

func whereFilesAre(restored bool) string {
	if restored {
		return ""
	}
	return " (its files are still on disk)"
}

// ErrNoTrial says that there was nothing that Trial could look at. Where Trial ended with
// another error before, the trial is over, and Apply goes on from there.
var ErrNoTrial = errors.New("no configuration is on trial")

// trialResult adds where the trial stands to a result.
func (k *known) trialResult(res Result) Result {
	res.State, res.TrialEnds = OnTrial, k.trial.ends
	return k.proven(res)
}

// prepareTrial notes how the sessions are that must stay up; nil where nothing
// could be learned from a trial.
func (a *Applier) prepareTrial(ctx context.Context, c *control.Client, s Set, hash string) (*trial, error) {
	g := s.Guard
	if g == nil || g.Within <= 0 || len(g.Stay)+len(g.Return) == 0 {
		return nil, nil
	}
	sessions, err := c.SessionsBrief(ctx)
	if err != nil {
		return nil, err
	}
	t := newTrial(hash, *g, a.opts.TrialMargin, sessions, a.opts.Now())
	if len(t.stay)+len(t.back) == 0 {
		return nil, nil
	}
	return t, nil
}

// begin puts a set on trial that BIRD has been told of. From that moment on it is,
// though BIRD may take its time to answer: err says why it has not confirmed.
func (a *Applier) begin(ctx context.Context, s Set, mem *memory, res Result, t told, err error) (Result, error) {
	switch {
	case err == nil:
		err = s.otherFile(t.reads)
	case ctx.Err() != nil:
		return res, err // whoever comes after us goes on
	case errors.Is(err, control.ErrHung), errors.Is(err, control.ErrBusy):
		a.log.Warn("BIRD was told of a set on trial, and has not taken it yet", "set", s.Name, "error", err)
		mem.tried(t.version, nil, t.trial)
		return mem.trialResult(res), nil
	}
	mem.tried(t.version, &t.proof, t.trial)
	switch {
	case errors.Is(err, control.ErrWentAway):
		return res, a.endTrial(ctx, s, mem, verdict{outcome: failed, reason: "BIRD ended when it was told", deaf: true})
	case err != nil:
		return res, errors.Join(a.endTrial(ctx, s, mem, verdict{outcome: lapsed, reason: "BIRD does not use it"}), err)
	}
	a.noteTrial(s, mem, t.trial, &t.proof)
	return mem.trialResult(res), nil
}

// Trial looks how a set on trial does: call it some two to four times a second
// while Apply's or Trial's State is OnTrial. It returns OnTrial, or Confirmed
// when the sessions have stayed up for the whole time and BIRD was told to keep
// the set; only then are there reload commands to be run.
//
// A session of Guard.Stay that goes down, even for a moment, ends the trial at
// once, and so does a BIRD that ends or is started again; one of Guard.Return that
// is not established ends it when its time is over. BIRD is then told to go back,
// the files that were there when it last agreed are put back and read again, and
// an *UndoneError says so. Apply may be called again with any set. A BIRD that does
// not answer stays on trial until it has gone back by itself; that is a failure
// where it was asked all the time. One that ends when it is told is a failure of
// Apply's already.
//
// Where Trial was not called until BIRD had gone back by itself, or where somebody
// else had BIRD use another configuration, nobody knows how the set did: a
// *LapsedError says so, and the files from before are back, too.
//
// Where the process ends in the middle, the next one goes on: see Resume.
func (a *Applier) Trial(ctx context.Context, s Set) (Result, error) {
	res, err := a.watchTrial(ctx, s)
	return res, naming(s.Name, err)
}

func (a *Applier) watchTrial(ctx context.Context, s Set) (Result, error) {
	mem := a.memory(s.Name)
	if mem.phase != onTrial {
		return Result{}, ErrNoTrial
	}
	s.Guard = nil
	res := Result{Hash: mem.trial.hash, State: Confirmed, Version: mem.version}
	l := a.lookAtTrial(ctx, s.socket())
	if mem.proof == nil && mem.trial.taken(l) {
		mem.proof = &l.bird
		a.noteTrial(s, mem, mem.trial, mem.proof)
	}
	v := mem.trial.judge(l, mem.proof)
	switch {
	case ctx.Err() != nil:
		return res, context.Cause(ctx)
	case v.outcome == failed, v.outcome == lapsed:
		return res, a.endTrial(ctx, s, mem, v)
	case v.outcome == passed:
		return a.passTrial(ctx, s, mem, res)
	}
	return mem.trialResult(res), nil
}

// lookAtTrial is one look at BIRD and its sessions.
func (a *Applier) lookAtTrial(ctx context.Context, socket string) look {
	ctx, cancel := a.within(ctx, lookTimeout)
	defer cancel()
	l := look{began: a.opts.Now()}
	c, err := control.Dial(ctx, socket)
	if err == nil {
		defer c.Close()
		l.bird, err = a.observe(ctx, c)
	}
	if err == nil {
		l.sessions, err = c.SessionsBrief(ctx)
	}
	l.ended, l.err = a.opts.Now(), err
	return l
}

// passTrial tells BIRD to stay.
func (a *Applier) passTrial(ctx context.Context, s Set, mem *memory, res Result) (Result, error) {
	waiting, err := a.tellToStay(ctx, s.socket())
	switch {
	case ctx.Err() != nil:
		return res, context.Cause(ctx)
	case err != nil:
		a.log.Debug("the set stays on trial", "set", s.Name, "error", err)
		return mem.trialResult(res), nil
	case waiting:
		mem.passed()
		return a.confirm(s, mem, res), nil
	case !a.opts.Now().Before(mem.trial.deadline):
		return res, a.endTrial(ctx, s, mem, mem.trial.tooLate(false))
	}
	// Somebody else has told it to stay.
	mem.ended()
	return a.tell(ctx, s, mem, res)
}

func (a *Applier) tellToStay(ctx context.Context, socket string) (waiting bool, err error) {
	ctx, cancel := a.within(ctx, lookTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return false, err
	}
	defer c.Close()
	return c.Confirm(ctx)
}

// endTrial takes a set back, after a verdict or without one.
func (a *Applier) endTrial(ctx context.Context, s Set, mem *memory, v verdict) error {
	if v.outcome == failed && !v.deaf {
		if err := a.goBack(ctx, s); err != nil {
			a.log.Warn("BIRD was not told to go back: it does so by itself", "set", s.Name, "error", err)
		}
	}
	hash := mem.trial.hash
	mem.ended()
	restored, err := a.takeBack(ctx, s, mem, v.deaf)
	if v.outcome == failed {
		return errors.Join(&UndoneError{Hash: hash, Sessions: v.sessions, Reason: v.reason, Restored: restored}, err)
	}
	return errors.Join(&LapsedError{Hash: hash, Reason: v.reason, Restored: restored}, err)
}

// takeBack puts the files from before back, where BIRD has agreed to them, and has
// BIRD read them: it uses what is on disk then, whatever it had gone back to. One
// that is deaf reads them when it starts.
func (a *Applier) takeBack(ctx context.Context, s Set, mem *memory, deaf bool) (restored bool, err error) {
	if mem.back == nil || !mem.back.agreed {
		return false, nil
	}
	if err := a.restore(s, mem); err != nil {
		return false, err
	}
	mem.restored()
	a.collect(s, mem)
	if deaf {
		mem.waits() // Verify says when it is there again
		return true, nil
	}
	told, err := a.tellDaemon(ctx, s, mem)
	switch {
	case err == nil:
		mem.agreed(told.version, &told.proof)
	case errors.Is(err, control.ErrNotRunning):
		mem.waits()
	}
	if err != nil {
		a.log.Warn("BIRD has not read the files from before again", "set", s.Name, "error", err)
	}
	return true, nil
}

func (a *Applier) goBack(ctx context.Context, s Set) error {
	ctx, cancel := a.within(ctx, a.opts.ReloadTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := c.Undo(ctx)
	a.log.Debug("BIRD was told to go back", "set", s.Name, "answer", answer)
	return err
}
