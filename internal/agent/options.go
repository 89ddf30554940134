package agent

import (
	"context"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/settings"
)

// Options are what the loop works with. All but Signals, Usage and Watcher must be there.
type Options struct {
	Settings settings.Settings
	// Program is this program's version.
	Program string
	// Planner computes and renders. Its templates are those of the start; Broken is
	// why they could not be read, nil where they could.
	Planner plan.Planner
	Broken  error
	// Load reads the templates as they are now; Changed tells that they may be others.
	Load    func() (plan.Templates, error)
	Changed <-chan struct{}
	Sources []inbox.Source
	// Usage reads the use of the IP pools; nil: nobody does.
	Usage    backends.UsageReader
	World    World
	Children func(context.Context, *errgroup.Group, ChildObserver) Children
	Signals  <-chan os.Signal
	Log      *slog.Logger
	Level    *slog.LevelVar
	// Watcher looks at the newest report (nil: there is none yet) until its context
	// ends; nil: nobody does.
	Watcher func(ctx context.Context, newest func() *report.Report)
}

// ChildObserver is told what becomes of the BIRDs that the program runs itself.
type ChildObserver interface {
	// Children names them.
	Children(names ...string)
	// ChildRestarted counts a start after an end.
	ChildRestarted(name string)
}
