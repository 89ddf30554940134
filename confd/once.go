package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"confd/reload"
	"confd/templates"
)

// runOnce renders and applies once; with --noop it prints what would change.
func runOnce(ctx context.Context, n *node, log *slog.Logger) error {
	return n.once(ctx, func(files []templates.File, d daemons) error {
		if n.settings.Noop {
			return printDifferences(os.Stdout, n.sets(files, d))
		}
		return applyOnce(ctx, n, n.sets(files, d), log)
	})
}

// once renders what the datastore says now, and gives it to use. With --strict
// it fails where something had to be left out, after use had what there is.
func (n *node) once(ctx context.Context, use func([]templates.File, daemons) error) error {
	d, err := findDaemons(ctx, n.settings.BIRD)
	if err != nil {
		return err
	}
	state, err := gatherOnce(ctx, n.settings, n.log)
	if err != nil {
		return err
	}
	cfg, err := n.compute(state)
	if err != nil {
		return err
	}
	logProblems(n.log, cfg.Problems)
	files, err := n.render(ctx, cfg, state, d.version)
	if err != nil {
		return err
	}
	if err := use(files, d); err != nil {
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
