package host

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"confd/internal/watch"
	"confd/templates"
)

// How long the configuration folder must be quiet before it is looked at, and how
// often it is looked at where the kernel tells nothing (network file systems).
const (
	templateSettle = 50 * time.Millisecond
	templatePoll   = 5 * time.Second
)

// WatchTemplates sends on changed when the templates of the configuration
// folder dir are no longer those of the fingerprint, until ctx ends. A signal
// that nobody has taken yet stands for later ones.
func WatchTemplates(ctx context.Context, dir, fingerprint string, changed chan<- struct{}, log *slog.Logger) {
	o := watch.Options{Log: log, Poll: templatePoll, Settle: templateSettle}
	watch.Run(ctx, o, func() watch.Targets {
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
		return templateFiles(dir)
	})
}

// templateFiles are where a change of templates shows: in the folder dir, which may
// come later, and in those of its folders that have templates.
func templateFiles(dir string) watch.Targets {
	t := watch.NewTargets()
	t.AddName(dir)
	t.AddDir(dir)
	for _, sub := range []string{"conf.d", "templates"} {
		t.AddTree(filepath.Join(dir, sub))
	}
	return t
}
