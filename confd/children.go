package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"confd/confd/metrics"
	"confd/confd/supervise"
)

// hangup is the signal on which the program looks at everything again.
const hangup = syscall.SIGHUP

// passedSignals are those that BIRD has a use for. Without BIRD as a child they
// must not end the program either.
func passedSignals() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 8)
	signal.Notify(c, hangup, syscall.SIGUSR1, syscall.SIGUSR2)
	return c, func() { signal.Stop(c) }
}

// children are the BIRDs that the program runs itself.
type children struct {
	commands []string
	log      *slog.Logger
	running  []*supervise.Child
	start    chan struct{}
	open     sync.Once
}

// newChildren says what is wrong with the commands; they are run later.
func newChildren(commands []string, log *slog.Logger) (*children, error) {
	c := &children{commands: commands, log: log, start: make(chan struct{})}
	for _, command := range commands {
		if _, err := supervise.New(command, supervise.Options{}); err != nil {
			return nil, usageError{err}
		}
	}
	return c, nil
}

// prepare has the children ready: those that run already are adopted, the others
// start when their files are in place. sockets are their control sockets, in the
// order of the commands.
func (c *children) prepare(ctx context.Context, g *errgroup.Group, sockets []string, m *metrics.Metrics) error {
	for i := len(c.running); i < len(c.commands); i++ {
		o := supervise.Options{Logger: c.log, Observe: func(e supervise.Event) {
			if e.State == supervise.Ended && e.RetryIn > 0 {
				m.ChildRestarted(e.Name)
			}
		}}
		if i < len(sockets) {
			o.Socket = sockets[i]
		}
		child, err := supervise.New(c.commands[i], o)
		if err != nil {
			return err
		}
		m.Children(child.Name())
		c.running = append(c.running, child)
		g.Go(func() error { child.Run(ctx, c.start); return nil })
	}
	return nil
}

// inPlace says that the files are there: the children may start, and need not
// wait if what kept them from running was a file.
func (c *children) inPlace() {
	c.open.Do(func() { close(c.start) })
	for _, child := range c.running {
		child.Retry()
	}
}

func (c *children) signal(s os.Signal) {
	for _, child := range c.running {
		child.Signal(s)
	}
}

// startChildren has the BIRDs that we run start.
func (d *daemon) startChildren(ctx context.Context, g *errgroup.Group) {
	if err := d.prepareChildren(ctx, g); err == nil {
		d.children.inPlace()
	}
}

// prepareChildren makes children of the commands when it is known where BIRD's
// sockets are.
func (d *daemon) prepareChildren(ctx context.Context, g *errgroup.Group) error {
	return d.children.prepare(ctx, g, d.birds.sockets(), d.observer.metrics)
}
