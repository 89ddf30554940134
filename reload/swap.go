package reload

import (
	"errors"
	"fmt"
	"path/filepath"

	"confd/internal/foreign"
)

// One file is swapped by renaming the new one over it. Several files of one
// folder are swapped as one: FOLDER/NAME is a symbolic link to
// FOLDER/.confd-SET/current/NAME, and "current" is one to a folder with a whole
// set, which a single rename replaces. (A BIRD that happens to be reading its
// files at that very moment may see both; it is told to read them again.)

// swapped is how a swap is undone.
type swapped struct {
	undo func() error
	gens map[string]bool // generations in stores that it needs, by their paths
}

// swap installs a staged set. Once it has begun nothing interrupts it. Where a
// step fails the steps before are undone.
func (n installer) swap(s Set, st *stage) (swapped, error) {
	if len(st.dirs) > 1 {
		n.log.Debug("the set has files in several folders, which are swapped one after the other", "set", s.Name)
	}
	back := swapped{gens: map[string]bool{}}
	var undos []func() error
	back.undo = func() error {
		var errs []error
		for i := len(undos) - 1; i >= 0; i-- {
			errs = append(errs, undos[i]())
		}
		return errors.Join(errs...)
	}
	for _, d := range st.dirs {
		undo, err := n.swapDir(s, d, back)
		if undo != nil {
			undos = append(undos, undo)
		}
		if err != nil {
			err = fmt.Errorf("installing in %s (the old files are kept): %w", d.folder, advise(err))
			return swapped{}, errors.Join(err, back.undo())
		}
	}
	return back, nil
}

func (n installer) swapDir(s Set, d *stagedDir, back swapped) (undo func() error, err error) {
	store := &store{d.in, s.Name}
	if len(d.targets) == 1 && !store.linked(d.targets[0].base) {
		return n.swapFile(d, d.targets[0])
	}
	return n.swapLinks(store, d, back)
}

// later has something done in a folder at another time.
func later(folder string, do func(*foreign.Folder) error) func() error {
	return func() error {
		in, err := foreign.Open(folder)
		if err != nil {
			return err
		}
		defer in.Close()
		return do(in)
	}
}

// swapFile renames one file into its place.
func (n installer) swapFile(d *stagedDir, t *target) (undo func() error, err error) {
	err = d.dir.Move(t.base, d.in, t.base)
	if cannotRename(err) {
		n.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		return later(d.folder, t.restoreInPlace), t.content().writeInPlace(d.in)
	}
	if err != nil {
		return nil, err
	}
	return later(d.folder, t.restore), d.in.Sync()
}

// swapLinks installs the files of one folder as one.
func (n installer) swapLinks(s *store, d *stagedDir, back swapped) (undo func() error, err error) {
	dir, err := s.create()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	unlinkable, err := s.adopt(dir, d.targets)
	if err != nil {
		return nil, err
	}
	old := s.current()
	back.gens[filepath.Join(dir.Path(), old)] = true
	gen, err := s.take(dir, d.dir)
	if err != nil {
		return nil, err
	}
	d.moved = true
	if err := s.flip(dir, gen); err != nil {
		return nil, err
	}
	undo = later(d.folder, func(in *foreign.Folder) error {
		return (&store{in, s.set}).undo(old, d.targets, unlinkable)
	})
	for _, t := range unlinkable {
		n.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		if err := t.content().writeInPlace(d.in); err != nil {
			return undo, fmt.Errorf("%s: %w", t.Dest, err)
		}
	}
	return undo, nil
}
