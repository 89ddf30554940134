package host

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"confd/templates"
)

// How long the configuration folder must be quiet before it is looked at, how
// long a writer that never pauses can put that off, and how often it is looked
// at where the kernel tells nothing (network file systems).
const (
	templateSettle    = 50 * time.Millisecond
	templateSettleMax = 500 * time.Millisecond
	templatePoll      = 5 * time.Second
)

// WatchTemplates sends on changed when the templates of the configuration
// folder dir are no longer those of the fingerprint, until ctx ends. A signal
// that nobody has taken yet stands for later ones.
func WatchTemplates(ctx context.Context, dir, fingerprint string, changed chan<- struct{}, log *slog.Logger) {
	var events <-chan fsnotify.Event
	var errors <-chan error
	w, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("cannot have the kernel tell of changed templates; looking at them from time to time instead", "interval", templatePoll, "error", err)
	} else {
		defer w.Close()
		events, errors = w.Events, w.Errors
	}
	poll := time.NewTicker(templatePoll)
	defer poll.Stop()
	for {
		if w != nil {
			watchFolders(w, dir, log)
		}
		now, err := templates.Fingerprint(dir)
		if err != nil {
			log.Debug("templates cannot be looked at", "error", err)
		} else if now != fingerprint {
			fingerprint = now
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-events:
			waitQuiet(ctx, events)
		case err := <-errors: // events were dropped: look again
			log.Debug("watching templates", "error", err)
		}
	}
}

// watchFolders watches all folders that matter. One that is watched already
// stays so; one that is gone is forgotten by itself. The folder above dir tells
// when dir comes.
func watchFolders(w *fsnotify.Watcher, dir string, log *slog.Logger) {
	folders := []string{filepath.Dir(dir), dir}
	for _, sub := range []string{"conf.d", "templates"} {
		root := filepath.Join(dir, sub)
		if real, err := filepath.EvalSymlinks(root); err == nil {
			root = real
		}
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return nil // what cannot be watched is polled
			case path != root && strings.HasPrefix(d.Name(), "."):
				return fs.SkipDir
			}
			folders = append(folders, path)
			return nil
		})
	}
	for _, f := range folders {
		if err := w.Add(f); err != nil {
			log.Debug("cannot watch a folder for templates", "folder", f, "error", err)
		}
	}
}

// waitQuiet returns when no event has come for a moment.
func waitQuiet(ctx context.Context, events <-chan fsnotify.Event) {
	last := time.NewTimer(templateSettleMax)
	defer last.Stop()
	still := time.NewTimer(templateSettle)
	defer still.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-last.C:
			return
		case <-still.C:
			return
		case <-events:
			still.Reset(templateSettle)
		}
	}
}
