package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"confd/internal/plan"
	"confd/reload"
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

// watchTemplates sends on changed when the templates of the configuration
// folder dir are no longer those of the fingerprint, until ctx ends. A signal
// that nobody has taken yet stands for later ones.
func watchTemplates(ctx context.Context, dir, fingerprint string, changed chan<- struct{}, log *slog.Logger) {
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

// reloadTemplates takes changed templates into use. Where they are broken, or
// gone, those that are in use stay.
func (d *daemon) reloadTemplates() {
	d.refused, d.toldTemplates = nil, ""
	changed, err := plan.Load(d.node.Planner.Settings, d.log)
	switch {
	case err != nil:
		d.keepTemplates(err.Error())
		return
	case changed.BuiltIn && !d.node.Templates.BuiltIn && d.node.Templates.Engine != nil:
		d.keepTemplates("the configuration folder " + d.node.settings.Templates.ConfDir + " has no conf.d any more")
		return
	case changed.BuiltIn && d.node.Templates.BuiltIn: // there was no folder in use
		d.brokenTemplates = ""
		return
	}
	d.log.Info("templates changed: rendering anew", "confdir", d.node.settings.Templates.ConfDir)
	if d.proven == nil && d.live != nil {
		proven := d.node.Templates
		d.proven = &proven
	}
	d.node.Templates, d.brokenTemplates = changed, ""
	d.stale = true
	if d.in.complete() {
		d.pace.changed(time.Now(), 0)
	}
}

// retryTemplates takes changed templates that did not work into use once more:
// what was wrong may have been an object that has changed since, or BIRD's
// version.
func (d *daemon) retryTemplates() {
	if d.refused == nil {
		return
	}
	proven := d.node.Templates
	d.proven, d.node.Templates = &proven, *d.refused
	d.refused, d.brokenTemplates, d.stale = nil, "", true
}

// errNoTemplates is returned where the templates were broken when the program was
// started, and still are.
var errNoTemplates = errors.New("templates that work: those of the configuration folder are broken")

// keepTemplates says, once, why changed templates are not used, or those that
// were there when the program was started.
func (d *daemon) keepTemplates(why string) {
	d.brokenTemplates = why
	if d.toldTemplates == why {
		return
	}
	d.toldTemplates = why
	message := "changed templates are not used: the last good ones stay"
	if d.node.Templates.Engine == nil {
		message = "the templates cannot be used: BIRD keeps what it has until they can"
	}
	for line := range strings.Lines(why) {
		d.log.Error(message, "error", strings.TrimSpace(line))
	}
}

// reportUnwritten names the files that no template is there for any more.
func (d *daemon) reportUnwritten(sets []reload.Set) {
	if d.live == nil || !d.stale {
		return
	}
	now := destinations(sets)
	for _, dest := range destinations(d.live.sets) {
		if !slices.Contains(now, dest) {
			d.log.Warn("no template is for this file any more: it stays as it is", "file", dest)
		}
	}
}

func destinations(sets []reload.Set) []string {
	var all []string
	for _, s := range sets {
		for _, f := range s.Files {
			all = append(all, f.Dest)
		}
	}
	return all
}
