// Package folder is what backends that read files have in common: noticing
// that files changed, without reading those that did not, and telling only the
// difference.
package folder

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How long the files must be quiet before they are looked at, and how long a
// writer that never pauses can put that off.
const (
	settle    = 20 * time.Millisecond
	settleMax = 200 * time.Millisecond
)

// Targets are the places where a change matters.
type Targets struct {
	dirs  map[string]bool // every change inside counts
	names map[string]bool // this very name counts
}

// NewTargets returns an empty set.
func NewTargets() Targets {
	return Targets{dirs: map[string]bool{}, names: map[string]bool{}}
}

// AddDir adds everything directly in a folder that is there.
func (t Targets) AddDir(dir string) { t.dirs[filepath.Clean(dir)] = true }

// AddName adds the coming, going and changing of one file or folder, which
// need not be there: nor need the folders above it.
func (t Targets) AddName(name string) {
	name = filepath.Clean(name)
	for {
		t.names[name] = true
		parent := filepath.Dir(name)
		if info, err := os.Stat(parent); err == nil && info.IsDir() || parent == name {
			return
		}
		name = parent
	}
}

// watched returns the folders to watch for all this.
func (t Targets) watched() map[string]bool {
	dirs := make(map[string]bool, len(t.dirs)+len(t.names))
	for d := range t.dirs {
		dirs[d] = true
	}
	for n := range t.names {
		dirs[filepath.Dir(n)] = true
	}
	return dirs
}

// Watcher waits for changes in files: told by the kernel, and with a slow poll
// beneath for what the kernel does not tell (network file systems, a watch
// that could not be had).
type Watcher struct {
	log     *slog.Logger
	poll    time.Duration
	notify  *fsnotify.Watcher // nil: poll only
	events  <-chan fsnotify.Event
	errors  <-chan error
	targets Targets
	// aliases are the targets' folders by their real path, which is what is
	// watched: the kernel knows a folder by one name only.
	aliases map[string][]string
	failed  map[string]bool
}

// NewWatcher returns a watcher that watches nothing yet. Close ends it.
func NewWatcher(log *slog.Logger, poll time.Duration) *Watcher {
	w := &Watcher{log: log, poll: poll, targets: NewTargets(), failed: map[string]bool{}}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("cannot have the kernel tell of changed files; looking at them from time to time instead",
			"interval", poll, "error", err)
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
// was not before: what happened in it until now went unseen, so the caller has
// to look again.
func (w *Watcher) Watch(t Targets) (added bool) {
	w.targets, w.aliases = t, map[string][]string{}
	if w.notify == nil {
		return false
	}
	for dir := range t.watched() {
		real := realPath(dir)
		w.aliases[real] = append(w.aliases[real], dir)
	}
	have := map[string]bool{}
	for _, dir := range w.notify.WatchList() {
		have[dir] = true
		if w.aliases[dir] == nil {
			_ = w.notify.Remove(dir) // an error means that it is gone already
		}
	}
	for dir := range w.aliases {
		if !have[dir] {
			added = w.add(dir) || added
		}
	}
	return added
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
	err := w.notify.Add(dir)
	switch {
	case err == nil:
		delete(w.failed, dir)
		return true
	case !w.failed[dir] && !os.IsNotExist(err):
		w.failed[dir] = true
		w.log.Warn("cannot watch a folder; looking at it from time to time instead",
			"folder", dir, "interval", w.poll, "error", err)
	}
	return false
}

// Wait returns true once something may have changed and the files were quiet
// for a moment, or the poll interval (or the time most, where it is not 0) is
// over; false when ctx ends.
func (w *Watcher) Wait(ctx context.Context, most time.Duration) bool {
	limit := w.poll
	if most > 0 {
		limit = min(limit, most)
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
			w.log.Debug("watching files", "error", err)
			return w.quiet(ctx)
		case e := <-w.events:
			if w.matters(e) {
				return w.quiet(ctx)
			}
		}
	}
}

func (w *Watcher) quiet(ctx context.Context) bool {
	last := time.NewTimer(settleMax)
	defer last.Stop()
	still := time.NewTimer(settle)
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
			w.log.Debug("watching files", "error", err)
			still.Reset(settle)
		case e := <-w.events:
			if w.matters(e) {
				still.Reset(settle)
			}
		}
	}
}
