package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"confd/bgp"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/reload"
)

// node is what every command has that computes or renders for one node.
type node struct {
	plan.Planner
	settings settings.Settings
	log      *slog.Logger
}

// newNode reads the templates. Where that fails, the node has none.
func newNode(s settings.Settings, log *slog.Logger) (*node, error) {
	n := &node{Planner: plan.Planner{Settings: s.Plan(), Env: os.Getenv}, settings: s, log: log}
	var err error
	n.Templates, err = plan.Load(n.Planner.Settings, log)
	return n, err
}

// logProblems logs problems, a line each, and shows where in a file they are.
func (n *node) logProblems(problems []bgp.Problem) {
	for _, p := range problems {
		n.log.Warn(p.Text, p.Attributes()...)
		if p.Excerpt != "" && n.settings.Log.Format != "json" && n.log.Enabled(context.Background(), slog.LevelWarn) {
			fmt.Fprintln(os.Stderr, "    "+strings.ReplaceAll(p.Excerpt, "\n", "\n    "))
		}
	}
}

// strict is the error that --strict makes of problems; nil: there are none, or
// nobody wants to be strict.
func (n *node) strict(problems []bgp.Problem) error {
	count := 0
	for _, p := range problems {
		if !p.IsAdvice() {
			count++
		}
	}
	if !n.settings.Strict || count == 0 {
		return nil
	}
	return fmt.Errorf("warnings that --strict makes errors: %d (see above)", count)
}

func reloadOptions(s settings.Settings, log *slog.Logger) reload.Options {
	return reload.Options{Logger: log, CheckTimeout: s.Timing.CheckTimeout, ReloadTimeout: s.Timing.ReloadTimeout}
}
