// Package folder is what backends that read files have in common: not to read
// files that did not change, and to tell only the difference.
package folder

import (
	"context"
	"log/slog"
	"time"

	"confd/backends"
	"confd/internal/watch"
)

// Files that are in the middle of being written are read again this often,
// with this pause.
const (
	rereads     = 50
	rereadPause = 20 * time.Millisecond
)

// Reader reads files.
type Reader interface {
	// Read reads what changed, and tells what to watch, also with an error.
	// Moving tells that files seem to be in the middle of being written.
	Read(ctx context.Context) (t watch.Targets, moving bool, err error)
	// State takes what was last read without an error for true, and returns it.
	State() map[backends.Key]backends.Event
}

// Options say how to run a Reader.
type Options struct {
	Source string        // for the updates
	Log    *slog.Logger  // for problems of watching
	Poll   time.Duration // how often to look without being told
}

// Load reads once and returns the events that lead to the state.
func Load(ctx context.Context, r Reader) ([]backends.Event, error) {
	if _, err := read(ctx, r); err != nil {
		return nil, err
	}
	return new(Tracker).Changes(r.State()), nil
}

// Run sends the state and then the differences, until ctx ends. While
// something cannot be read the last state stays: it is unknown, not empty.
func Run(ctx context.Context, o Options, r Reader, out chan<- backends.Update) error {
	s := sender{source: o.Source, out: out}
	watch.Run(ctx, watch.Options{Log: o.Log, Poll: o.Poll}, func() watch.Targets {
		t, err := read(ctx, r)
		if ctx.Err() == nil {
			s.send(ctx, r, err)
		}
		return t
	})
	return nil
}

// sender sends what is new.
type sender struct {
	source string
	out    chan<- backends.Update
	known  Tracker
	said   *string // how reading went, as it was told last; nil: nothing was told yet
}

// send sends what is new since it was called last, where there is something: err
// says why r could not read.
func (s *sender) send(ctx context.Context, r Reader, err error) {
	u := backends.Update{Source: s.source, InSync: err == nil, Err: err}
	status := ""
	if err != nil {
		status = err.Error()
	} else {
		u.Events = s.known.Changes(r.State())
	}
	if len(u.Events) > 0 || s.said == nil || *s.said != status {
		backends.Send(ctx, s.out, u) // false: ctx has ended
	}
	s.said = &status
}

// read reads until nothing moves, or long enough.
func read(ctx context.Context, r Reader) (watch.Targets, error) {
	for try := 1; ; try++ {
		t, moving, err := r.Read(ctx)
		if !moving || try > rereads {
			return t, err
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(rereadPause):
		}
	}
}
