package metrics

import (
	"context"
	"log/slog"

	"confd/backends"
	"confd/internal/report"
)

// Options are the settings of Metrics.
type Options struct {
	Version string // of the program
	Node    string
	// Report is where the program stands: the newest report, which nobody
	// changes any more; nil before there is one. It is called from any goroutine.
	Report func() *report.Report
	// PerSession adds metrics of each session.
	PerSession bool
	// IPAM reads how much of the pools is taken; nil: there are no metrics of it.
	IPAM func(context.Context) (backends.Usage, error)
	// Log is told what cannot be read; nil: nothing is logged.
	Log *slog.Logger
}
