// Package reload brings rendered files to BIRD: it stages a set of files,
// checks it as a whole, swaps it in, tells BIRD over its control socket to read
// it, and puts the old set back where BIRD refuses. A set may be on trial first:
// it counts when sessions have stayed up. What BIRD has confirmed is proven by
// BIRD's own word, looked after (Verify), and recorded on disk for a start
// without anybody who renders (Record, Boot, Resume). BIRD's folder may be another
// user's, and what lies there hostile.
package reload

import (
	"context"
	"errors"
	"fmt"
)

// Applier installs sets and remembers what BIRD has confirmed. It is for one
// goroutine.
type Applier struct {
	*tools
	sets map[string]*keeper
}

// New makes an Applier.
func New(opts Options) *Applier {
	return &Applier{tools: newTools(opts.orDefault()), sets: map[string]*keeper{}}
}

// Apply installs a set where it differs from what is on disk, after a check of
// the set as a whole, and has BIRD read it. Whenever the process dies, BIRD
// finds the old set or the new one, where all files of the set are in one
// folder and no file is a mount point. A Dest that is a symbolic link of
// somebody else's is replaced, not followed. One process at a time may apply a
// set: see Lock.
//
// Its reload commands are not run: see Result.Commands.
//
// A set with a Guard comes back OnTrial: call Trial then, some times a second.
// While it is on trial Apply of another set is refused with ErrOnTrial. A trial
// that a process before this one began goes on: see Resume.
//
// Errors: *CheckError and ErrCannotCheck (nothing was changed); *RefusedError
// (the old files are back); control.ErrHung, ErrBusy, ErrWentAway (the files are
// in place, BIRD has not confirmed them); others name the file and the step.
// After an error Apply may be called again with the same set: it does what is
// left.
func (a *Applier) Apply(ctx context.Context, s Set) (Result, error) {
	res, err := a.keeper(s.Name).apply(ctx, s)
	return res, naming(s.Name, err)
}

// naming says of which set an error is, where it does not say so itself.
func naming(set string, err error) error {
	var failed *CheckError
	if err == nil || errors.As(err, &failed) {
		return err
	}
	return fmt.Errorf("set %s: %w", set, err)
}

// Reconfigure has BIRD read the set that is on disk again: after BIRD was
// restarted, or came up late, or was reconfigured by somebody else. A Guard
// means nothing here. Its errors are those of Apply.
func (a *Applier) Reconfigure(ctx context.Context, s Set) (Result, error) {
	res, err := a.keeper(s.Name).reconfigure(ctx, s)
	return res, naming(s.Name, err)
}

// Check stages a set and checks it as a whole. Nothing is installed, BIRD is not
// told. Its errors are those of Apply. When the very same set is applied within
// a minute it is not checked again.
func (a *Applier) Check(ctx context.Context, s Set) error {
	return naming(s.Name, a.checks.alone(ctx, a.disk, s))
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
	res, err := a.keeper(s.Name).watchTrial(ctx, s)
	return res, naming(s.Name, err)
}

// Ran tells what came of the reload commands of a set: err is that of RunCommands.
// Where they worked, a set without a control socket is Confirmed by it, and BIRD's
// word is taken again, as a command may have reconfigured it. Where they failed
// the next Apply of the set gives them again, and err comes back.
//
// Commands of a set that is no longer the one in place change nothing: the State
// is Unchanged.
func (a *Applier) Ran(ctx context.Context, s Set, err error) (Result, error) {
	res, err := a.keeper(s.Name).commandsRan(ctx, s, err)
	return res, naming(s.Name, err)
}

// Verify looks whether the set that was applied last is still on disk, and still
// what BIRD uses. It is cheap: files are read only where their metadata changed,
// and BIRD gets two seconds for one question. It repairs nothing: call Apply
// where files changed, and Reconfigure else. A set that was never applied, or
// whose Apply broke off half-way, has not drifted.
//
// Not noticed is a reconfiguration by somebody else within three seconds of
// ours, and, where BIRD prints times in a format of its own, any.
func (a *Applier) Verify(ctx context.Context, s Set) (Drift, error) {
	drift, err := a.keeper(s.Name).verify(ctx, s)
	return drift, naming(s.Name, err)
}

// Boot has BIRD use what lies on disk, for a start at which there is nobody to
// say what should: the files must be those of one of the record's generations
// (Result.Hash says which), and pass their check as a whole. d is the BIRD that
// reads them; its Main may be empty. There are no reload commands. Apply of a
// rendered set works as usual after that.
//
// The state is Confirmed, or Installed where BIRD is not up. Errors: one that
// names the first file that is not as recorded; *CheckError; those of the
// control socket, as from Apply; ErrOnTrial where a trial that a process before
// this one began goes on, see Resume. Files that cannot be checked, as there is no
// binary and BIRD is not up, are Installed and Unchecked: they were checked when
// they were written.
func (a *Applier) Boot(ctx context.Context, r Record, d Daemon) (Result, error) {
	res, err := a.keeper(r.Set).boot(ctx, r, d)
	return res, naming(r.Set, err)
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
	s, err := r.setOf(d)
	if err != nil {
		return Result{}, naming(r.Set, err)
	}
	k := a.keeper(s.Name)
	if err := k.takeUpTrial(ctx, s); err != nil {
		return Result{}, naming(s.Name, err)
	}
	if k.phase != onTrial {
		return Result{}, naming(s.Name, ErrNoTrial)
	}
	return k.trialResult(Result{Hash: k.trial.hash}), nil
}

func (a *Applier) keeper(set string) *keeper {
	k := a.sets[set]
	if k == nil {
		k = newKeeper(a.tools)
		a.sets[set] = k
	}
	return k
}
