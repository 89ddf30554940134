package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// One file is swapped by renaming the new one over it. Several files of one
// folder are swapped as one: FOLDER/NAME is a symbolic link to
// FOLDER/.confd-SET/current/NAME, and "current" is one to a folder with a whole
// set, which a single rename replaces. (A BIRD that happens to be reading its
// files at that very moment may see both; it is told to read them again.)

// backup is the way back from a swap.
type backup struct {
	undo   func() error
	gens   map[string]bool // folders that it needs
	agreed bool            // it leads to what BIRD has confirmed
}

// swap installs a staged set. Once it has begun nothing interrupts it. Where a
// step fails the steps before are undone.
func (a *Applier) swap(s Set, st *stage) (*backup, error) {
	if len(st.dirs) > 1 {
		a.log.Debug("the set has files in several folders, which are swapped one after the other", "set", s.Name)
	}
	back := &backup{gens: map[string]bool{}}
	var undos []func() error
	back.undo = func() error {
		var errs []error
		for i := len(undos) - 1; i >= 0; i-- {
			errs = append(errs, undos[i]())
		}
		return errors.Join(errs...)
	}
	for _, d := range st.dirs {
		undo, err := a.swapDir(s, d, back)
		if undo != nil {
			undos = append(undos, undo)
		}
		if err != nil {
			err = fmt.Errorf("installing in %s (the old files are kept): %w", d.folder, advise(err))
			return nil, errors.Join(err, back.undo())
		}
	}
	return back, nil
}

func (a *Applier) swapDir(s Set, d *stagedDir, back *backup) (undo func() error, err error) {
	store := &store{d.folder, s.Name}
	if len(d.targets) == 1 && !store.linked(d.targets[0].base) {
		return a.swapFile(s, d, d.targets[0])
	}
	return a.swapLinks(store, d, back)
}

// swapFile renames one file into its place.
func (a *Applier) swapFile(s Set, d *stagedDir, t *target) (undo func() error, err error) {
	err = os.Rename(filepath.Join(d.path, t.base), t.Dest)
	if cannotRename(err) {
		a.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		return func() error { return t.restoreInPlace() }, t.content().writeInPlace(t.Dest)
	}
	if err != nil {
		return nil, err
	}
	return func() error { return t.restore(d.folder, s.Name) }, syncDir(d.folder)
}

// cannotRename says that the place is a mount point (of a file in a container,
// for instance), which no rename replaces.
func cannotRename(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV)
}

// restore puts a single file's old version back.
func (t *target) restore(folder, set string) error {
	if t.was == nil {
		if err := os.Remove(t.Dest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(folder)
	}
	return replace(folder, set, t.was.content(t.base))
}

// replace writes a file of a folder in one step: it is the old or the new one,
// whatever happens. What a killed process leaves behind goes with the next stage.
func replace(folder, set string, c content) error {
	tmp, err := os.MkdirTemp(folder, hiddenPrefix+"stage-"+set+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, c.base)
	if err := c.write(path); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(folder, c.base)); err != nil {
		return err
	}
	return syncDir(folder)
}

func (t *target) restoreInPlace() error {
	if t.was == nil {
		return nil // a mount point is always there
	}
	if now, err := readOnDisk(t.Dest); err == nil && now != nil && now.equal(t.was) {
		return nil // it may be one that nobody can write
	}
	return t.was.content(t.base).writeInPlace(t.Dest)
}

// writeInPlace overwrites a file. It does not cut the file short before the new
// text is written, so that a full disk leaves the room to write the old one.
func (c content) writeInPlace(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := overwrite(f, c.data); err != nil {
		return errors.Join(err, overwrite(f, old))
	}
	return c.own(f)
}

func overwrite(f *os.File, data []byte) error {
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	return f.Sync()
}

// swapLinks installs the files of one folder as one.
func (a *Applier) swapLinks(s *store, d *stagedDir, back *backup) (undo func() error, err error) {
	if err := s.create(); err != nil {
		return nil, err
	}
	unlinkable, err := s.adopt(d.targets)
	if err != nil {
		return nil, err
	}
	old := s.current()
	back.gens[filepath.Join(s.path(), old)] = true
	gen, err := s.take(d)
	if err != nil {
		return nil, err
	}
	if err := s.flip(gen); err != nil {
		return nil, err
	}
	undo = func() error { return s.undo(old, d.targets, unlinkable) }
	for _, t := range unlinkable {
		a.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		if err := t.content().writeInPlace(t.Dest); err != nil {
			return undo, fmt.Errorf("%s: %w", t.Dest, err)
		}
	}
	return undo, nil
}
