package main

import (
	"log/slog"
	"os"

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
