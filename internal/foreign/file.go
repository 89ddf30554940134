package foreign

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ReadFile is Folder.Read for one file.
func ReadFile(path string, limit int64) ([]byte, fs.FileInfo, error) {
	d, err := Open(filepath.Dir(path))
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	return d.Read(filepath.Base(path), limit)
}

// WriteFile is Folder.Write for one file.
func WriteFile(path string, data []byte, a Attr) error {
	d, err := Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Write(filepath.Base(path), data, a)
}

// PutFile is Folder.Put for one file.
func PutFile(path string, data []byte, a Attr) error {
	d, err := Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Put(filepath.Base(path), data, a)
}

// Remove is Folder.Remove for one file.
func Remove(path string) error {
	d, err := Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Remove(filepath.Base(path))
}

// Read reads a regular file of at most limit bytes that belongs to us or to root,
// and has no other name: it was put there by one of us. The error wraps
// fs.ErrNotExist where there is none, and ErrInTheWay where something else is.
func (d *Folder) Read(name string, limit int64) ([]byte, fs.FileInfo, error) {
	return d.read(name, limit, onlyOurs)
}

// ReadOfAnyone is Read for a file that may belong to anybody: what is in it may be
// forged.
func (d *Folder) ReadOfAnyone(name string, limit int64) ([]byte, fs.FileInfo, error) {
	return d.read(name, limit, func(string, fs.FileInfo) error { return nil })
}

// Check says why what lies under a name could not be Read, without doing so.
func (d *Folder) Check(name string) error {
	info, err := d.Lstat(name)
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, name)
	return errors.Join(onlyRegular(path, info), onlyOurs(path, info))
}

func onlyRegular(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return inTheWay(path, "it is %s, not a regular file", kind(info.Mode()))
	}
	return nil
}

func onlyOurs(path string, info fs.FileInfo) error {
	if !Ours(info) {
		return inTheWay(path, "it belongs to user %d", ownerOf(info))
	}
	if severalNames(info) {
		return inTheWay(path, "it is a file with several names (hard links)")
	}
	return nil
}

func severalNames(info fs.FileInfo) bool {
	sys, ok := info.Sys().(*syscall.Stat_t)
	return ok && sys.Nlink != 1
}

// Has says whether a regular file, of anybody's, has just that text. It is not taken into
// memory.
func (d *Folder) Has(name string, text []byte) (fs.FileInfo, bool, error) {
	f, info, err := d.OpenRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	return info, info.Size() == int64(len(text)) && isText(f, text), nil
}

// isText says whether what is read from r is text, and nothing else.
func isText(r io.Reader, text []byte) bool {
	var part [32 << 10]byte
	for {
		n, err := r.Read(part[:])
		if n > len(text) || !bytes.Equal(part[:n], text[:n]) {
			return false
		}
		if text = text[n:]; err != nil {
			return errors.Is(err, io.EOF) && len(text) == 0
		}
	}
}

func (d *Folder) read(name string, limit int64, trusted func(string, fs.FileInfo) error) ([]byte, fs.FileInfo, error) {
	f, info, err := d.OpenRegular(name, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	path := filepath.Join(d.path, name)
	if err := trusted(path, info); err != nil {
		return nil, nil, err
	}
	// Room for all of it and a bit more, so that its end is found without making more.
	data := bytes.NewBuffer(make([]byte, 0, min(info.Size(), limit)+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, nil, err
	}
	if int64(data.Len()) > limit {
		return nil, nil, inTheWay(path, "it is larger than %d bytes", limit)
	}
	return data.Bytes(), info, nil
}

// OpenRegular opens a regular file that is there, of anybody's. It never blocks.
func (d *Folder) OpenRegular(name string, flag int) (*os.File, fs.FileInfo, error) {
	was, err := d.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(d.path, name)
	if err := onlyRegular(path, was); err != nil {
		return nil, nil, err
	}
	f, err := d.root.OpenFile(name, flag|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, d.of(name, err)
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, was) {
		err = inTheWay(path, "it was exchanged this very moment")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// OpenOurs opens a file that could be Read. It never blocks.
func (d *Folder) OpenOurs(name string, flag int) (*os.File, fs.FileInfo, error) {
	f, info, err := d.OpenRegular(name, flag)
	if err != nil {
		return nil, nil, err
	}
	if err := onlyOurs(filepath.Join(d.path, name), info); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Write writes a file in one step: under that name is the old or the new one,
// whatever happens. What was there is replaced, and neither followed nor opened;
// only a folder is an error, that wraps ErrInTheWay.
func (d *Folder) Write(name string, data []byte, a Attr) error {
	if err := d.Put(name, data, a); err != nil {
		return err
	}
	return d.Sync()
}

// Put is Write where it does not matter which of the two is there after the whole machine
// has died: it saves the disk a part of the work.
func (d *Folder) Put(name string, data []byte, a Attr) error {
	return d.Exchange(name, func(f *os.File) error {
		if _, err := f.Write(data); err != nil {
			return err
		}
		return a.Set(f)
	})
}

// Replace is Write for what fill writes into a new file, which nobody else may
// read until fill says so.
func (d *Folder) Replace(name string, fill func(*os.File) error) error {
	if err := d.Exchange(name, fill); err != nil {
		return err
	}
	return d.Sync()
}

// Exchange is Put for what fill writes, as in Replace.
func (d *Folder) Exchange(name string, fill func(*os.File) error) error {
	if err := valid(name); err != nil {
		return err
	}
	temp := tempPrefix + random()
	if err := d.Create(temp, fill); err != nil {
		_ = d.root.Remove(temp) // it goes with the next Tidy
		return d.of(name, err)
	}
	if err := d.Move(temp, d, name); err != nil {
		_ = d.root.Remove(temp)
		return err
	}
	return nil
}

// Keep is Replace for a file that is not there yet: what is there, whatever it is,
// stays, and the error wraps fs.ErrExist.
func (d *Folder) Keep(name string, fill func(*os.File) error) error {
	if err := valid(name); err != nil {
		return err
	}
	temp := tempPrefix + random()
	defer func() { _ = d.root.Remove(temp) }() // it has another name by then, or goes with the next Tidy
	if err := d.Create(temp, fill); err != nil {
		return d.of(name, err)
	}
	if err := d.root.Link(temp, name); err != nil {
		return d.of(name, err)
	}
	return d.Sync()
}

// Create makes a file that is not there yet, and brings to disk what fill writes.
func (d *Folder) Create(name string, fill func(*os.File) error) (err error) {
	if err := valid(name); err != nil {
		return err
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return d.of(name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := fill(f); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes a file or link. That there is none is no error.
func (d *Folder) Remove(name string) error {
	if err := valid(name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.of(name, err)
	}
	return nil
}

// Tidy removes what writers that were killed have left behind.
func (d *Folder) Tidy() {
	entries, err := d.Entries()
	if err != nil {
		return // it is done another time
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = d.root.Remove(e.Name())
		}
	}
}
