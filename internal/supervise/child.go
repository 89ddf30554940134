package supervise

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"
)

// How long a BIRD may take to greet before it counts as hung, and how often one
// that is hung, or ending, is looked at.
const (
	greetTimeout = 5 * time.Second
	lookInterval = 100 * time.Millisecond
)

// Options say how a daemon is run. The zero value of each means its default.
type Options struct {
	// Name is what logs and events call the daemon; default: the program's name.
	Name string
	// Socket is the path of the daemon's control socket. A BIRD that answers
	// there already is adopted. Empty: nothing is looked for.
	Socket string
	// Output is given what the daemon prints on stdout and stderr, unchanged. It
	// must be safe for concurrent use. Default: os.Stderr.
	Output io.Writer
	// Environment are the variables of this program, as NAME=value. The daemon
	// gets of them what every program needs, such as PATH, and those that its
	// command names, as in $NAME; not the rest, in which there are secrets.
	// Default: os.Environ().
	Environment []string
	// StopTimeout is how long the daemon may take to end on SIGTERM before it is
	// killed; default 10 s.
	StopTimeout time.Duration
	// MinDelay and MaxDelay are the first and the longest pause before the daemon
	// is started again; defaults 200 ms and 30 s. Each pause is twice the one
	// before, until the daemon has run for Settled; default 1 min.
	MinDelay, MaxDelay, Settled time.Duration
	// Logger is told of each start and end; default: nobody is.
	Logger *slog.Logger
	// Observe is called at each start and end, one call at a time. It must
	// return soon.
	Observe func(Event)
}

// State is where a daemon stands.
type State string

// Event tells that a daemon began or ended.
type Event struct {
	Name  string
	State State
	PID   int // 0 of one that was adopted, or could not be started
	// The rest is for Ended.
	Exit    string        // such as "exit code 1" or "killed by signal 9 (killed)"
	Output  string        // the last lines that it printed; empty of one that was adopted
	Ran     time.Duration // how long it ran
	RetryIn time.Duration // until it is started again; 0: not at all, it was told to end
}

// Child is a daemon that is kept running.
type Child struct {
	command string
	opts    Options
	signals chan os.Signal
	wake    chan struct{}
}

// pause waits for d, for Retry, or for the end of ctx.
func (c *Child) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-c.wake:
			return
		case <-ctx.Done():
			return
		case <-c.signals:
		}
	}
}

// Name is what the daemon is called.
func (c *Child) Name() string { return c.opts.Name }

// The states that events tell of.
const (
	Started State = "started" // by us
	Adopted State = "adopted" // it ran already: it is left to run
	Ended   State = "ended"
)
