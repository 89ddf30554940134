// Package watch notices that files change, come or go: the kernel tells, and a slow
// poll beneath finds what the kernel does not tell. It stands on nothing of ours, so
// that whatever watches files can use it.
package watch

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say how to watch.
type Options struct {
	// Log is told what the kernel cannot watch; nil: nobody is.
	Log *slog.Logger
	// Poll is how often to look without being told. It must be given.
	Poll time.Duration
	// Settle is how long the files must be quiet before they are looked at, as who
	// writes one may write more; default 20 ms. A writer that never pauses can put
	// that off for ten times as long.
	Settle time.Duration
}

// Run calls look, and again whenever something may have changed in the targets that
// it has returned last, or the poll interval is over. It returns when ctx ends.
func Run(ctx context.Context, o Options, look func() Targets) {
	w := New(o)
	defer w.Close()
	for {
		// Something may have changed before it was watched, so then it is looked at
		// again; not for ever, as folders may come faster than they can be watched.
		for range 3 {
			if t := look(); ctx.Err() != nil || !w.Watch(t) {
				break
			}
		}
		if !w.Wait(ctx) {
			return
		}
	}
}

// For waits until the file or folder of that name, which need not be there, comes,
// goes or changes, for limit at most, or until ctx ends.
func For(ctx context.Context, name string, limit time.Duration) {
	w := New(Options{Poll: limit})
	defer w.Close()
	t := NewTargets()
	t.AddName(name)
	w.Watch(t)
	w.Wait(ctx)
}

// Watcher waits for changes in files: told by the kernel, and with a slow poll
// beneath for what the kernel does not tell (network file systems, a watch
// that could not be had).
type Watcher struct {
	Options
	notify  *fsnotify.Watcher // nil: poll only
	events  <-chan fsnotify.Event
	errors  <-chan error
	targets Targets
	// aliases are the targets' folders by their real path, which is what is
	// watched: the kernel knows a folder by one name only.
	aliases map[string][]string
	// added are the folders that are watched, as they were then: what is moved away with
	// a folder above it stays watched, though another one has its name now.
	added  map[string]os.FileInfo
	failed map[string]bool
}

// New returns a Watcher that watches nothing yet. Close ends it.
func New(o Options) *Watcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Settle <= 0 {
		o.Settle = 20 * time.Millisecond
	}
	w := &Watcher{Options: o, targets: NewTargets(), failed: map[string]bool{}}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		o.Log.Warn("cannot have the kernel tell of changed files; looking at them from time to time instead",
			"interval", o.Poll, "error", err)
		return w
	}
	w.notify, w.events, w.errors = notify, notify.Events, notify.Errors
	return w
}

// Close frees what the watcher holds.
func (w *Watcher) Close() {
	if w.notify != nil {
		w.notify.Close()
	}
}

// Watch replaces what is watched. It tells whether any folder is watched that
// was not before, or is gone that was: what happened there until now went unseen,
// so the caller has to look again.
func (w *Watcher) Watch(t Targets) (unseen bool) {
	w.targets, w.aliases = t, map[string][]string{}
	if w.notify == nil {
		return false
	}
	for dir := range t.watched() {
		real := realPath(dir)
		w.aliases[real] = append(w.aliases[real], dir)
	}
	kept := map[string]os.FileInfo{}
	for _, dir := range w.notify.WatchList() {
		wanted := w.aliases[dir] != nil
		if wanted && !w.isAnother(dir) {
			kept[dir] = w.added[dir]
			continue
		}
		unseen = unseen || wanted // what the kernel has to say of it goes with it
		_ = w.notify.Remove(dir)  // an error means that it is gone already
	}
	w.added = kept
	for dir := range w.aliases {
		if kept[dir] == nil {
			unseen = w.add(dir) || unseen
		}
	}
	return unseen
}

// isAnother says whether a folder is not the one any more that is watched by its name.
func (w *Watcher) isAnother(dir string) bool {
	info, err := os.Stat(dir)
	return err != nil || !os.SameFile(info, w.added[dir])
}

func realPath(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return dir
}

// matters tells whether what changed is, or is in, one of the targets.
func (w *Watcher) matters(e fsnotify.Event) bool {
	if w.aliases[e.Name] != nil {
		return true // the watched folder itself
	}
	dir, base := filepath.Split(e.Name)
	for _, alias := range w.aliases[filepath.Clean(dir)] {
		if w.targets.dirs[alias] || w.targets.names[filepath.Join(alias, base)] {
			return true
		}
	}
	return false
}

func (w *Watcher) add(dir string) bool {
	info, err := os.Stat(dir)
	if err == nil {
		err = w.notify.Add(dir)
	}
	switch {
	case err == nil:
		w.added[dir] = info
		delete(w.failed, dir)
		return true
	case !w.failed[dir] && !os.IsNotExist(err):
		w.failed[dir] = true
		w.Log.Warn("cannot watch a folder; looking at it from time to time instead",
			"folder", dir, "interval", w.Poll, "error", err)
	}
	return false
}

// Wait returns true once something may have changed and the files were quiet
// for a moment, or the poll interval is over, or it is time to look again; false
// when ctx ends.
func (w *Watcher) Wait(ctx context.Context) bool {
	limit := w.Poll
	if w.targets.Again > 0 {
		limit = min(limit, w.targets.Again)
	}
	poll := time.NewTimer(limit)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
			return true
		case err := <-w.errors:
			// The kernel dropped events: anything may have changed.
			w.Log.Debug("watching files", "error", err)
			return w.quiet(ctx)
		case e := <-w.events:
			if w.matters(e) {
				return w.quiet(ctx)
			}
		}
	}
}

func (w *Watcher) quiet(ctx context.Context) bool {
	last := time.NewTimer(10 * w.Settle)
	defer last.Stop()
	still := time.NewTimer(w.Settle)
	defer still.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-last.C:
			return true
		case <-still.C:
			return true
		case err := <-w.errors:
			w.Log.Debug("watching files", "error", err)
			still.Reset(w.Settle)
		case e := <-w.events:
			if w.matters(e) {
				still.Reset(w.Settle)
			}
		}
	}
}
