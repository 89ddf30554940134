// Package supervise runs BIRD as a child of this program: it starts it when its
// configuration is in place, starts it again when it ends, passes signals on,
// and ends it with the program. Should the program itself be killed, BIRD goes
// on, and the next run of the program takes it over.
package supervise

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// New prepares to run command: one program with its arguments, as /bin/sh reads
// them (quotes and $VARIABLES work). The error says what is wrong with command;
// nothing is started before Run.
func New(command string, o Options) (*Child, error) {
	command, err := checkCommand(command)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = filepath.Base(strings.Trim(strings.Fields(command)[0], `'"`))
	}
	if o.Output == nil {
		o.Output = os.Stderr
	}
	if o.Environment == nil {
		o.Environment = os.Environ()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(Event) {}
	}
	setDefault(&o.StopTimeout, 10*time.Second)
	setDefault(&o.MinDelay, 200*time.Millisecond)
	setDefault(&o.MaxDelay, 30*time.Second)
	setDefault(&o.Settled, time.Minute)
	o.Logger = o.Logger.With("daemon", o.Name)
	return &Child{command: command, opts: o, signals: make(chan os.Signal, 8), wake: make(chan struct{}, 1)}, nil
}

func setDefault(d *time.Duration, otherwise time.Duration) {
	if *d <= 0 {
		*d = otherwise
	}
}

// Signal passes a signal on to the daemon, where it runs.
func (c *Child) Signal(s os.Signal) {
	select {
	case c.signals <- s:
	default: // as the kernel does: what is pending already is not pending twice
	}
}

// Retry ends the pause before the next start: what kept the daemon from running
// may be put right.
func (c *Child) Retry() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run starts the daemon as soon as start is closed, and again whenever it ends,
// until ctx ends. Then it ends the daemon, and returns when that is gone: SIGTERM
// first, SIGKILL after StopTimeout. A BIRD that runs already is adopted at once,
// without waiting for start. Run is called once.
func (c *Child) Run(ctx context.Context, start <-chan struct{}) {
	c.adopt(ctx)
	c.await(ctx, start)
	delay := newDelays(c.opts.MinDelay, c.opts.MaxDelay, c.opts.Settled)
	for ctx.Err() == nil {
		if c.adopt(ctx) {
			c.pause(ctx, lookInterval)
		} else {
			c.once(ctx, delay)
		}
	}
}

// await waits for start. There is nobody yet to pass signals on to.
func (c *Child) await(ctx context.Context, start <-chan struct{}) {
	for {
		select {
		case <-start:
			return
		case <-ctx.Done():
			return
		case <-c.signals:
		case <-c.wake:
		}
	}
}

// once starts the daemon, waits for its end, and then for the time to start it
// again.
func (c *Child) once(ctx context.Context, delay *delays) {
	began := time.Now()
	p, err := startProcess(c.command, environment(c.command, c.opts.Environment), c.opts.Output)
	if err != nil {
		c.ended(ctx, Event{Exit: err.Error(), RetryIn: delay.after(0)})
		return
	}
	c.opts.Logger.Info("started", "pid", p.pid())
	c.opts.Observe(Event{Name: c.opts.Name, State: Started, PID: p.pid()})
	c.tend(ctx, p)
	ran := time.Since(began)
	e := Event{PID: p.pid(), Exit: p.exit(), Output: p.tail.String(), Ran: ran}
	if ctx.Err() == nil {
		e.RetryIn = delay.after(ran)
	}
	c.ended(ctx, e)
}

// tend is with the process until it has ended.
func (c *Child) tend(ctx context.Context, p *process) {
	defer p.sweep(c.opts.StopTimeout)
	hold := time.NewTimer(shellStarts)
	defer hold.Stop()
	var signals <-chan os.Signal
	for {
		select {
		case <-p.done:
			return
		case <-hold.C:
			signals = c.signals
		case s := <-signals:
			c.opts.Logger.Info("passing a signal on", "signal", s.String(), "pid", p.pid())
			p.signal(s)
		case <-c.wake:
		case <-ctx.Done():
			if !p.stop(c.opts.StopTimeout) {
				c.opts.Logger.Warn("did not end when told, and was killed", "pid", p.pid(), "after", c.opts.StopTimeout)
			}
			return
		}
	}
}

// ended tells of an end, and pauses.
func (c *Child) ended(ctx context.Context, e Event) {
	e.Name, e.State = c.opts.Name, Ended
	attributes := []any{"exit", e.Exit, "ran", e.Ran.Round(time.Millisecond)}
	if e.PID != 0 {
		attributes = append(attributes, "pid", e.PID)
	}
	if e.RetryIn == 0 {
		c.opts.Logger.Info("ended", attributes...)
		c.opts.Observe(e)
		return
	}
	attributes = append(attributes, "retry_in", e.RetryIn)
	if e.Output != "" {
		attributes = append(attributes, "output", e.Output)
	}
	c.opts.Logger.Error("ended by itself", attributes...)
	c.opts.Observe(e)
	c.pause(ctx, e.RetryIn)
}

// delays counts the pauses between starts.
type delays struct {
	backoff.ExponentialBackOff
	settled time.Duration
}

// newDelays makes pauses of which each is twice the one before, from the first to
// the longest, and which begin anew after a run that was as long as settled.
func newDelays(first, longest, settled time.Duration) *delays {
	return &delays{backoff.ExponentialBackOff{InitialInterval: first, Multiplier: 2, MaxInterval: longest}, settled}
}

// after is the pause after a run of that length.
func (d *delays) after(ran time.Duration) time.Duration {
	if ran >= d.settled {
		d.Reset()
	}
	return d.NextBackOff()
}
