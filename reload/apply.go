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
	"log/slog"
	"time"
)

// What can keep a set from being applied, besides a *CheckError, a
// *RefusedError, and what is wrong with the control socket.
var (
	// ErrCannotCheck: there is no way to check a set now: no binary to do it
	// with, and no BIRD that answers. A set that is installed already stays; try
	// again when BIRD is up.
	ErrCannotCheck = errors.New("cannot check the configuration")
	// ErrOtherFile: BIRD was started with another file than the set's, so that it
	// uses that one.
	ErrOtherFile = errors.New("BIRD does not use what was written")
	// ErrOnTrial: the set before is still on trial. Call Trial until it is over.
	ErrOnTrial = errors.New("another configuration is on trial")
)

// Options are the settings of an Applier. Zero values stand for the defaults.
type Options struct {
	Logger        *slog.Logger  // default: nothing is logged
	CheckTimeout  time.Duration // for each check; default 30 s
	ReloadTimeout time.Duration // for BIRD to take a set; default 30 s
	// TrialMargin is how much later than the end of a trial BIRD goes back by
	// itself: the time there is for Trial to confirm. Default 15 s.
	TrialMargin time.Duration
	// Now is the clock of trials, of Result and of Record; default time.Now. How
	// long BIRD may take to answer is real time.
	Now func() time.Time
}

// Applier installs sets and remembers what BIRD has confirmed. It is for one
// goroutine.
type Applier struct {
	opts   Options
	log    *slog.Logger
	sets   map[string]*memory
	within func(context.Context, time.Duration) (context.Context, context.CancelFunc)
}

// memory is what an Applier remembers of a set.
type memory struct {
	known
	record  *Record
	takenUp bool                   // what the process before knew, is
	prints  map[string]fingerprint // of files that were as they should be
	checked passedCheck
}

// New makes an Applier.
func New(opts Options) *Applier {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.CheckTimeout <= 0 {
		opts.CheckTimeout = 30 * time.Second
	}
	if opts.ReloadTimeout <= 0 {
		opts.ReloadTimeout = 30 * time.Second
	}
	if opts.TrialMargin <= 0 {
		opts.TrialMargin = 15 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Applier{opts: opts, log: opts.Logger, sets: map[string]*memory{}, within: context.WithTimeout}
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
	res, err := a.apply(ctx, s)
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

func (a *Applier) apply(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	mem, generation := a.memory(s.Name), newGeneration(s)
	if err := a.takeUp(ctx, s, mem); err != nil {
		return Result{}, err
	}
	targets, err := readTargets(s)
	if err != nil {
		return Result{}, err
	}
	res := Result{Hash: generation.Hash, Changed: changed(targets)}
	same := mem.generation.Hash == res.Hash && len(res.Changed) == 0
	if same {
		mem.generation.Mark = s.Mark
	}
	switch {
	case mem.phase == onTrial && same:
		return mem.trialResult(res), nil
	case mem.phase == onTrial:
		return res, ErrOnTrial
	case mem.phase == confirmed && same:
		res.Commands = mem.giveAgain(s)
		return mem.proven(res), nil
	case mem.phase == installed && same:
		res.State, res.Commands = Installed, mem.giveAgain(s)
		return res, nil
	case len(res.Changed) > 0:
		if err := a.install(ctx, s, targets, mem, &res); err != nil {
			return res, err
		}
	default:
		mem.found(generation)
	}
	return a.tell(ctx, s, mem, res)
}

// Reconfigure has BIRD read the set that is on disk again: after BIRD was
// restarted, or came up late, or was reconfigured by somebody else. A Guard
// means nothing here. Its errors are those of Apply.
func (a *Applier) Reconfigure(ctx context.Context, s Set) (Result, error) {
	res, err := a.reconfigure(ctx, s)
	return res, naming(s.Name, err)
}

func (a *Applier) reconfigure(ctx context.Context, s Set) (Result, error) {
	if err := s.validate(); err != nil {
		return Result{}, err
	}
	mem := a.memory(s.Name)
	if err := a.takeUp(ctx, s, mem); err != nil {
		return Result{}, err
	}
	if mem.phase == onTrial {
		return Result{}, ErrOnTrial
	}
	s.Guard = nil
	mem.found(newGeneration(s))
	return a.tell(ctx, s, mem, Result{Hash: mem.generation.Hash})
}

func (a *Applier) memory(name string) *memory {
	mem := a.sets[name]
	if mem == nil {
		mem = &memory{}
		a.sets[name] = mem
	}
	return mem
}

// install stages, checks and swaps.
func (a *Applier) install(ctx context.Context, s Set, targets []*target, mem *memory, res *Result) error {
	st, err := a.stage(s, targets)
	if err != nil {
		return err
	}
	keep := s.KeepStage
	defer func() { st.close(keep) }()
	res.Staged = a.opts.Now()
	if err := a.checked(ctx, s, st, targets, res); err != nil {
		return err
	}
	if s.KeepStage { // the swap uses a staging folder up
		a.log.Info("the staged files are kept", "set", s.Name, "folder", st.dirs[0].dir.Path())
		st.close(true)
		keep = false
		if st, err = a.stage(s, targets); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return a.replace(s, st, targets, mem, res)
}

// replace swaps a staged set that has passed its check, where it could be checked.
func (a *Applier) replace(s Set, st *stage, targets []*target, mem *memory, res *Result) error {
	generation := newGeneration(s)
	agreed := a.agreedOnDisk(s, mem)
	if !res.Unchecked {
		if err := a.noteChecked(s, mem, generation, targets, agreed, res.Checked); err != nil {
			return err
		}
	}
	back, err := a.swap(s, st)
	mem.prints = nil
	if err != nil {
		a.noteGone(s, mem, generation.Hash)
		return err
	}
	back.agreed = agreed
	res.Swapped = a.opts.Now()
	mem.swapped(generation, back)
	a.collect(s, mem)
	return nil
}

// checked checks the staged set. Where that is not possible it is an error
// unless nothing is installed yet, when any set is better than none.
func (a *Applier) checked(ctx context.Context, s Set, st *stage, targets []*target, res *Result) error {
	if a.passedBefore(ctx, s) {
		res.Checked = a.opts.Now()
		return nil
	}
	err := a.check(ctx, s, st)
	if err == nil {
		res.Checked = a.opts.Now()
		return nil
	}
	if !errors.Is(err, ErrCannotCheck) || targets[0].was != nil {
		return err
	}
	a.log.Warn("installing a first set without a check", "set", s.Name, "error", err)
	res.Unchecked = true
	return nil
}
