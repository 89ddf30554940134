package reload

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

	"confd/internal/foreign"
)

// maxFile is how large a file on disk may be: more than BIRD is ever given.
const maxFile = 256 << 20

// onDisk is a file as it is now.
type onDisk struct {
	data     []byte
	info     fs.FileInfo
	mode     fs.FileMode
	uid, gid int
	hash     string // Sum of data, once somebody has asked
}

// sum is Sum of what is in the file.
func (w *onDisk) sum() string {
	if w.hash == "" {
		w.hash = Sum(w.data)
	}
	return w.hash
}

// target is a file of a set, and what is in its place; nil where nothing is.
type target struct {
	File
	base string
	was  *onDisk
}

// readTargets looks at what is installed. The main file comes first. What was written last
// is probably what is there.
func readTargets(s Set, written []File) ([]*target, error) {
	var targets []*target
	for _, f := range s.Files {
		t, err := readTarget(f, fileFor(f.Dest, written))
		if err != nil {
			return nil, err
		}
		if s.Daemon != nil && f.Dest == s.Daemon.Main {
			targets = slices.Insert(targets, 0, t)
		} else {
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// fileFor is the file of a list that goes into a place; an empty one where there is none.
func fileFor(dest string, list []File) File {
	i := slices.IndexFunc(list, func(f File) bool { return f.Dest == dest })
	if i < 0 {
		return File{}
	}
	return list[i]
}

// readTarget looks at what is in the place of a file, which is probably written.
func readTarget(f, written File) (*target, error) {
	was, err := readKnown(f.Dest, written)
	if err != nil {
		return nil, err
	}
	f.Mode = f.mode()
	return &target{File: f, base: filepath.Base(f.Dest), was: was}, nil
}

// find opens the folder of what lies at path. Links that are ours or root's are
// followed; base is the file's name in that folder.
func find(path string) (folder *foreign.Folder, base string, err error) {
	path, err = foreign.Resolve(path)
	if err != nil {
		return nil, "", err
	}
	folder, err = foreign.Open(filepath.Dir(path))
	return folder, filepath.Base(path), err
}

// stat looks at a file without reading it.
func stat(path string) (fs.FileInfo, error) {
	folder, base, err := find(path)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.Lstat(base)
}

// readOnDisk reads a file, of whoever it is; nil where there is none.
func readOnDisk(path string) (*onDisk, error) { return readKnown(path, File{}) }

// readKnown is readOnDisk for a file that is probably what was written. Where it is, its
// sum is known as well.
func readKnown(path string, written File) (*onDisk, error) {
	folder, base, err := find(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	data := written.Data
	info, same, err := folder.Has(base, data)
	if err == nil && !same {
		data, info, err = folder.ReadOfAnyone(base, maxFile)
	}
	if err != nil {
		return nil, err
	}
	was := &onDisk{data: data, info: info, mode: info.Mode().Perm(), uid: -1, gid: -1}
	if same {
		was.hash = written.Sum
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		was.uid, was.gid = int(sys.Uid), int(sys.Gid)
	}
	return was, nil
}

func (w *onDisk) equal(other *onDisk) bool {
	return w.mode == other.mode && w.uid == other.uid && w.gid == other.gid && bytes.Equal(w.data, other.data)
}

// changed says that what is on disk is not what the set wants.
func (t *target) changed() bool {
	return t.was == nil || t.was.mode != t.Mode || !bytes.Equal(t.was.data, t.Data) ||
		t.UID >= 0 && t.UID != t.was.uid || t.GID >= 0 && t.GID != t.was.gid
}

func changed(targets []*target) []string {
	var list []string
	for _, t := range targets {
		if t.changed() {
			list = append(list, t.Dest)
		}
	}
	slices.Sort(list)
	return list
}

// otherFile says that BIRD has read another file than the set's. A path that is
// relative, or not there for us, says nothing: it may be ours under another name,
// in a container for instance.
func (s Set) otherFile(path string) error {
	if !filepath.IsAbs(path) || path == s.Daemon.Main {
		return nil
	}
	ours, err := readOnDisk(s.Daemon.Main)
	theirs, err2 := readOnDisk(path)
	if err != nil || err2 != nil || ours == nil || theirs == nil || bytes.Equal(ours.data, theirs.data) {
		return nil
	}
	return fmt.Errorf("%w: it reads %s, and %s was written: start it with -c %s, or set the folder", ErrOtherFile, path, s.Daemon.Main, s.Daemon.Main)
}
