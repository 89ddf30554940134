package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"

	"confd/backends"
	"confd/backends/file"
	"confd/backends/workload"
	"confd/etc"
	"confd/internal/golden"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/templates"
)

// caseRenderer renders the targets of golden checks. What several of them have
// in common is made once, when the first one needs it.
type caseRenderer struct {
	targets map[targetKey]caseTarget
	checker birdChecker
	log     *slog.Logger
}

// targetKey tells targets apart.
type targetKey struct {
	of         *golden.Case
	node, bird string
}

func keyOf(t golden.Target) targetKey { return targetKey{t.Case, t.Node, t.Bird} }

// caseTarget is what a target is rendered with.
type caseTarget struct {
	settings settings.Settings
	version  templates.Version
	state    func() (*backends.State, error)
	engine   func() (*templates.Engine, error)
}

// engineKey is what an engine depends on.
type engineKey struct{ confDir, prefix, node string }

// newCaseRenderer reads the settings of the targets. Its errors are about them.
func newCaseRenderer(ctx context.Context, targets []golden.Target, checker birdChecker) (*caseRenderer, error) {
	r := &caseRenderer{targets: map[targetKey]caseTarget{}, checker: checker, log: slog.New(slog.DiscardHandler)}
	states := map[*golden.Case]func() (*backends.State, error){}
	engines := map[engineKey]func() (*templates.Engine, error){}
	for _, t := range targets {
		s, version, err := targetSettings(t)
		if err != nil {
			return nil, err
		}
		if states[t.Case] == nil {
			states[t.Case] = sync.OnceValues(func() (*backends.State, error) { return caseState(ctx, t.Case) })
		}
		key := engineKey{t.ConfDir, s.Templates.Prefix, s.Node}
		if t.ConfDir == "" {
			key = engineKey{} // the built-in resources look nothing up
		}
		if engines[key] == nil {
			engines[key] = sync.OnceValues(func() (*templates.Engine, error) { return caseEngine(key) })
		}
		r.targets[keyOf(t)] = caseTarget{settings: s, version: version, state: states[t.Case], engine: engines[key]}
	}
	return r, nil
}

// targetSettings are a target's settings: those of its case, and defaults.
// Nothing comes from the environment.
func targetSettings(t golden.Target) (settings.Settings, templates.Version, error) {
	values := settings.Layer{}
	for name, text := range t.Settings {
		if text != "" {
			values[name] = settings.Given{Text: text, From: t.At(name)}
		}
	}
	values["node"] = settings.Given{Text: t.Node, From: t.At("node")}
	values["bird"] = settings.Given{Text: t.Bird, From: t.At("bird")}
	s, err := settings.Alone(values)
	if err != nil {
		return s, templates.Version{}, err
	}
	version, err := templates.ParseVersion(t.Bird)
	if err != nil {
		err = fmt.Errorf("%s: %w", t.At("bird"), err)
	}
	return s, version, err
}

// caseState reads the resources of a case. A document that cannot be read at
// all is an error; an object that cannot be used is part of the state.
func caseState(ctx context.Context, c *golden.Case) (*backends.State, error) {
	events, err := file.Load(ctx, c.Data, nil)
	if err != nil {
		return nil, settings.Error{Err: err}
	}
	if c.EndpointStatus != "" {
		statuses, err := workload.Load(ctx, c.EndpointStatus)
		if err != nil {
			return nil, settings.Error{Err: err}
		}
		events = append(events, statuses...)
	}
	state := backends.NewState()
	for _, e := range events {
		if e.Key.Kind == file.KindFile {
			return nil, settings.Error{Err: fmt.Errorf("%s: %w", e.Key, e.Err)}
		}
		state.Apply(e)
	}
	return state, nil
}

func caseEngine(key engineKey) (*templates.Engine, error) {
	options := templates.Options{Prefix: key.prefix, Node: key.node}
	if key.confDir != "" {
		engine, err := templates.Load(os.DirFS(key.confDir), options)
		if err != nil {
			return nil, fmt.Errorf("templates in %s: %w", key.confDir, err)
		}
		return engine, nil
	}
	builtIn, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		return nil, err
	}
	return templates.Load(builtIn, options)
}

// render makes the files of a target, and has BIRD read them.
func (r *caseRenderer) render(ctx context.Context, t golden.Target) (golden.Rendering, error) {
	of := r.targets[keyOf(t)]
	var out golden.Rendering
	engine, err := of.engine()
	if err != nil {
		return out, err
	}
	state, err := of.state()
	if err != nil {
		return out, err
	}
	n := plan.Planner{
		Settings: planSettings(of.settings), Templates: plan.Templates{Engine: engine, BuiltIn: t.ConfDir == ""},
		Env: func(name string) string { return t.Env[name] },
	}
	cfg, err := n.Compute(state)
	if err != nil {
		return out, err
	}
	files, err := n.Render(ctx, cfg, state, of.version)
	if err != nil {
		return out, err
	}
	for _, p := range cfg.Problems {
		out.Warnings = append(out.Warnings, golden.Warning{
			Code: string(p.Code), Text: fmt.Sprintf("%s: %s", p.Object, p.Text), Detail: problemExcerpt(p),
		})
	}
	out.Files = map[string][]byte{}
	for i, name := range wantedNames(files) {
		out.Files[name] = files[i].Data
	}
	_, tunnel := cfg.NeedsTunnel()
	verdict, err := r.checker.check(ctx, files, of.version, tunnel)
	out.CheckedBy, out.Note, out.Refused = verdict.by, verdict.note, verdict.refused
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
