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
	n := &node{Planner: plan.Planner{Settings: planSettings(s), Env: os.Getenv}, settings: s, log: log}
	var err error
	n.Templates, err = plan.Load(n.Planner.Settings, log)
	return n, err
}

// planSettings are those of the settings that a candidate depends on.
func planSettings(s settings.Settings) plan.Settings {
	return plan.Settings{
		BGP: bgp.Options{
			Node: s.Node, K8sNode: s.NodeRef, RouterID: s.BGP.RouterID,
			ClusterIPs: s.BGP.ClusterIPs, LogSeverity: s.BGP.LogSeverity,
			SecretNamespace: s.Kubernetes.Namespace, RequirePasswords: s.BGP.RequirePasswords,
		},
		ConfDir: s.Templates.ConfDir, Prefix: s.Templates.Prefix,
		Files: plan.FileSettings{
			Mode: s.Templates.Mode, Owner: s.Templates.Owner, Group: s.Templates.Group,
			KeepStage: s.Templates.KeepStageFile, SyncOnly: s.Templates.SyncOnly,
		},
	}
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
