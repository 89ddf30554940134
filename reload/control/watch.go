package control

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"

	"confd/internal/watch"
)

// How long Watch waits for a greeting, and between two looks for a socket that
// the file system tells nothing about.
const (
	greetTimeout = 5 * time.Second
	pollFirst    = 250 * time.Millisecond
	pollMax      = time.Second
)

// Event says that BIRD came up (it has read its configuration by then), or is
// not there: Err says why.
type Event struct {
	Socket  string
	Up      bool
	At      time.Time // when that was seen; where Up: it was up at that moment
	Version string    // where Up
	Err     error     // where not Up
}

// Watch keeps a connection to the control socket open and sends an event
// whenever BIRD comes or goes, and where it is not there the reason whenever
// that changes; each restart gives an event with Up. It returns when ctx ends.
func Watch(ctx context.Context, socket string, out chan<- Event, logger *slog.Logger) {
	poll := backoff.ExponentialBackOff{InitialInterval: pollFirst, Multiplier: 2, MaxInterval: pollMax}
	var reported error
	for ctx.Err() == nil {
		c, err := dialIn(ctx, socket, greetTimeout)
		if err == nil {
			logger.Info("BIRD is up", "socket", socket, "version", c.Version())
			if !send(ctx, out, Event{Socket: socket, Up: true, At: time.Now(), Version: c.Version()}) {
				c.Close()
				return
			}
			err = c.waitForEnd(ctx)
			reported = nil
			poll.Reset()
		}
		if ctx.Err() == nil && !sameReason(err, reported) {
			logger.Warn("BIRD is not up", "socket", socket, "error", err)
			if !send(ctx, out, Event{Socket: socket, At: time.Now(), Err: err}) {
				return
			}
			reported = err
		}
		watch.For(ctx, socket, poll.NextBackOff())
	}
}

// sameReason says that there is nothing new in err. A BIRD that starts or ends
// passes through several ways of not running.
func sameReason(err, reported error) bool {
	if reported == nil {
		return false
	}
	return err.Error() == reported.Error() || errors.Is(err, ErrNotRunning) && errors.Is(reported, ErrNotRunning)
}

func dialIn(ctx context.Context, socket string, limit time.Duration) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return Dial(ctx, socket)
}

func send(ctx context.Context, out chan<- Event, e Event) bool {
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// waitForEnd blocks until BIRD closes the connection or ctx ends, says how it
// ended, and closes it. BIRD says nothing unasked.
func (c *Client) waitForEnd(ctx context.Context) error {
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	_, err := io.Copy(io.Discard, c.br)
	if err == nil {
		err = io.EOF
	}
	return c.describe(ctx, "watching", err)
}
