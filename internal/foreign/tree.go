package foreign

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Make makes a folder that only we may enter, and opens it. That there is one
// already is an error.
func (d *Folder) Make(name string) (*Folder, error) {
	if err := valid(name); err != nil {
		return nil, err
	}
	if err := d.root.Mkdir(name, 0o700); err != nil {
		return nil, d.of(name, err)
	}
	return d.Sub(name)
}

// MakeTemp is Make with a name that starts with prefix and that nobody can guess.
func (d *Folder) MakeTemp(prefix string) (*Folder, error) {
	sub, err := d.Make(prefix + random())
	return sub, d.of(prefix+"*", err)
}

// random is a number that nobody can guess.
func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return strconv.FormatUint(binary.NativeEndian.Uint64(b[:]), 10)
}

// Name is the folder's own, without what it is in.
func (d *Folder) Name() string { return filepath.Base(d.path) }

// Give sets who owns the folder, and who may enter it; the owner first, as a new
// one clears bits.
func (d *Folder) Give(a Attr) error {
	f, err := d.Handle()
	if err != nil {
		return err
	}
	defer f.Close()
	return a.Set(f)
}

// RemoveAll removes whatever lies under a name, and what is in it. Links are
// removed, not followed.
func (d *Folder) RemoveAll(name string) error {
	if err := valid(name); err != nil {
		return err
	}
	return d.of(name, d.root.RemoveAll(name))
}

// Readlink is where a link leads to, as it says; empty where there is no link.
func (d *Folder) Readlink(name string) string {
	if valid(name) != nil {
		return ""
	}
	to, _ := d.root.Readlink(name) // whatever the reason, there is no link to be read
	return to
}

// Symlink makes a symbolic link. That something is there already is an error.
func (d *Folder) Symlink(to, name string) error {
	if err := valid(name); err != nil {
		return err
	}
	return d.of(name, d.root.Symlink(to, name))
}

// Link puts a symbolic link in a place, in one step: what was there is replaced.
func (d *Folder) Link(to, name string) error {
	temp := tempPrefix + random()
	if err := d.Symlink(to, temp); err != nil {
		return d.of(name, err)
	}
	if err := d.Move(temp, d, name); err != nil {
		_ = d.root.Remove(temp)
		return err
	}
	return nil
}

// Move puts an entry into a folder, under another name, and in the place of what
// is there. A folder there, where a file comes, is an error that wraps ErrInTheWay.
func (d *Folder) Move(from string, to *Folder, name string) error {
	if err := errors.Join(valid(from), valid(name)); err != nil {
		return err
	}
	err := d.with(to, func(source, target int) error { return unix.Renameat(source, from, target, name) })
	path := filepath.Join(to.path, name)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EISDIR):
		return inTheWay(path, "it is a folder")
	}
	return &fs.PathError{Op: "rename", Path: path, Err: err}
}

// with does something with the descriptors of d and of another folder.
func (d *Folder) with(other *Folder, do func(source, target int) error) error {
	source, err := d.Handle()
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := other.Handle()
	if err != nil {
		return err
	}
	defer target.Close()
	return do(int(source.Fd()), int(target.Fd()))
}

// SecondName gives a file a second name, in another folder, where it is still the one that
// was looked at before. Where anybody but us and root may write into it, who could do so
// under either name, or where it has several names already, it is an error; so it is where
// the file system has no second names.
func (d *Folder) SecondName(of string, was fs.FileInfo, in *Folder, name string) error {
	if err := errors.Join(valid(of), valid(name)); err != nil {
		return err
	}
	path := filepath.Join(d.path, of)
	if !Ours(was) || was.Mode()&othersWrite != 0 {
		return inTheWay(path, "others may write into it")
	}
	if severalNames(was) {
		return inTheWay(path, "it is a file with several names (hard links)")
	}
	if err := d.with(in, func(source, target int) error { return unix.Linkat(source, of, target, name, 0) }); err != nil {
		return &fs.PathError{Op: "link", Path: path, Err: err}
	}
	if !in.Still(name, was) {
		return errors.Join(inTheWay(path, "it was exchanged this very moment"), in.Remove(name))
	}
	return nil
}

// othersWrite are the bits of a mode that let others than its owner write.
const othersWrite = 0o022
