package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"

	"confd/internal/agent"
	"confd/internal/calicosocket"
	"confd/internal/host"
	"confd/internal/plan"
	"confd/internal/settings"
	"confd/internal/supervise"
	"confd/internal/version"
	"confd/templates"
)

// run keeps this node's BIRD in step until ctx ends; with --onetime or --noop
// it works once.
func run(ctx context.Context, s settings.Settings) error {
	log, level := newLevelLogger(ctx, s.Log)
	return runLogged(ctx, s, log, level)
}

// runLogged is run with a log of the caller's, whose level it changes as the
// datastore says.
func runLogged(ctx context.Context, s settings.Settings, log *slog.Logger, level *slog.LevelVar) error {
	// What changes while the templates are read is seen as a change.
	fingerprint, _ := templates.Fingerprint(s.Templates.ConfDir) // reading them says what is wrong
	n, broken := newNode(s, log)
	if s.OneTime || s.Noop {
		if broken != nil {
			return broken
		}
		return runOnce(ctx, n, log)
	}
	if err := supervise.CheckCommands(s.Exec); err != nil {
		return settings.Error{Err: err}
	}
	if len(s.Exec) > 0 && os.Getpid() == 1 {
		return asProcess1(log)
	}
	if err := runAgent(ctx, n, broken, fingerprint, level); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if len(s.Exec) > 0 {
		log.Info("stopped, after BIRD")
		return nil
	}
	log.Info("stopped: BIRD keeps the configuration that it has")
	return nil
}

// runAgent runs the loop until ctx ends. broken is why the templates of the start
// could not be read, fingerprint what they were.
func runAgent(ctx context.Context, n *node, broken error, fingerprint string, level *slog.LevelVar) error {
	s := n.settings
	if s.Kubernetes.FromHome {
		return settings.Error{Err: fmt.Errorf("no API server: this is no pod, and %s is of a person, who may log in elsewhere at any time: name a kubeconfig with --kubeconfig (KUBECONFIG)", s.Kubernetes.Kubeconfig)}
	}
	sources, err := newSources(s, n.log)
	if err != nil {
		return err
	}
	tell, err := eventTeller(s, n.log)
	if err != nil {
		return settings.Error{Err: err}
	}
	signals := make(chan os.Signal, 8)
	// Those that BIRD has a use for. Without BIRD as a child they must not end the
	// program either.
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	changed := make(chan struct{}, 1)
	around := &host.Host{Node: s.Node, BIRD: s.BIRD, Reload: reloadOptions(s, n.log)}
	defer around.Close()
	g, ctx := errgroup.WithContext(ctx)
	if folder := s.Templates.ConfDir; folder != "" {
		g.Go(func() error { host.WatchTemplates(ctx, folder, fingerprint, changed, n.log); return nil })
	}
	if s.Watch.Routes > 0 {
		g.Go(func() error { around.Changes.Run(ctx); return nil })
	}
	if folder := s.Watch.CalicoSockets; folder != "" {
		g.Go(func() error {
			return calicosocket.Serve(ctx, calicosocket.Options{Folder: folder, Dial: around.Dial, Log: n.log})
		})
	}
	g.Go(func() error {
		return agent.Run(ctx, agent.Options{
			Settings: s, Program: version.Read().Version, Planner: n.Planner, Broken: broken,
			Load:    func() (plan.Templates, error) { return plan.Load(n.Planner.Settings, n.log) },
			Changed: changed, Sources: sources, Usage: usageOf(sources), Signals: signals, Log: n.log, Level: level,
			World: around, Watcher: tell,
			Children: func(ctx context.Context, g *errgroup.Group, o agent.ChildObserver) agent.Children {
				return supervise.NewChildren(ctx, g, s.Exec, o, n.log)
			},
		})
	})
	return g.Wait()
}

// asProcess1 runs the program once more, as a child: what it starts must outlive
// a crash of it.
func asProcess1(log *slog.Logger) error {
	code, err := supervise.Init(log)
	if err == nil && code != 0 {
		err = childEnded{code}
	}
	return err
}
