package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"confd/internal/foreign"
)

// What lay on disk before a set is kept until BIRD has agreed to the set: the
// process may be killed while nobody knows whether BIRD will.

// Before is what lay on disk, and where copies of it are.
type Before struct {
	// Agreed is set where BIRD had confirmed it.
	Agreed bool   `json:"agreed"`
	Mark   string `json:"mark,omitempty"` // see Set.Mark
	// Folder is the name of the one that holds the copies, beside the main file; a
	// copy's name is the file's place in Files.
	Folder string     `json:"folder"`
	Files  []KeptFile `json:"files"`
}

// KeptFile is a file that lay on disk.
type KeptFile struct {
	RecordedFile
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// beforePrefix starts the names of the folders that hold copies of a set's files.
func beforePrefix(set string) string { return hiddenPrefix + "before-" + set + "-" }

// holdsBefore says that a folder of that name holds copies of a set's files. The
// end of the name is random, and has no dash.
func holdsBefore(set, name string) bool {
	random, ours := strings.CutPrefix(name, beforePrefix(set))
	return ours && random != "" && !strings.ContainsAny(random, "-/")
}

func (b *Before) validate(set string) error {
	if !holdsBefore(set, b.Folder) {
		return fmt.Errorf("the files from before are in %q", b.Folder)
	}
	for _, f := range b.Files {
		if !validDest(f.Dest) {
			return fmt.Errorf("before there was a file %q", f.Dest)
		}
	}
	return nil
}

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
		kept := RecordedFile{Dest: t.Dest, SHA256: sum(t.was.data), Mode: t.was.mode}
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
		if sum(data) != f.SHA256 {
			return s, fmt.Errorf("%s: the copy is not what it was", f.Dest)
		}
		s.Files = append(s.Files, File{Dest: f.Dest, Data: data, Mode: f.Mode, UID: f.UID, GID: f.GID})
	}
	return s, nil
}

// putBack installs the files that a process before this one has kept, and removes
// those of the set that were not there then.
func (a *Applier) putBack(s Set, r *Record) error {
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
	st, err := a.stage(old, targets)
	if err != nil {
		return err
	}
	defer st.close(false)
	if _, err := a.swap(old, st); err != nil {
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

// forgetBefore removes copies that are needed no more.
func (m *memory) forgetBefore(set string, in *foreign.Folder) {
	entries, _ := in.Entries()
	for _, e := range entries {
		needed := m.record != nil && m.record.Before != nil && m.record.Before.Folder == e.Name()
		if holdsBefore(set, e.Name()) && !needed {
			_ = in.RemoveAll(e.Name()) // else another time
		}
	}
}
