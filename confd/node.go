package main

import (
	"log/slog"
	"os"

	"confd/bgp"
	"confd/internal/plan"
	"confd/internal/settings"
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

// leftOut counts the problems for which something is not in the configuration.
func leftOut(cfg *bgp.Config) int {
	count := 0
	for _, p := range cfg.Problems {
		if p.LeftOut {
			count++
		}
	}
	return count
}
