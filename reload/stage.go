package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A set is staged beside where it goes, in a folder for each folder that it has
// files in. The folder of the main file (or the first) comes first; its stage
// shows whatever else the folder has too, so that a relative include finds the
// new version of what is in the set and the installed file of what is not.
//
// A stage is locked as long as its process lives. So one without a lock is a
// dead process's, and can go.

type stage struct{ dirs []*stagedDir }

type stagedDir struct {
	folder  string // where the files go
	path    string // where they are now
	lock    *os.File
	targets []*target
	moved   bool // it has become the installed set
}

// content is a file to be written.
type content struct {
	base     string
	data     []byte
	mode     fs.FileMode
	uid, gid int  // -1: whatever a new file gets
	strict   bool // failing to set the owner is an error
}

// content is the new version of a target; an owner that the set leaves open
// is that of the installed file, where we may give files away.
func (t *target) content() content {
	c := content{base: t.base, data: t.Data, mode: t.Mode, uid: t.UID, gid: t.GID, strict: t.UID >= 0 || t.GID >= 0}
	if t.was != nil && c.uid < 0 {
		c.uid = t.was.uid
	}
	if t.was != nil && c.gid < 0 {
		c.gid = t.was.gid
	}
	return c
}

func (w *onDisk) content(base string) content {
	return content{base: base, data: w.data, mode: w.mode, uid: w.uid, gid: w.gid}
}

// stage writes a set's files into new staging folders.
func (a *Applier) stage(s Set, targets []*target) (*stage, error) {
	st := &stage{dirs: byFolder(targets)}
	prefix := hiddenPrefix + "stage-" + s.Name + "-"
	for _, d := range st.dirs {
		if !s.KeepStage {
			removeDead(d.folder, func(name string) bool { return strings.HasPrefix(name, prefix) })
		}
		if err := d.write(prefix, s.Name); err != nil {
			st.close(false)
			return nil, fmt.Errorf("staging in %s (nothing was changed): %w", d.folder, advise(err))
		}
	}
	main := st.dirs[0]
	if err := st.overlay(main.path, main.folder); err != nil {
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

// write makes d's folder and its files. Files that were once in the set and are
// linked into its store stay as they are: they move along.
func (d *stagedDir) write(prefix, set string) error {
	files, err := (&store{d.folder, set}).retired(d.targets)
	if err != nil {
		return err
	}
	for _, t := range d.targets {
		files = append(files, t.content())
	}
	if d.path, err = os.MkdirTemp(d.folder, prefix); err != nil {
		return err
	}
	if d.lock, err = lockDir(d.path); err != nil {
		return err
	}
	return writeFiles(d.path, files)
}

// overlay links into dir whatever folder has and dir does not.
func (st *stage) overlay(dir, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if strings.HasPrefix(e.Name(), hiddenPrefix) {
			continue
		}
		if st.below(path) {
			err = st.overlayFolder(filepath.Join(dir, e.Name()), path)
		} else {
			err = os.Symlink(path, filepath.Join(dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// overlayFolder is overlay for a folder below the main one that has files of
// the set in it, or below it.
func (st *stage) overlayFolder(dir, folder string) error {
	main, err := os.Stat(st.dirs[0].path)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if sys, ok := main.Sys().(*syscall.Stat_t); ok {
		_ = os.Chown(dir, int(sys.Uid), int(sys.Gid)) // as good as it goes
	}
	if err := os.Chmod(dir, main.Mode().Perm()); err != nil {
		return err
	}
	for _, d := range st.dirs {
		if d.folder != folder {
			continue
		}
		for _, t := range d.targets {
			if err := os.Symlink(filepath.Join(d.path, t.base), filepath.Join(dir, t.base)); err != nil {
				return err
			}
		}
	}
	return st.overlay(dir, folder)
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
			return filepath.Join(d.path, filepath.Base(dest))
		}
	}
	return dest
}

// unstaged replaces staged paths in text by where the files go.
func (st *stage) unstaged(text string) string {
	for _, d := range st.dirs {
		text = strings.ReplaceAll(text, d.path+"/", strings.TrimSuffix(d.folder, "/")+"/")
	}
	return text
}

// close lets go of the stage and removes what has not been installed of it.
func (st *stage) close(keep bool) {
	for _, d := range st.dirs {
		if d.path != "" && !d.moved && !keep {
			os.RemoveAll(d.path)
		}
		if d.lock != nil {
			d.lock.Close()
			d.lock = nil
		}
	}
}

// writeFiles writes files into dir, syncs all to disk, and opens dir to those
// who may read the files.
func writeFiles(dir string, files []content) error {
	for _, f := range files {
		if err := f.write(filepath.Join(dir, f.base)); err != nil {
			return err
		}
	}
	if err := openTo(dir, files); err != nil {
		return err
	}
	return syncDir(dir)
}

func (c content) write(path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err = f.Write(c.data); err != nil {
		return err
	}
	if err := c.own(f); err != nil {
		return err
	}
	return f.Sync()
}

// own sets owner and mode; the owner first, as a new owner clears bits.
func (c content) own(f *os.File) error {
	if c.uid >= 0 || c.gid >= 0 {
		if err := f.Chown(c.uid, c.gid); err != nil && c.strict {
			return err
		}
	}
	return f.Chmod(c.mode)
}

// openTo gives dir the owner of the first file (the main one comes after what is
// retired, so the last counts), and lets those in who may read a file.
func openTo(dir string, files []content) error {
	if len(files) == 0 {
		return os.Chmod(dir, 0o700)
	}
	owner := files[len(files)-1]
	same := func(f content) bool {
		return idOr(f.uid, os.Geteuid()) == idOr(owner.uid, os.Geteuid()) && idOr(f.gid, os.Getegid()) == idOr(owner.gid, os.Getegid())
	}
	mode := fs.FileMode(0o700)
	for _, f := range files {
		if f.mode&0o040 != 0 {
			mode |= 0o050
		}
		if f.mode&0o004 != 0 || !same(f) {
			mode |= 0o055
		}
	}
	if owner.uid >= 0 || owner.gid >= 0 {
		if err := os.Chown(dir, owner.uid, owner.gid); err != nil && owner.strict {
			return err
		}
	}
	return os.Chmod(dir, mode)
}

func idOr(id, own int) int {
	if id < 0 {
		return own
	}
	return id
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a folder, and say so.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// lockDir marks a folder as used for as long as the file is open.
func lockDir(path string) (*os.File, error) {
	d, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		d.Close()
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	return d, nil
}

// removeDead removes those entries of folder that match and that nobody has
// locked. What cannot be removed is left for the next time.
func removeDead(folder string, match func(name string) bool) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if !match(e.Name()) {
			continue
		}
		path := filepath.Join(folder, e.Name())
		if !e.IsDir() {
			os.Remove(path)
			continue
		}
		if lock, err := lockDir(path); err == nil {
			os.RemoveAll(path)
			lock.Close()
		}
	}
}

// advise adds what to do to errors of the file system.
func advise(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free space there", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: mount it writable", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run as a user who may do that", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: create the folder", err)
	}
	return err
}
