package golden

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"strings"

	"confd/backends"
	"confd/backends/file"
	"confd/backends/workload"
	"confd/bgp"
	"confd/internal/birdcheck"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/templates"
)

// Rendering is what came out for a target.
type Rendering struct {
	// Files are the contents by name; names have forward slashes and stay below
	// the folder that they are put into.
	Files map[string][]byte
	// Warnings are what was left out or looks wrong, in order.
	Warnings []Warning
	// Verdict is what BIRD said of the files.
	Verdict birdcheck.Verdict
}

// load reads the resources of a case. A document that cannot be read at all is an
// error, as one of the case; an object that cannot be used is part of the state.
func (c *Case) load(ctx context.Context) (*bgp.Cluster, error) {
	events, err := file.Load(ctx, c.data, nil)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	if c.statuses != "" {
		statuses, err := workload.Load(ctx, c.statuses)
		if err != nil {
			return nil, settings.Error{Err: err}
		}
		events = append(events, statuses...)
	}
	state := backends.NewState()
	for _, e := range events {
		if e.Key.Kind == file.KindFile && e.Err != nil {
			return nil, settings.Error{Err: fmt.Errorf("%s: %w", e.Key, e.Err)}
		}
		state.Apply(e)
	}
	return bgp.NewCluster(state), nil
}

// planner computes and renders for one node of a case. builtIn are the templates
// of cases that have none of their own.
func (c *Case) planner(node string, builtIn plan.Templates) (plan.Planner, error) {
	p := plan.Planner{Settings: c.plan, Templates: builtIn, Env: func(name string) string { return c.env[name] }}
	p.Settings.BGP.Node = node
	if p.Settings.BGP.K8sNode == "" {
		p.Settings.BGP.K8sNode = node
	}
	if c.plan.ConfDir == "" {
		return p, nil
	}
	var err error
	if p.Templates, err = plan.Load(p.Settings, slog.New(slog.DiscardHandler)); err != nil {
		err = fmt.Errorf("templates in %s: %w", c.plan.ConfDir, err)
	}
	return p, err
}

// render makes the files of a target, and has BIRD read them. cfg is what p
// computed from state.
func (t Target) render(ctx context.Context, p plan.Planner, cfg *bgp.Config, state *backends.State, checker *birdcheck.Checker) (Rendering, error) {
	var out Rendering
	files, err := p.Render(ctx, cfg, state, t.bird.version)
	if err != nil {
		return out, err
	}
	for _, p := range cfg.Problems {
		out.Warnings = append(out.Warnings, warningOf(p))
	}
	out.Files = map[string][]byte{}
	for i, name := range wantedNames(files) {
		out.Files[name] = files[i].Data
	}
	_, tunnel := cfg.NeedsTunnel()
	out.Verdict, err = checker.Check(ctx, files, t.bird.version, tunnel)
	return out, err
}

// wantedNames are the names under which files are kept as wanted: the last part
// of each one's destination or, where two have the same one, all of it.
func wantedNames(files []templates.File) []string {
	count := map[string]int{}
	for _, f := range files {
		count[path.Base(path.Clean("/"+f.Dest))]++
	}
	names := make([]string, len(files))
	for i, f := range files {
		full := strings.TrimPrefix(path.Clean("/"+f.Dest), "/")
		names[i] = path.Base(full)
		if count[names[i]] > 1 {
			names[i] = full
		}
	}
	return names
}
