package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"confd/internal/foreign"
)

// What lay on disk before a set is kept until BIRD has agreed to the set: the
// process may be killed while nobody knows whether BIRD will.

// keepBefore copies what lies in the places of targets; nil where nothing does.
// The copies are readable as the files are, in a folder that nobody else may
// enter.
func keepBefore(s Set, targets []*target, agreed bool) (*Before, error) {
	b := &Before{Agreed: agreed}
	var files []content
	for _, t := range targets {
		if t.was == nil {
			continue
		}
		kept := RecordedFile{Dest: t.Dest, SHA256: t.was.sum(), Mode: t.was.mode}
		files = append(files, content{base: strconv.Itoa(len(b.Files)), data: t.was.data, mode: t.was.mode, uid: -1, gid: -1})
		b.Files = append(b.Files, KeptFile{kept, t.was.uid, t.was.gid})
	}
	if len(files) == 0 {
		return nil, nil
	}
	folder := filepath.Dir(s.Daemon.Main)
	err := b.write(folder, s.Name, files)
	if err != nil {
		return nil, fmt.Errorf("keeping the files from before in %s (nothing was changed): %w", folder, advise(err))
	}
	return b, nil
}

func (b *Before) write(folder, set string, files []content) error {
	in, err := foreign.Open(folder)
	if err != nil {
		return err
	}
	defer in.Close()
	kept, err := in.MakeTemp(beforePrefix(set))
	if err != nil {
		return err
	}
	defer kept.Close()
	b.Folder = kept.Name()
	for _, f := range files {
		if err := kept.Create(f.base, f.fill); err != nil {
			return errors.Join(err, in.RemoveAll(b.Folder))
		}
	}
	return errors.Join(kept.Sync(), in.Sync())
}

// read is the set that lay on disk, from its copies.
func (b *Before) read(r *Record) (Set, error) {
	s := Set{Name: r.Set, Mark: b.Mark}
	in, err := foreign.Open(filepath.Dir(r.Main))
	if err != nil {
		return s, err
	}
	defer in.Close()
	kept, err := in.Sub(b.Folder)
	if err != nil {
		return s, err
	}
	defer kept.Close()
	for i, f := range b.Files {
		data, _, err := kept.Read(strconv.Itoa(i), maxFile)
		if err != nil {
			return s, err
		}
		if Sum(data) != f.SHA256 {
			return s, fmt.Errorf("%s: the copy is not what it was", f.Dest)
		}
		s.Files = append(s.Files, File{Dest: f.Dest, Data: data, Mode: f.Mode, UID: f.UID, GID: f.GID})
	}
	return s, nil
}

// wayBack is the way back that a record knows.
func (n installer) wayBack(s Set, r *Record) *backup {
	set := Set{Name: s.Name, Daemon: s.Daemon}
	before := known{phase: unsure}
	if old, err := r.Before.read(r); err == nil {
		before.generation = newGeneration(old)
	}
	undo := swapped{undo: func() error { return n.putBack(set, r) }}
	return &backup{swapped: undo, agreed: r.Before.Agreed, before: before}
}

// putBack installs the files that a process before this one has kept, and removes
// those of the set that were not there then.
func (n installer) putBack(s Set, r *Record) error {
	old, err := r.Before.read(r)
	if err != nil {
		return err
	}
	if old.Daemon = s.Daemon; !slices.ContainsFunc(old.Files, func(f File) bool { return f.Dest == s.Daemon.Main }) {
		old.Daemon = nil
	}
	targets, err := readTargets(old)
	if err != nil {
		return err
	}
	st, err := n.stage(old, targets)
	if err != nil {
		return err
	}
	defer st.close(false)
	if _, err := n.swap(old, st); err != nil {
		return err
	}
	var errs []error
	for _, dest := range r.newcomers(old) {
		errs = append(errs, removeOurs(dest))
	}
	return errors.Join(errs...)
}

// newcomers are the files of what is recorded to lie on disk now that were not
// there before.
func (r *Record) newcomers(old Set) []string {
	var list []string
	if len(r.Generations) == 0 {
		return nil
	}
	for _, f := range r.Generations[0].Files {
		if !slices.ContainsFunc(old.Files, func(o File) bool { return o.Dest == f.Dest }) {
			list = append(list, f.Dest)
		}
	}
	return list
}

// removeOurs removes a file that we have put there.
func removeOurs(dest string) error {
	err := foreign.Remove(dest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the folder is gone, too
	}
	return err
}

// forgetBefore removes the copies of a set's files but those in the folder keep.
func forgetBefore(set string, in *foreign.Folder, keep string) {
	entries, _ := in.Entries()
	for _, e := range entries {
		if holdsBefore(set, e.Name()) && e.Name() != keep {
			_ = in.RemoveAll(e.Name()) // else another time
		}
	}
}
