package folder

import (
	"context"
	"log/slog"
	"time"

	"confd/backends"
)

// Files that are in the middle of being written are read again this often,
// with this pause.
const (
	rereads     = 50
	rereadPause = 20 * time.Millisecond
)

// Reader reads files.
type Reader interface {
	// Read reads what changed. What to watch is told also with an error.
	Read(ctx context.Context) (Look, error)
	// State takes what was last read without an error for true, and returns it.
	State() map[backends.Key]backends.Event
}

// Look is how files were found.
type Look struct {
	Targets Targets // what to watch
	// Moving tells that files seem to be in the middle of being written, so that
	// it is better to look again at once.
	Moving bool
	// Again, where it is not 0, is after what time to look again, whatever
	// happens: until then the state has some files as they were.
	Again time.Duration
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
	w := NewWatcher(o.Log, o.Poll)
	defer w.Close()
	var t Tracker
	said := "nothing"
	for {
		again, err := readWatched(ctx, w, r)
		if ctx.Err() != nil {
			return nil
		}
		u := backends.Update{Source: o.Source, InSync: err == nil, Err: err}
		status := ""
		if err != nil {
			status = "error: " + err.Error()
		} else {
			u.Events = t.Changes(r.State())
		}
		if (len(u.Events) > 0 || status != said) && !backends.Send(ctx, out, u) {
			return nil
		}
		said = status
		if !w.Wait(ctx, again) {
			return nil
		}
	}
}

// readWatched reads, and watches what it read. Something may have changed before
// it was watched, so then it reads again; not for ever, as folders may come
// faster than they can be watched.
func readWatched(ctx context.Context, w *Watcher, r Reader) (again time.Duration, err error) {
	var l Look
	for range 3 {
		l, err = read(ctx, r)
		if ctx.Err() != nil || !w.Watch(l.Targets) {
			break
		}
	}
	return l.Again, err
}

// read reads until nothing moves, or long enough.
func read(ctx context.Context, r Reader) (Look, error) {
	for try := 1; ; try++ {
		l, err := r.Read(ctx)
		if !l.Moving || try > rereads {
			return l, err
		}
		select {
		case <-ctx.Done():
			return l, ctx.Err()
		case <-time.After(rereadPause):
		}
	}
}
