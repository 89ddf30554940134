package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/host"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/internal/terminal"
	"confd/internal/unified"
	"confd/reload"
	"confd/templates"
)

// runOnce renders and applies once; with --noop it prints what would change.
func runOnce(ctx context.Context, n *node, log *slog.Logger) error {
	return n.once(ctx, func(files []templates.File, made rendering) error {
		sets := n.Sets(files, made.daemons)
		if n.settings.Noop {
			return printDifferences(os.Stdout, sets)
		}
		if n.settings.Safety.Hold {
			if err := holdOnce(ctx, n, sets, made); err != nil {
				return err
			}
		}
		log.Info("writing for BIRD", "version", made.daemons.Version.String(), "folder", made.daemons.Dir)
		return applyOnce(ctx, n, sets, log)
	})
}

// rendering is what files were made from, and for whom.
type rendering struct {
	daemons birds.Daemons
	config  *bgp.Config
	state   *backends.State
}

// holdOnce refuses to take most of the established sessions away.
func holdOnce(ctx context.Context, n *node, sets []reload.Set, made rendering) error {
	q := guard.Question{
		Options: n.Planner.Settings.BGP, Now: time.Now(), BIRD: made.daemons.Version.Major,
		Candidate: guard.Side{Config: made.config, State: made.state, Hash: plan.Hash(sets), Sets: plan.Texts(sets)},
	}
	v, err := judgeOnce(ctx, q, sets, false)
	if err == nil && v.NeedRoutes {
		v, err = judgeOnce(ctx, q, sets, true)
	}
	if err != nil {
		return err
	}
	if v.Held {
		return fmt.Errorf("not applied: %s (give --hold=false to do it all the same)", report.Held{Why: v.Why, Objects: v.Objects})
	}
	return nil
}

// judgeOnce judges by the sessions that are established; where whole is set by their
// routes, too.
func judgeOnce(ctx context.Context, q guard.Question, sets []reload.Set, whole bool) (guard.Verdict, error) {
	for _, s := range sets {
		if s.Daemon == nil || s.Daemon.Socket == "" {
			continue
		}
		seen, routes, err := (&host.Host{}).Survey(ctx, s.Daemon.Socket, whole)
		if err != nil && seen == nil {
			return guard.Verdict{}, fmt.Errorf("listing the sessions of set %s: %w", s.Name, err)
		}
		q.Routes = append(q.Routes, routes...)
		for _, one := range seen {
			one.Set, one.Established = s.Name, true
			q.Seen = append(q.Seen, one)
		}
	}
	return guard.Judge(q), nil
}

// once renders what the datastore says now, and gives it to use. With --strict
// it fails where there is something to warn of, after use had what there is.
func (n *node) once(ctx context.Context, use func([]templates.File, rendering) error) error {
	d, err := birds.Find(ctx, n.settings.BIRD)
	if err != nil {
		return err
	}
	state, err := gatherOnce(ctx, n.settings, n.log)
	if err != nil {
		return err
	}
	cfg, err := n.Compute(state)
	if err != nil {
		return err
	}
	n.logProblems(cfg.Problems)
	files, err := n.Render(ctx, cfg, state, d.Version)
	if err != nil {
		return err
	}
	if err := use(files, rendering{d, cfg, state}); err != nil {
		return err
	}
	return n.strict(cfg.Problems)
}

func applyOnce(ctx context.Context, n *node, sets []reload.Set, log *slog.Logger) error {
	o := reloadOptions(n.settings, log)
	applier := reload.New(o)
	var errs []error
	for _, s := range sets {
		done := terminal.Waiting(ctx, "waiting for BIRD to take the files of set "+s.Name+" over")
		r, err := applier.Apply(ctx, s)
		done()
		if err == nil && len(r.Commands) > 0 {
			changed := r.Changed
			r, err = applier.Ran(ctx, s, reload.RunCommands(ctx, r.Commands, o.ReloadTimeout))
			r.Changed = changed
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		log.Info("applied", "set", s.Name, "state", r.State.String(), "bird", r.Version, "files", r.Changed)
	}
	return errors.Join(errs...)
}

// printDifferences prints, as unified diffs, how the sets differ from what is
// on disk. Passwords are hidden.
func printDifferences(w io.Writer, sets []reload.Set) error {
	for _, s := range sets {
		for _, f := range s.Files {
			old, err := os.ReadFile(f.Dest)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if _, err := io.WriteString(w, unified.Hidden(unified.Diff(f.Dest, string(old), f.Dest+" (new)", string(f.Data)))); err != nil {
				return err
			}
		}
	}
	return nil
}
