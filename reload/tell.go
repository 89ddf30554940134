package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"confd/reload/control"
)

// How often BIRD is asked whether a reconfiguration is through, and how much
// older than the command its configuration may look: BIRD 1 counts seconds,
// and not precisely.
const (
	statusPoll = 50 * time.Millisecond
	ageSlack   = 2 * time.Second
	// oldPatience is how long a BIRD that is not reconfiguring may show an old
	// configuration.
	oldPatience = time.Second
)

// bird3Settles is how long a BIRD 3 that has just started is left alone: 3.1.8
// dies of a reconfiguration that changes a kernel protocol's export filter
// within its first second.
const bird3Settles = 2 * time.Second

// tell has BIRD read what is on disk. Where BIRD refuses, the files go back to what they were when it last agreed.
func (a *Applier) tell(ctx context.Context, s Set, mem *memory, res Result) (Result, error) {
	before := mem.proof
	mem.confirmed, mem.waits, mem.unsure, mem.proof = false, false, true, nil
	res.State = Confirmed
	if s.socket() != "" {
		told, err := a.tellDaemon(ctx, s)
		res.Version = told.version
		var refused *control.RefusedError
		switch {
		case errors.As(err, &refused):
			mem.proof = before // it goes on with what it had
			e := &RefusedError{Position: refused.Position}
			e.File = s.dest(e.File)
			return res, a.undo(s, mem, e)
		case errors.Is(err, control.ErrNotRunning):
			a.log.Info("BIRD is not up: it will read the set when it starts", "set", s.Name, "error", err)
			res.State = Installed
		case err != nil:
			return res, err
		default:
			if err := s.otherFile(told.reads); err != nil {
				mem.unsure = true
				return res, err
			}
			mem.version, mem.proof, mem.trial = told.version, &told.proof, told.trial
		}
		if mem.trial != nil {
			mem.trial.hash, mem.unsure = res.Hash, false
			return mem.onTrial(res), nil
		}
	}
	return a.settle(s, mem, res), nil
}

// otherFile says that BIRD has read another file than the set's. A path that is
// relative, or not there for us, says nothing: it may be ours under another name,
// in a container for instance.
func (s Set) otherFile(path string) error {
	if !filepath.IsAbs(path) || path == s.Daemon.Main {
		return nil
	}
	ours, err := os.ReadFile(s.Daemon.Main)
	theirs, err2 := os.ReadFile(path)
	if err != nil || err2 != nil || bytes.Equal(ours, theirs) {
		return nil
	}
	return fmt.Errorf("%w: it reads %s, and %s was written: start it with -c %s, or set the folder", ErrOtherFile, path, s.Daemon.Main, s.Daemon.Main)
}

// settle remembers what has been reached. Without a control socket the commands
// are what tells BIRD, where there are any.
func (a *Applier) settle(s Set, mem *memory, res Result) Result {
	res.Commands = mem.give(s)
	mem.unsure, mem.waits = false, res.State == Installed
	if s.socket() == "" && len(res.Commands) > 0 {
		res.State = Installed
		return res
	}
	return a.confirmed(s, mem, res)
}

// confirmed remembers that a set is in use, where it is.
func (a *Applier) confirmed(s Set, mem *memory, res Result) Result {
	if res.State != Confirmed {
		return res
	}
	res.Confirmed = a.opts.Now()
	mem.confirmed, mem.waits, mem.version, mem.backup = true, false, res.Version, nil
	a.collect(s, mem)
	a.noteConfirmed(s, mem, res.Confirmed, res.Version)
	return mem.proven(res)
}

// renewProof takes BIRD's word again; without an answer there is none.
func (a *Applier) renewProof(ctx context.Context, s Set, mem *memory) {
	mem.proof = nil
	if now, _, err := look(ctx, s.socket()); err == nil {
		mem.proof = &now
	}
}

// dest is the file of the set that BIRD means by a path that is relative, as in
// "bird -c bird.conf".
func (s Set) dest(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	for _, f := range s.Files {
		if strings.HasSuffix(f.Dest, "/"+filepath.Clean(path)) {
			return f.Dest
		}
	}
	return path
}

