package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"confd/internal/metrics"
	"confd/internal/settings"
	"confd/internal/supervise"
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
	running  []*child
}

// child is one of them, with the control socket that its files belong to.
type child struct {
	*supervise.Child
	socket string // empty: not known
	start  chan struct{}
	open   sync.Once
}

// newChildren says what is wrong with the commands; they are run later.
func newChildren(commands []string, log *slog.Logger) (*children, error) {
	c := &children{commands: commands, log: log}
	for _, command := range commands {
		if _, err := supervise.New(command, supervise.Options{}); err != nil {
			return nil, settings.Error{Err: err}
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
			o.Socket, o.Name = sockets[i], [...]string{"bird", "bird6"}[i]
		}
		daemon, err := supervise.New(c.commands[i], o)
		if err != nil {
			return err
		}
		m.Children(daemon.Name())
		running := &child{Child: daemon, socket: o.Socket, start: make(chan struct{})}
		c.running = append(c.running, running)
		g.Go(func() error { running.Run(ctx, running.start); return nil })
	}
	return nil
}

// inPlace says that the files are there of the BIRDs with these sockets; without
// any, of all: they may start, and need not wait if what kept them from running
// was a file.
func (c *children) inPlace(sockets ...string) {
	for _, child := range c.running {
		if len(sockets) == 0 || slices.Contains(sockets, child.socket) {
			child.open.Do(func() { close(child.start) })
			child.Retry()
		}
	}
}

// has says whether the BIRD of a socket is one of them.
func (c *children) has(socket string) bool {
	return slices.ContainsFunc(c.running, func(child *child) bool { return child.socket == socket })
}

// signal passes a signal on. That to read everything again BIRD is told over its
// control socket, where it says when it has.
func (c *children) signal(s os.Signal) {
	for _, child := range c.running {
		if s != hangup || child.socket == "" {
			child.Signal(s)
		}
	}
}

// startChildren has the BIRDs that we run start: those of the sockets, or all.
func (d *daemon) startChildren(ctx context.Context, g *errgroup.Group, sockets ...string) {
	if err := d.prepareChildren(ctx, g); err == nil {
		d.children.inPlace(sockets...)
	}
}

// prepareChildren makes children of the commands when it is known where BIRD's
// sockets are.
func (d *daemon) prepareChildren(ctx context.Context, g *errgroup.Group) error {
	return d.children.prepare(ctx, g, d.birds.Sockets(), d.observer.metrics)
}

// childEnded says that the program, run as a child of process 1, has ended.
type childEnded struct{ code int }

// Error is one line.
func (e childEnded) Error() string {
	return fmt.Sprintf("as a child of process 1 it ended with %d (see above)", e.code)
}

// asProcess1 runs the program once more, as a child: what it starts must outlive
// a crash of it.
func asProcess1(log *slog.Logger) error {
	code, err := supervise.Init(log)
	if err == nil && code != 0 {
		err = childEnded{code}
	}
	return err
}
