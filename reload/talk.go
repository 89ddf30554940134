package reload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"confd/reload/control"
)

// How often BIRD is asked whether a reconfiguration is through.
const (
	statusPoll = 50 * time.Millisecond
	// oldPatience is how long a BIRD that is not reconfiguring may show an old
	// configuration.
	oldPatience = time.Second
)

// bird3Settles is how long a BIRD 3 that has just started is left alone: 3.1.8
// dies of a reconfiguration that changes a kernel protocol's export filter
// within its first second.
const bird3Settles = 2 * time.Second

// told is what came of telling BIRD.
type told struct {
	version string
	reads   string // the file that BIRD read, as it names it
	proof   observation
	trial   *trial // nil: BIRD does not wait for a word
	sent    bool   // BIRD has got the command, whatever became of it
}

// tell sends "configure" and waits until BIRD uses what it has read. A set with a
// guard is on trial then: begins is called with the trial before BIRD is told.
func (t *talker) tell(ctx context.Context, s Set, hash string, begins func(*trial)) (told, error) {
	ctx, cancel := t.within(ctx, t.opts.ReloadTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err != nil {
		return told{}, err
	}
	defer c.Close()
	out := told{version: c.Version()}
	if err := letSettle(ctx, c); err != nil {
		return out, err
	}
	if err := waitFree(ctx, c); err != nil {
		return out, err
	}
	if err := mayLose(ctx, c, s); err != nil {
		return out, err
	}
	if out.trial, err = t.prepareTrial(ctx, c, s, hash); err != nil {
		return out, err
	}
	if out.trial != nil {
		begins(out.trial)
	}
	sent := t.opts.Now()
	ctx, stop := beforeItGoesBack(ctx, c, out.trial, sent)
	defer stop()
	answer, err := t.send(ctx, c, out.trial)
	out.sent = answer != control.ShuttingDown
	if err != nil {
		return out, inTheMiddle(err)
	}
	t.log.Debug("BIRD was told to reconfigure", "socket", s.Daemon.Socket, "answer", answer)
	if !out.sent {
		return out, fmt.Errorf("control socket %s: %w: it is shutting down", s.Daemon.Socket, control.ErrNotRunning)
	}
	out.reads = c.Reads()
	out.proof, err = t.waitConfigured(ctx, c, sent)
	return out, err
}

// beforeItGoesBack ends the wait for a BIRD 3 that takes a set on trial between the end of
// the trial and when BIRD would go back: see trial.mustStay.
func beforeItGoesBack(ctx context.Context, c *control.Client, on *trial, sent time.Time) (context.Context, context.CancelFunc) {
	if on == nil || !isBIRD3(c) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, (on.ends.Sub(sent)+on.deadline.Sub(sent))/2)
}

// isBIRD3 says whether a client speaks with a BIRD 3.
func isBIRD3(c *control.Client) bool { return strings.HasPrefix(c.Version(), "3.") }

// send sends the "configure" that a set without or with a trial needs.
func (t *talker) send(ctx context.Context, c *control.Client, on *trial) (control.Reconfigure, error) {
	if on == nil {
		return c.Configure(ctx)
	}
	return c.ConfigureTimeout(ctx, on.deadline.Sub(t.opts.Now()))
}

// inTheMiddle turns the end of a connection into the end of a BIRD that was
// reconfiguring.
func inTheMiddle(err error) error {
	if errors.Is(err, control.ErrNotRunning) {
		return fmt.Errorf("%w: %s", control.ErrWentAway, err.Error())
	}
	return err
}

// betweenTwo turns an end of the time that came between two questions into a BIRD that
// is busy: it has answered the last one.
func betweenTwo(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, control.ErrHung) {
		return fmt.Errorf("%w: %w", control.ErrBusy, err)
	}
	return err
}

// letSettle waits where this is a BIRD 3 that has just started.
func letSettle(ctx context.Context, c *control.Client) error {
	if !isBIRD3(c) {
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
	// Less than no time is an hour that comes twice.
	if err := sleep(ctx, bird3Settles-max(0, up)); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// waitFree waits until a BIRD 3 is through with a reconfiguration that is under way:
// 3.1.8 and 3.4.0 die of what is queued behind one. A reader of "show route" that
// does not read on holds it up for as long as it likes, so that the wait is bounded.
func waitFree(ctx context.Context, c *control.Client) error {
	if !isBIRD3(c) {
		return nil
	}
	for {
		status, err := c.Status(ctx)
		if err != nil || !status.InProgress() {
			return betweenTwo(err)
		}
		if sleep(ctx, statusPoll) == nil {
			continue
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return context.Cause(ctx)
		}
		return fmt.Errorf("control socket %s: %w, and a BIRD 3 that is told more meanwhile may die: it is told afterwards (a birdc that shows routes in a pager holds BIRD up: end it)",
			c.Path(), control.ErrBusy)
	}
}

// waitConfigured waits until BIRD is through with reconfiguring and uses a
// configuration that it took after sent. BIRD's own two times are compared, so
// that its clock does not matter. A configuration that is queued is not taken
// for one in use: BIRD says that it is reconfiguring until the queue is empty.
func (t *talker) waitConfigured(ctx context.Context, c *control.Client, sent time.Time) (observation, error) {
	for patience := time.Now().Add(oldPatience); ; {
		now, err := t.observe(ctx, c)
		if err != nil {
			return now, inTheMiddle(betweenTwo(err))
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

// prepareTrial notes how the sessions are that must stay up; nil where nothing
// could be learned from a trial.
func (t *talker) prepareTrial(ctx context.Context, c *control.Client, s Set, hash string) (*trial, error) {
	g := s.Guard
	if g == nil || g.Within <= 0 || len(g.Stay)+len(g.Return) == 0 {
		return nil, nil
	}
	noted, sessions, err := t.sessions(ctx, c)
	if err != nil {
		return nil, err
	}
	tr := newTrial(hash, *g, t.opts.TrialMargin, noted.status, sessions, t.opts.Now())
	if len(tr.stay)+len(tr.back) == 0 {
		return nil, nil
	}
	return tr, nil
}

// tellToStay ends BIRD's wait for a word; it was not waiting where that is false.
func (t *talker) tellToStay(ctx context.Context, socket string) (waiting bool, err error) {
	ctx, cancel := t.within(ctx, lookTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return false, err
	}
	defer c.Close()
	return c.Confirm(ctx)
}

// goBack has BIRD go back to what it used before.
func (t *talker) goBack(ctx context.Context, s Set) error {
	ctx, cancel := t.within(ctx, t.opts.ReloadTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := waitFree(ctx, c); err != nil {
		return err
	}
	answer, err := c.Undo(ctx)
	t.log.Debug("BIRD was told to go back", "set", s.Name, "answer", answer)
	return err
}
