package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"confd/internal/foreign"
)

// A set is staged beside where it goes, in a folder for each folder that it has
// files in. The folder of the main file (or the first) comes first; its stage
// shows whatever else the folder has too, so that a relative include finds the
// new version of what is in the set and the installed file of what is not.

type stage struct{ dirs []*stagedDir }

type stagedDir struct {
	folder  string          // where the files go
	in      *foreign.Folder // that folder
	dir     *foreign.Folder // where the files are now
	lock    *os.File
	targets []*target
	moved   bool // it has become the installed set
}

// installer puts files in their places.
type installer struct{ log *slog.Logger }

// stage writes a set's files into new staging folders.
func (n installer) stage(s Set, targets []*target) (*stage, error) {
	st := &stage{dirs: byFolder(targets)}
	for _, d := range st.dirs {
		if err := d.stage(s); err != nil {
			st.close(false)
			return nil, fmt.Errorf("staging in %s (nothing was changed): %w", d.folder, advise(err))
		}
	}
	main := st.dirs[0]
	if err := st.overlay(main.dir, main.in); err != nil {
		st.close(false)
		return nil, fmt.Errorf("staging in %s (nothing was changed): %w", main.folder, advise(err))
	}
	return st, nil
}

func byFolder(targets []*target) []*stagedDir {
	var dirs []*stagedDir
	known := map[string]*stagedDir{}
	for _, t := range targets {
		folder := filepath.Dir(t.Dest)
		if known[folder] == nil {
			known[folder] = &stagedDir{folder: folder}
			dirs = append(dirs, known[folder])
		}
		known[folder].targets = append(known[folder].targets, t)
	}
	return dirs
}

// stage makes d's folder and its files. Files that were once in the set and are
// linked into its store stay as they are: they move along.
func (d *stagedDir) stage(s Set) (err error) {
	if d.in, err = foreign.Open(d.folder); err != nil {
		return err
	}
	prefix := stagePrefix(s.Name)
	if !s.KeepStage {
		removeDead(d.in, func(name string) bool { return strings.HasPrefix(name, prefix) })
		d.in.Tidy()
	}
	store := &store{d.in, s.Name}
	files, err := store.retired(d.targets)
	if err != nil {
		return err
	}
	for _, t := range d.targets {
		files = append(files, t.content())
	}
	if d.dir, err = d.in.MakeTemp(prefix); err != nil {
		return err
	}
	if d.lock, err = lockDir(d.dir); err != nil {
		return err
	}
	return writeFiles(d.dir, files)
}

// overlay links into dir whatever folder has and dir does not.
func (st *stage) overlay(dir, folder *foreign.Folder) error {
	entries, err := folder.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder.Path(), e.Name())
		if strings.HasPrefix(e.Name(), hiddenPrefix) {
			continue
		}
		if st.below(path) {
			err = st.overlayFolder(dir, e.Name(), path)
		} else {
			err = dir.Symlink(path, e.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// overlayFolder is overlay for a folder below the main one that has files of
// the set in it, or below it.
func (st *stage) overlayFolder(in *foreign.Folder, name, path string) error {
	folder, err := foreign.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	dir, err := in.Make(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := st.dirs[0].openLike(dir); err != nil {
		return err
	}
	for _, d := range st.dirs {
		if d.folder != path {
			continue
		}
		for _, t := range d.targets {
			if err := dir.Symlink(filepath.Join(d.dir.Path(), t.base), t.base); err != nil {
				return err
			}
		}
	}
	return st.overlay(dir, folder)
}

// openLike gives a folder the mode of d's stage, and its owner, as good as it goes.
func (d *stagedDir) openLike(dir *foreign.Folder) error {
	f, err := d.dir.Handle()
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := dir.Give(foreign.Attr{Mode: info.Mode().Perm(), UID: int(sys.Uid), GID: int(sys.Gid)}); err == nil {
			return nil
		}
	}
	return dir.Give(foreign.Attr{Mode: info.Mode().Perm(), UID: -1, GID: -1})
}

// below says that files of the set go into folder or below it.
func (st *stage) below(folder string) bool {
	for _, d := range st.dirs[1:] {
		if d.folder == folder || strings.HasPrefix(d.folder, folder+"/") {
			return true
		}
	}
	return false
}

// path is where the file for dest is staged.
func (st *stage) path(dest string) string {
	for _, d := range st.dirs {
		if d.folder == filepath.Dir(dest) {
			return filepath.Join(d.dir.Path(), filepath.Base(dest))
		}
	}
	return dest
}

// unstaged replaces staged paths in text by where the files go.
func (st *stage) unstaged(text string) string {
	for _, d := range st.dirs {
		text = strings.ReplaceAll(text, d.dir.Path()+"/", strings.TrimSuffix(d.folder, "/")+"/")
	}
	return text
}

// close lets go of the stage and removes what has not been installed of it.
func (st *stage) close(keep bool) {
	for _, d := range st.dirs {
		d.close(keep)
	}
}

func (d *stagedDir) close(keep bool) {
	if d.lock != nil {
		defer d.lock.Close()
	}
	if d.dir != nil {
		defer d.dir.Close()
		if !d.moved && !keep {
			_ = d.in.RemoveAll(d.dir.Name()) // else it goes with the next stage
		}
	}
	if d.in != nil {
		d.in.Close()
	}
	d.lock, d.dir, d.in = nil, nil, nil
}
