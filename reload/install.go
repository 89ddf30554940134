package reload

import (
	"context"
)

// install stages, checks and swaps.
func (k *keeper) install(ctx context.Context, s Set, targets []*target, res *Result) error {
	st, err := k.disk.stage(s, targets)
	if err != nil {
		return err
	}
	keep := s.KeepStage
	defer func() { st.close(keep) }()
	res.Staged = k.opts.Now()
	if res.Unchecked, err = k.checks.toInstall(ctx, s, st, targets[0].was == nil); err != nil {
		return err
	}
	if !res.Unchecked {
		res.Checked = k.opts.Now()
	}
	if s.KeepStage { // the swap uses a staging folder up
		k.log.Info("the staged files are kept", "set", s.Name, "folder", st.dirs[0].dir.Path())
		st.close(true)
		keep = false
		if st, err = k.disk.stage(s, targets); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return k.replace(s, st, targets, res)
}

// replace swaps a staged set that has passed its check, where it could be checked.
func (k *keeper) replace(s Set, st *stage, targets []*target, res *Result) error {
	generation := newGeneration(s)
	agreed := s.Daemon != nil && (k.phase == confirmed && k.generation.lies(targets) == nil || k.confirmedOnDisk(s, targets))
	if err := k.keepOriginals(s, targets); err != nil {
		return err
	}
	if s.Daemon != nil && !res.Unchecked {
		var before *Before
		if k.back == nil {
			var err error
			if before, err = keepBefore(s, targets, agreed); err != nil {
				return err
			}
		}
		k.noteChecked(s, generation, before, res.Checked)
	}
	undo, err := k.disk.swap(s, st)
	clear(k.prints)
	if err != nil {
		k.noteGone(s, generation.Hash)
		return err
	}
	res.Swapped, k.wrote = k.opts.Now(), s.Files
	k.swapped(generation, &backup{swapped: undo, agreed: agreed})
	k.collect(s)
	return nil
}
