package reload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"confd/internal/foreign"
)

// originalSuffix ends the name of the copy of a file that somebody else wrote, beside
// the one that is in its place now.
const originalSuffix = ".orig"

// keepOriginals keeps what lies in the places of a set that this process is the first
// to put anything in, and that is not recorded as ours: it is copied to the same name
// with .orig, once. A copy that is there stays as it is.
func (k *keeper) keepOriginals(s Set, targets []*target) error {
	if s.Daemon == nil || k.phase != absent {
		return nil
	}
	for _, t := range targets {
		if t.was == nil || k.of(s).wrote(t.Dest, t.was.sum()) {
			continue
		}
		switch err := t.keepOriginal(); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return fmt.Errorf("keeping the file that somebody else wrote as %s (nothing was changed): %w", t.Dest+originalSuffix, advise(err))
		default:
			k.log.Warn("somebody else wrote the file that is about to be replaced: it is kept", "set", s.Name, "file", t.Dest, "kept", t.Dest+originalSuffix)
		}
	}
	return nil
}

func (t *target) keepOriginal() error {
	in, err := foreign.Open(filepath.Dir(t.Dest))
	if err != nil {
		return err
	}
	defer in.Close()
	return in.Keep(t.base+originalSuffix, t.was.copyTo)
}

// copyTo writes a copy with the same mode and owner. Where it cannot be given to that
// owner, nobody else may read it.
func (w *onDisk) copyTo(f *os.File) error {
	if _, err := f.Write(w.data); err != nil {
		return err
	}
	err := foreign.Attr{Mode: w.mode, UID: w.uid, GID: w.gid}.Set(f)
	if errors.Is(err, fs.ErrPermission) {
		return f.Chmod(w.mode & 0o700)
	}
	return err
}

// wrote says whether a file with that Sum is recorded as one that we put there.
func (r *Record) wrote(dest, hash string) bool {
	same := func(f RecordedFile) bool { return f.Dest == dest && f.SHA256 == hash }
	if r.Before != nil && r.Before.Agreed && slices.ContainsFunc(r.Before.Files, func(f KeptFile) bool { return same(f.RecordedFile) }) {
		return true
	}
	return slices.ContainsFunc(r.Generations, func(g Generation) bool { return slices.ContainsFunc(g.Files, same) })
}
