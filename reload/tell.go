package reload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// tell has BIRD read what is on disk. Where BIRD refuses, the files go back to
// what they were when it last agreed. What is known of the set is unsure before,
// and after every error but a refusal.
func (a *Applier) tell(ctx context.Context, s Set, mem *memory, res Result) (Result, error) {
	if s.socket() == "" {
		return a.settle(s, mem, res), nil
	}
	told, err := a.tellDaemon(ctx, s, mem)
	res.Version = told.version
	var refused *control.RefusedError
	switch {
	case errors.As(err, &refused):
		e := &RefusedError{Position: refused.Position}
		e.File = s.dest(e.File)
		return res, a.undo(s, mem, e)
	case told.trial != nil && told.sent:
		return a.begin(ctx, s, mem, res, told, err)
	case errors.Is(err, control.ErrNotRunning):
		a.log.Info("BIRD is not up: it will read the set when it starts", "set", s.Name, "error", err)
		mem.waits()
		res.State, res.Commands = Installed, mem.give(s)
		return res, nil
	case err != nil:
		return res, err
	}
	if err := s.otherFile(told.reads); err != nil {
		return res, err
	}
	mem.agreed(told.version, &told.proof)
	return a.confirm(s, mem, res), nil
}

// settle is tell where there is no control socket: the commands tell BIRD, where
// there are any.
func (a *Applier) settle(s Set, mem *memory, res Result) Result {
	if res.Commands = mem.give(s); len(res.Commands) > 0 {
		mem.waits()
		res.State = Installed
		return res
	}
	mem.agreed("", nil)
	return a.confirm(s, mem, res)
}

// confirm brings to disk that a set is in use.
func (a *Applier) confirm(s Set, mem *memory, res Result) Result {
	if s.socket() != "" {
		res.Commands = mem.give(s)
	}
	res.State, res.Confirmed = Confirmed, a.opts.Now()
	a.noteConfirmed(s, mem, res.Confirmed)
	a.collect(s, mem)
	return mem.proven(res)
}

// otherFile says that BIRD has read another file than the set's. A path that is
// relative, or not there for us, says nothing: it may be ours under another name,
// in a container for instance.
func (s Set) otherFile(path string) error {
	if !filepath.IsAbs(path) || path == s.Daemon.Main {
		return nil
	}
	ours, err := readOnDisk(s.Daemon.Main)
	theirs, err2 := readOnDisk(path)
	if err != nil || err2 != nil || ours == nil || theirs == nil || bytes.Equal(ours.data, theirs.data) {
		return nil
	}
	return fmt.Errorf("%w: it reads %s, and %s was written: start it with -c %s, or set the folder", ErrOtherFile, path, s.Daemon.Main, s.Daemon.Main)
}

// renewProof takes BIRD's word again; without an answer there is none.
func (a *Applier) renewProof(ctx context.Context, s Set, mem *memory) {
	mem.proof = nil
	if now, _, err := a.look(ctx, s.socket()); err == nil {
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
	if mem.back == nil {
		return refused
	}
	if err := a.restore(s, mem); err != nil {
		return errors.Join(refused, err)
	}
	if mem.back.direct {
		mem.undone() // BIRD uses them
	} else {
		mem.restored()
	}
	a.collect(s, mem)
	refused.Undone = true
	a.log.Warn("BIRD refused a set that had passed its check: the old files are back", "set", s.Name, "error", refused)
	return refused
}

// restore puts back what was on disk when BIRD last agreed.
func (a *Applier) restore(s Set, mem *memory) error {
	err := mem.back.undo()
	mem.prints = nil
	if err != nil {
		return fmt.Errorf("putting the old files back: %w", advise(err))
	}
	a.noteGone(s, mem, mem.generation.Hash)
	return nil
}

// told is what came of telling BIRD.
type told struct {
	version string
	reads   string // the file that BIRD read, as it names it
	proof   observation
	trial   *trial // nil: BIRD does not wait for a word
	sent    bool   // BIRD has got the command, whatever became of it
}

// tellDaemon sends "configure" and waits until BIRD uses what it has read. A set
// with a guard is on trial then.
func (a *Applier) tellDaemon(ctx context.Context, s Set, mem *memory) (told, error) {
	ctx, cancel := a.within(ctx, a.opts.ReloadTimeout)
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
	if t.trial, err = a.prepareTrial(ctx, c, s, mem.generation.Hash); err != nil {
		return t, err
	}
	if t.trial != nil {
		// From now on, whoever comes after us must know.
		a.noteTrial(s, mem, t.trial, nil)
	}
	sent := a.opts.Now()
	answer, err := a.send(ctx, c, t.trial)
	t.sent = answer != control.ShuttingDown
	if err != nil {
		return t, inTheMiddle(err)
	}
	a.log.Debug("BIRD was told to reconfigure", "socket", s.Daemon.Socket, "answer", answer)
	if answer == control.ShuttingDown {
		return t, fmt.Errorf("control socket %s: %w: it is shutting down", s.Daemon.Socket, control.ErrNotRunning)
	}
	t.reads = c.Reads()
	t.proof, err = a.waitConfigured(ctx, c, sent)
	return t, err
}

// send sends the "configure" that a set without or with a trial needs.
func (a *Applier) send(ctx context.Context, c *control.Client, t *trial) (control.Reconfigure, error) {
	if t == nil {
		return c.Configure(ctx)
	}
	return c.ConfigureTimeout(ctx, t.deadline.Sub(a.opts.Now()))
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
func (a *Applier) waitConfigured(ctx context.Context, c *control.Client, sent time.Time) (observation, error) {
	for patience := time.Now().Add(oldPatience); ; {
		now, err := a.observe(ctx, c)
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
