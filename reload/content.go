package reload

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"confd/internal/foreign"
)

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

// writeFiles writes files into dir, each to disk, and opens dir to those who may read the
// files. dir is to be synced where it stays: a file that is renamed out of it comes to disk
// with the folder that it goes to.
func writeFiles(dir *foreign.Folder, files []content) error {
	for _, f := range files {
		if err := dir.Create(f.base, f.fill); err != nil {
			return err
		}
	}
	return openTo(dir, files)
}

// fill writes the content into a new file.
func (c content) fill(f *os.File) error {
	if _, err := f.Write(c.data); err != nil {
		return err
	}
	return c.own(f)
}

// own sets owner and mode.
func (c content) own(f *os.File) error {
	err := foreign.Attr{Mode: c.mode, UID: c.uid, GID: c.gid}.Set(f)
	if err == nil || c.strict {
		return err
	}
	return f.Chmod(c.mode)
}

// openTo gives dir the owner of the last file (which is one of the set's, as what
// is retired comes first), and lets those in who may read a file.
func openTo(dir *foreign.Folder, files []content) error {
	if len(files) == 0 {
		return dir.Give(foreign.Attr{Mode: 0o700, UID: -1, GID: -1})
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
	err := dir.Give(foreign.Attr{Mode: mode, UID: owner.uid, GID: owner.gid})
	if err == nil || owner.strict {
		return err
	}
	return dir.Give(foreign.Attr{Mode: mode, UID: -1, GID: -1})
}

func idOr(id, own int) int {
	if id < 0 {
		return own
	}
	return id
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

// writeInPlace overwrites a file that is there. It does not cut the file short
// before the new text is written, so that a full disk leaves the room to write
// the old one.
func (c content) writeInPlace(folder *foreign.Folder) (err error) {
	old, _, err := folder.ReadOfAnyone(c.base, maxFile)
	if err != nil {
		return err
	}
	f, _, err := folder.OpenRegular(c.base, os.O_RDWR)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
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

// cannotRename says that the place is a mount point (of a file in a container,
// for instance), which no rename replaces.
func cannotRename(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV)
}
