package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
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
	up, err := established(ctx, sets)
	if err != nil {
		return err
	}
	w := &wanted{config: made.config, state: made.state, sets: sets, version: made.daemons.Version, hash: hashOf(sets)}
	if held := tooMuch(n.settings.Node, nil, w, inOrder(sets, up)); held != nil {
		return fmt.Errorf("not applied: %w (give --hold=false to do it all the same)", held)
	}
	return nil
}

// once renders what the datastore says now, and gives it to use. With --strict
// it fails where something had to be left out, after use had what there is.
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
	logProblems(n.log, cfg.Problems)
	files, err := n.Render(ctx, cfg, state, d.Version)
	if err != nil {
		return err
	}
	if err := use(files, rendering{d, cfg, state}); err != nil {
		return err
	}
	if count := leftOut(cfg); n.settings.Strict && count > 0 {
		return fmt.Errorf("%d problems left something out (see the warnings above)", count)
	}
	return nil
}

func applyOnce(ctx context.Context, n *node, sets []reload.Set, log *slog.Logger) error {
	applier := newApplier(n.settings, log)
	var errs []error
	for _, s := range sets {
		r, err := applier.Apply(ctx, s)
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
			if _, err := io.WriteString(w, unifiedDiff(f.Dest, string(old), string(f.Data))); err != nil {
				return err
			}
		}
	}
	return nil
}
