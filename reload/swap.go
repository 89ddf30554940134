package reload

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"confd/internal/foreign"
)

// One file is swapped by renaming the new one over it. Several files of one
// folder are swapped as one: FOLDER/NAME is a symbolic link to
// FOLDER/.confd-SET/current/NAME, and "current" is one to a folder with a whole
// set, which a single rename replaces. (A BIRD that happens to be reading its
// files at that very moment may see both; it is told to read them again.)

// backup is the way back to what was on disk before.
type backup struct {
	undo   func() error
	gens   map[string]bool // generations in stores that it needs, by their paths
	agreed bool            // it leads to what BIRD has confirmed
	before known           // what was known of that
	direct bool            // there was nothing else on disk since
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
	store := &store{d.in, s.Name}
	if len(d.targets) == 1 && !store.linked(d.targets[0].base) {
		return a.swapFile(d, d.targets[0])
	}
	return a.swapLinks(store, d, back)
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
func (a *Applier) swapFile(d *stagedDir, t *target) (undo func() error, err error) {
	err = d.dir.Move(t.base, d.in, t.base)
	if cannotRename(err) {
		a.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		return later(d.folder, t.restoreInPlace), t.content().writeInPlace(d.in)
	}
	if err != nil {
		return nil, err
	}
	return later(d.folder, t.restore), d.in.Sync()
}

// cannotRename says that the place is a mount point (of a file in a container,
// for instance), which no rename replaces.
func cannotRename(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV)
}

// restore puts a single file's old version back.
func (t *target) restore(in *foreign.Folder) error {
	if t.was == nil {
		return errors.Join(in.Remove(t.base), in.Sync())
	}
	return in.Replace(t.base, t.was.content(t.base).fill)
}

func (t *target) restoreInPlace(in *foreign.Folder) error {
	if t.was == nil {
		return nil // a mount point is always there
	}
	if now, err := readOnDisk(t.Dest); err == nil && now != nil && now.equal(t.was) {
		return nil // it may be one that nobody can write
	}
	return t.was.content(t.base).writeInPlace(in)
}

// swapLinks installs the files of one folder as one.
func (a *Applier) swapLinks(s *store, d *stagedDir, back *backup) (undo func() error, err error) {
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
	gen, err := s.take(dir, d)
	if err != nil {
		return nil, err
	}
	if err := s.flip(dir, gen); err != nil {
		return nil, err
	}
	undo = later(d.folder, func(in *foreign.Folder) error {
		return (&store{in, s.set}).undo(old, d.targets, unlinkable)
	})
	for _, t := range unlinkable {
		a.log.Warn("the file is a mount point: it is written in place, which is not atomic", "file", t.Dest)
		if err := t.content().writeInPlace(d.in); err != nil {
			return undo, fmt.Errorf("%s: %w", t.Dest, err)
		}
	}
	return undo, nil
}

// collect removes what no longer belongs to an installed set: generations, and
// copies, that are neither in use nor needed to go back.
func (a *Applier) collect(s Set, mem *memory) {
	folders := map[string]bool{}
	for _, f := range s.Files {
		folders[filepath.Dir(f.Dest)] = true
	}
	for folder := range folders {
		in, err := foreign.Open(folder)
		if err != nil {
			continue // another time
		}
		mem.collectIn(&store{in, s.Name})
		if s.Daemon != nil && folder == filepath.Dir(s.Daemon.Main) {
			mem.forgetBefore(s.Name, in)
		}
		in.Close()
	}
}

func (m *memory) collectIn(s *store) {
	dir, err := s.open()
	if err != nil {
		return // there is none, or it is not ours
	}
	defer dir.Close()
	current := dir.Readlink(currentLink)
	removeDead(dir, func(name string) bool {
		needed := m.back != nil && m.back.gens[filepath.Join(dir.Path(), name)]
		return name != currentLink && name != current && !needed
	})
}
