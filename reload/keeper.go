package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"confd/internal/foreign"
)

// tools are what sets are kept with.
type tools struct {
	opts   *Options
	log    *slog.Logger
	bird   *talker
	checks *checker
	disk   installer
}

func newTools(opts Options) *tools {
	bird := &talker{&opts, opts.Logger, context.WithTimeout}
	return &tools{&opts, opts.Logger, bird, &checker{&opts, opts.Logger, bird, map[string]passedCheck{}, versions{}}, installer{opts.Logger}}
}

// keeper keeps one set: its files on disk, in step with its BIRD.
type keeper struct {
	*tools
	known
	journal
	takenUp bool // what the process before knew, is
	prints  prints
	wrote   []File // last
}

func newKeeper(t *tools) *keeper {
	return &keeper{tools: t, journal: journal{logger: t.log}, prints: prints{}}
}

// confirm brings to disk that a set is in use.
func (k *keeper) confirm(s Set, res Result) Result {
	if s.socket() != "" {
		res.Commands = k.give(s)
	}
	res.State, res.Confirmed = Confirmed, k.opts.Now()
	k.noteConfirmed(s, k.generation, k.version, res.Confirmed)
	k.collect(s)
	return k.proven(res)
}

// undo puts the old files back.
func (k *keeper) undo(s Set, refused *RefusedError) error {
	if k.back == nil {
		k.noteNoTrial(s)
		return refused
	}
	if err := k.restore(s); err != nil {
		return errors.Join(refused, err)
	}
	if k.back.direct {
		k.undone() // BIRD uses them
	} else {
		k.restored()
	}
	k.collect(s)
	refused.Undone = true
	k.log.Warn("BIRD refused a set that had passed its check: the old files are back", "set", s.Name, "error", refused)
	return refused
}

// restore puts back what was on disk when BIRD last agreed.
func (k *keeper) restore(s Set) error {
	err := k.back.undo()
	clear(k.prints)
	if err != nil {
		return fmt.Errorf("putting the old files back: %w", advise(err))
	}
	k.noteGone(s, k.generation.Hash)
	return nil
}

// collect removes what no longer belongs to an installed set: generations, and
// copies, that are neither in use nor needed to go back.
func (k *keeper) collect(s Set) {
	folders := map[string]bool{}
	for _, f := range s.Files {
		folders[filepath.Dir(f.Dest)] = true
	}
	for folder := range folders {
		in, err := foreign.Open(folder)
		if err != nil {
			continue // another time
		}
		(&store{in, s.Name}).collect(k.back.needs)
		if s.Daemon != nil && folder == filepath.Dir(s.Daemon.Main) {
			forgetBefore(s.Name, in, k.of(s).kept())
		}
		in.Close()
	}
}