// undo puts the old files back.
func (a *Applier) undo(s Set, mem *memory, refused *RefusedError) error {
	if mem.backup == nil {
		mem.unsure = false
		return refused
	}
	if err := a.restore(s, mem); err != nil {
		return errors.Join(refused, err)
	}
	mem.unsure = false
	refused.Undone = true
	a.log.Warn("BIRD refused a set that had passed its check: the old files are back", "set", s.Name, "error", refused)
	return refused
}

// restore puts back what was on disk when BIRD last agreed.
func (a *Applier) restore(s Set, mem *memory) error {
	err := mem.backup.undo()
	mem.prints = nil
	if err != nil {
		return fmt.Errorf("putting the old files back: %w", advise(err))
	}
	mem.backup = nil
	a.collect(s, mem)
	a.noteGone(s, mem, mem.generation.Hash)
	return nil
}

// told is what came of telling BIRD.
type told struct {
	version string
	reads   string // the file that BIRD read, as it names it
	proof   observation
	trial   *trial // nil: BIRD does not wait for a word
}

// tellDaemon sends "configure" and waits until BIRD uses what it has read. A set
// with a guard is on trial then.
func (a *Applier) tellDaemon(ctx context.Context, s Set) (told, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.ReloadTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err != nil {
		return told{}, err
	}
	defer c.Close()
	t := told{version: c.Version()}
	if err := letSettle(ctx, c); err != nil {
		return t, err
	}
	if t.trial, err = prepareTrial(ctx, c, s.Guard, a.opts.TrialMargin); err != nil {
		return t, err
	}
	sent := time.Now()
	answer, err := send(ctx, c, t.trial)
	if err != nil {
		return t, inTheMiddle(err)
	}
	a.log.Debug("BIRD was told to reconfigure", "socket", s.Daemon.Socket, "answer", answer)
	if answer == control.ShuttingDown {
		return t, fmt.Errorf("control socket %s: %w: it is shutting down", s.Daemon.Socket, control.ErrNotRunning)
	}
	t.reads = c.Reads()
	t.proof, err = waitConfigured(ctx, c, sent)
	return t, err
}

// send sends the "configure" that a set without or with a trial needs.
func send(ctx context.Context, c *control.Client, t *trial) (control.Reconfigure, error) {
	if t == nil {
		return c.Configure(ctx)
	}
	return c.ConfigureTimeout(ctx, time.Until(t.deadline))
}

// inTheMiddle turns the end of a connection into the end of a BIRD that was
// reconfiguring.
func inTheMiddle(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return fmt.Errorf("%w: %s", control.ErrWentAway, err.Error())
	}
	return err
}

// letSettle waits where this is a BIRD 3 that has just started.
func letSettle(ctx context.Context, c *control.Client) error {
	if !strings.HasPrefix(c.Version(), "3.") {
		return nil
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	up, known := status.UpFor()
	if !known || up >= bird3Settles {
		return nil
	}
	if err := sleep(ctx, bird3Settles-up); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// waitConfigured waits until BIRD is through with reconfiguring and uses a
// configuration that it took after sent. BIRD's own two times are compared, so
// that its clock does not matter. A configuration that is queued is not taken
// for one in use: BIRD says that it is reconfiguring until the queue is empty.
func waitConfigured(ctx context.Context, c *control.Client, sent time.Time) (observation, error) {
	for patience := time.Now().Add(oldPatience); ; {
		now, err := observe(ctx, c)
		if err != nil {
			return now, inTheMiddle(err)
		}
		if now.status.ShuttingDown() {
			return now, fmt.Errorf("control socket %s: %w: it is shutting down", c.Path(), control.ErrNotRunning)
		}
		age, known := now.status.ConfigAge()
		busy := now.status.InProgress()
		switch {
		case busy:
			patience = time.Now().Add(oldPatience)
		case !known || age <= now.to.Sub(sent)+ageSlack:
			return now, nil
		case time.Now().After(patience):
			return now, fmt.Errorf("control socket %s: BIRD uses a configuration from before (%v old): has somebody else undone this one?", c.Path(), age)
		}
		if sleep(ctx, statusPoll) == nil {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return now, context.Cause(ctx)
		}
		return now, fmt.Errorf("control socket %s: %w: it says %q", c.Path(), control.ErrBusy, now.status.State)
	}
}

// sleep waits for d, or until ctx ends, and then says why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
