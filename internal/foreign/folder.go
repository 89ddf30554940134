// Package foreign reads and writes files of ours in a folder that may belong to
// somebody else, such as the user that BIRD runs as. Whoever owns the folder can
// put there what he likes, under any name and at any moment: so links are not
// followed, only regular files and folders are used, nothing is opened that could
// block, reads have a limit, and what is done in a folder is done in that one,
// even where it is renamed meanwhile.
package foreign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Folder is an open folder, whoever it belongs to. The names that its methods
// take are those of entries in it, without a slash. It is for one goroutine.
type Folder struct {
	root *os.Root
	path string
}

// Open opens the folder at path. Links on the way to it are followed where they
// belong to us or to root. The error wraps fs.ErrNotExist where there is none.
func Open(path string) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// What is found on the way cannot be opened for more than looking. So the
	// folder is opened by its path, and must be the one that was found.
	found, _, err := lookAt(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path + "/.") // a FIFO would block without the dot
	if err != nil {
		return nil, err
	}
	d := &Folder{root, path}
	if info, err := root.Stat("."); err != nil || !found.is(info) {
		d.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: it was exchanged this very moment", path))
	}
	return d, nil
}

// Close closes the folder.
func (d *Folder) Close() error { return d.root.Close() }

// Path is where the folder was found.
func (d *Folder) Path() string { return d.path }

// Sub opens a folder of ours in d: it belongs to us or to root.
func (d *Folder) Sub(name string) (*Folder, error) {
	sub, info, err := d.sub(name)
	if err == nil && !Ours(info) {
		sub.Close()
		return nil, inTheWay(sub.path, "it belongs to user %d", ownerOf(info))
	}
	return sub, err
}

// SubOfAnyone is Sub for a folder that may have been given to another user.
func (d *Folder) SubOfAnyone(name string) (*Folder, error) {
	sub, _, err := d.sub(name)
	return sub, err
}

func (d *Folder) sub(name string) (*Folder, fs.FileInfo, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(d.path, name)
	if !info.IsDir() {
		return nil, nil, inTheWay(path, "it is %s, not a folder", kind(info.Mode()))
	}
	root, err := d.root.OpenRoot(name + "/.")
	if err != nil {
		return nil, nil, d.of(name, err)
	}
	sub := &Folder{root, path}
	opened, err := root.Stat(".")
	if err == nil && !os.SameFile(opened, info) {
		err = inTheWay(path, "it was exchanged this very moment")
	}
	if err != nil {
		sub.Close()
		return nil, nil, err
	}
	return sub, opened, nil
}

// Lstat says what lies under a name, without following a link.
func (d *Folder) Lstat(name string) (fs.FileInfo, error) {
	if err := valid(name); err != nil {
		return nil, err
	}
	info, err := d.root.Lstat(name)
	return info, d.of(name, err)
}

// Still says whether what lies under a name is the file that was looked at before, and has
// not been written to since.
func (d *Folder) Still(name string, was fs.FileInfo) bool {
	is, err := d.Lstat(name)
	return err == nil && os.SameFile(is, was) && is.Size() == was.Size() && is.ModTime().Equal(was.ModTime())
}

// Handle opens the folder itself: to sync or lock it, or to set its owner and
// mode.
func (d *Folder) Handle() (*os.File, error) { return d.root.Open(".") }

// Entries lists what is in the folder, sorted by name.
func (d *Folder) Entries() ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), ".") }

// Sync brings to disk which names there are.
func (d *Folder) Sync() error {
	f, err := d.Handle()
	if err != nil {
		return err
	}
	defer f.Close()
	// Some file systems cannot sync a folder, and say so.
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// Ours says that a file or folder belongs to us or to root.
func Ours(info fs.FileInfo) bool {
	uid := ownerOf(info)
	return uid == 0 || uid == os.Geteuid()
}

// ownerOf is -1 where that is not known.
func ownerOf(info fs.FileInfo) int {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid)
	}
	return -1
}

// of has an error of the file system name the whole path, and the place that
// somebody knows rather than a temporary one.
func (d *Folder) of(name string, err error) error {
	path := filepath.Join(d.path, name)
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return &fs.PathError{Op: at.Op, Path: path, Err: at.Err}
	}
	if link := (*os.LinkError)(nil); errors.As(err, &link) {
		return &fs.PathError{Op: link.Op, Path: path, Err: link.Err}
	}
	return err
}

// kind is what something is that is not what it should be.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// valid says that a name is one of an entry in a folder.
func valid(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q is not the name of a file", name)
	}
	return nil
}
