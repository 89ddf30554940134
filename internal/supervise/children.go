package supervise

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Observer is told what becomes of children.
type Observer interface {
	// Children names those that there are.
	Children(names ...string)
	// ChildRestarted counts a start after an end.
	ChildRestarted(name string)
}

// Children are the BIRDs that the program runs itself: one, or, of BIRD 1.6, two.
// They are for one goroutine.
type Children struct {
	ctx      context.Context
	group    *errgroup.Group
	commands []string
	observer Observer
	log      *slog.Logger
	running  []*child
}

// child is one of them, with the control socket that its files belong to.
type child struct {
	*Child
	socket string // empty: not known
	start  chan struct{}
	open   sync.Once
}

// CheckCommands says what is wrong with commands that are to run BIRD.
func CheckCommands(commands []string) error {
	for _, command := range commands {
		if _, err := New(command, Options{}); err != nil {
			return err
		}
	}
	return nil
}

// NewChildren makes children of commands, which run in group until ctx ends. None
// is run before Prepare.
func NewChildren(ctx context.Context, group *errgroup.Group, commands []string, o Observer, log *slog.Logger) *Children {
	return &Children{ctx: ctx, group: group, commands: commands, observer: o, log: log}
}

// Prepare has the children ready, once: those that run already are adopted, the
// others start when their files are in place. sockets are their control sockets, in
// the order of the commands.
func (c *Children) Prepare(sockets []string) error {
	for i := len(c.running); i < len(c.commands); i++ {
		o := Options{Logger: c.log, Observe: func(e Event) {
			if e.State == Ended && e.RetryIn > 0 {
				c.observer.ChildRestarted(e.Name)
			}
		}}
		if i < len(sockets) {
			o.Socket, o.Name = sockets[i], [...]string{"bird", "bird6"}[i]
		}
		daemon, err := New(c.commands[i], o)
		if err != nil {
			return err
		}
		c.observer.Children(daemon.Name())
		running := &child{Child: daemon, socket: o.Socket, start: make(chan struct{})}
		c.running = append(c.running, running)
		c.group.Go(func() error { running.Run(c.ctx, running.start); return nil })
	}
	return nil
}

// InPlace says that the files are there of the BIRDs with these sockets; without
// any, of all: they may start, and need not wait if what kept them from running was
// a file.
func (c *Children) InPlace(sockets ...string) {
	for _, child := range c.running {
		if len(sockets) == 0 || slices.Contains(sockets, child.socket) {
			child.open.Do(func() { close(child.start) })
			child.Retry()
		}
	}
}

// Has says whether the BIRD of a socket is one of them.
func (c *Children) Has(socket string) bool {
	return slices.ContainsFunc(c.running, func(child *child) bool { return child.socket == socket })
}

// Signal passes a signal on. That to read everything again (SIGHUP) BIRD is told
// over its control socket, where it says when it has.
func (c *Children) Signal(s os.Signal) {
	for _, child := range c.running {
		if s != syscall.SIGHUP || child.socket == "" {
			child.Child.Signal(s)
		}
	}
}
