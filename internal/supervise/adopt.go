package supervise

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"confd/reload/control"
)

// adopt looks for a BIRD that runs already: of a program that was killed, or of
// somebody else. Where there is one it is left to run, until it ends by itself,
// or ctx ends and it is told to. It is false where there is none.
func (c *Child) adopt(ctx context.Context) bool {
	if c.opts.Socket == "" {
		return false
	}
	version, err := c.greet(ctx)
	switch {
	case errors.Is(err, control.ErrHung):
		c.waitForHung(ctx)
		return true
	case err != nil:
		return false // whatever it is, BIRD will say more when it starts
	}
	began := time.Now()
	c.opts.Logger.Warn("runs already: not started a second time", "socket", c.opts.Socket, "version", version)
	c.opts.Observe(Event{Name: c.opts.Name, State: Adopted})
	c.untilGone(ctx)
	e := Event{Name: c.opts.Name, State: Ended, Exit: "not known: it was not ours", Ran: time.Since(began)}
	if ctx.Err() != nil {
		c.down(ctx)
		e.Exit = "told to end over its control socket"
	}
	c.opts.Logger.Info("the one that ran already has ended", "exit", e.Exit, "ran", e.Ran.Round(time.Millisecond))
	c.opts.Observe(e)
	return true
}

// greet asks for the version of who answers on the socket.
func (c *Child) greet(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	client, err := control.Dial(ctx, c.opts.Socket)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.Version(), nil
}

// waitForHung waits until a BIRD that does not answer either does, or is gone.
// Another one could not use its socket.
func (c *Child) waitForHung(ctx context.Context) {
	c.opts.Logger.Error("runs already, and does not answer: not started a second time; kill it if it stays so", "socket", c.opts.Socket)
	for ctx.Err() == nil {
		if _, err := c.greet(ctx); ctx.Err() == nil && !errors.Is(err, control.ErrHung) {
			return
		}
		c.pause(ctx, lookInterval)
	}
	c.down(ctx)
}

// untilGone returns when BIRD has closed its control socket, or ctx has ended.
func (c *Child) untilGone(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan control.Event)
	var watcher sync.WaitGroup
	watcher.Go(func() { control.Watch(ctx, c.opts.Socket, events, slog.New(slog.DiscardHandler)) })
	defer watcher.Wait()
	defer cancel()
	for {
		select {
		case e := <-events:
			if !e.Up {
				return
			}
		case s := <-c.signals:
			c.opts.Logger.Warn("a signal is not passed on to a BIRD that was not started here", "signal", s.String())
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

// down ends a BIRD that is not our child, although ctx has ended.
func (c *Child) down(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.StopTimeout)
	defer cancel()
	client, err := control.Dial(ctx, c.opts.Socket)
	if err == nil {
		_, err = client.Do(ctx, "down")
		client.Close()
	}
	for err == nil {
		time.Sleep(lookInterval)
		_, err = c.greet(ctx)
	}
	if !errors.Is(err, control.ErrNotRunning) {
		c.opts.Logger.Error("BIRD does not end: it is left running", "socket", c.opts.Socket, "error", err)
	}
}
