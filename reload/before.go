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

// keepBefore keeps what lies in the places of targets, in a folder that nobody else may
// enter; nil where nothing does.
func keepBefore(s Set, targets []*target, agreed bool) (*Before, error) {
	there := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool { return t.was == nil })
	if len(there) == 0 {
		return nil, nil
	}
	b := &Before{Agreed: agreed}
	for _, t := range there {
		kept := RecordedFile{Dest: t.Dest, SHA256: t.was.sum(), Mode: t.was.mode}
		b.Files = append(b.Files, KeptFile{kept, t.was.uid, t.was.gid})
	}
	folder := filepath.Dir(s.Daemon.Main)
	err := b.write(folder, s.Name, there)
	if err != nil {
		return nil, fmt.Errorf("keeping the files from before in %s (nothing was changed): %w", folder, advise(err))
	}
	return b, nil
}

func (b *Before) write(folder, set string, targets []*target) error {
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
	for i, t := range targets {
		if err := t.keep(set, kept, strconv.Itoa(i)); err != nil {
			return errors.Join(err, in.RemoveAll(b.Folder))
		}
	}
	return kept.Sync() // its own name comes to disk with the record's
}

// keep keeps the file that lies in t's place, readable as it is. Another one is about to be
// renamed over it, so that a second name will do; where that cannot be had it is copied.
// (A mount point, which is written in place, can have none.)
func (t *target) keep(set string, in *foreign.Folder, name string) error {
	if folder, base, err := find(t.Dest); err == nil {
		defer folder.Close()
		if t.losesItsName(set) && folder.SecondName(base, t.was.info, in, name) == nil {
			return nil
		}
	}
	return in.Create(name, content{data: t.was.data, mode: t.was.mode, uid: -1, gid: -1}.fill)
}

// losesItsName says whether the file that t's place leads to goes with what is replaced: it
// lies there itself, or in the set's store. Where somebody else's link is replaced it stays
// where it is, and may be written there.
func (t *target) losesItsName(set string) bool {
	in, err := foreign.Open(filepath.Dir(t.Dest))
	if err != nil {
		return false
	}
	defer in.Close()
	return in.Still(t.base, t.was.info) || (&store{in, set}).linked(t.base)
}

// read is the set that lay on disk, from what is kept of it.
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
		// It may have its first name, too, where it was not replaced after all.
		data, _, err := kept.ReadOfAnyone(strconv.Itoa(i), maxFile)
		if err != nil {
			return s, err
		}
		if Sum(data) != f.SHA256 {
			return s, fmt.Errorf("%s: what is kept of it is not what it was", f.Dest)
		}
		s.Files = append(s.Files, File{Dest: f.Dest, Data: data, Mode: f.Mode, UID: f.UID, GID: f.GID})
	}
	return s, nil
}

// wayBack is the way back that a record knows; an error where what is kept cannot be put
// back.
func (n installer) wayBack(s Set, r *Record) (*backup, error) {
	old, err := r.Before.read(r)
	if err != nil {
		return nil, err
	}
	set := Set{Name: s.Name, Daemon: s.Daemon}
	undo := swapped{undo: func() error { return n.putBack(set, r) }}
	return &backup{swapped: undo, agreed: r.Before.Agreed, before: known{phase: unsure, generation: newGeneration(old)}}, nil
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
	targets, err := readTargets(old, nil)
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

// forgetBefore removes what is kept of a set's files, but for the folder keep.
func forgetBefore(set string, in *foreign.Folder, keep string) {
	entries, _ := in.Entries()
	for _, e := range entries {
		if holdsBefore(set, e.Name()) && e.Name() != keep {
			_ = in.RemoveAll(e.Name()) // else another time
		}
	}
}
