package reload

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// onDisk is a file as it is now.
type onDisk struct {
	data     []byte
	mode     fs.FileMode
	uid, gid int
}

// target is a file of a set, and what is in its place; nil where nothing is.
type target struct {
	File
	base string
	was  *onDisk
}

// readTargets looks at what is installed. The main file comes first.
func readTargets(s Set) ([]*target, error) {
	var targets []*target
	for _, f := range s.Files {
		t, err := readTarget(f)
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

func readTarget(f File) (*target, error) {
	was, err := readOnDisk(f.Dest)
	if err != nil {
		return nil, err
	}
	f.Mode = f.mode()
	return &target{File: f, base: filepath.Base(f.Dest), was: was}, nil
}

// readOnDisk reads a file through symbolic links; nil where there is none.
func readOnDisk(path string) (*onDisk, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is in the way: it is not a regular file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	was := &onDisk{data: data, mode: info.Mode().Perm(), uid: -1, gid: -1}
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
