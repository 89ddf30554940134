package reload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// store is the hidden folder that holds the generations of one set's files in
// one folder.
type store struct{ folder, set string }

// currentLink is the name of the link to the generation in use.
const currentLink = "current"

func (s *store) path() string { return filepath.Join(s.folder, hiddenPrefix+s.set) }

// target is what the link in the place of a file says: relative, so that it
// holds wherever the folder is mounted.
func (s *store) target(base string) string {
	return filepath.Join(hiddenPrefix+s.set, currentLink, base)
}

// linked says that a file is a link into the store.
func (s *store) linked(base string) bool {
	to, err := os.Readlink(filepath.Join(s.folder, base))
	return err == nil && to == s.target(base)
}

// current is the name of the generation in use; empty where there is none.
func (s *store) current() string {
	to, err := os.Readlink(filepath.Join(s.path(), currentLink))
	if err != nil {
		return ""
	}
	return to
}

func (s *store) create() error {
	if err := os.Mkdir(s.path(), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The umask may have taken bits: who may read a file must get at it.
	if err := os.Chmod(s.path(), 0o755); err != nil {
		return err
	}
	return syncDir(s.folder)
}

// retired are the files that are linked into the store and not among targets.
func (s *store) retired(targets []*target) ([]content, error) {
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, t := range targets {
		mine[t.base] = true
	}
	var files []content
	for _, e := range entries {
		if mine[e.Name()] || e.Type() != fs.ModeSymlink || !s.linked(e.Name()) {
			continue
		}
		was, err := readOnDisk(filepath.Join(s.folder, e.Name()))
		if err != nil {
			return nil, err
		}
		if was != nil {
			files = append(files, was.content(e.Name()))
		}
	}
	return files, nil
}

// adopt turns files into links where they are not yet, without a change of what
// they hold at any moment: first the store gets copies of what is there, then
// each file is replaced by a link to its copy. It returns the files that cannot
// be replaced.
func (s *store) adopt(targets []*target) (unlinkable []*target, err error) {
	var missing []*target
	for _, t := range targets {
		if !s.linked(t.base) {
			missing = append(missing, t)
		}
	}
	if len(missing) == 0 && s.current() != "" {
		return nil, nil
	}
	files, err := s.installed(targets)
	if err != nil {
		return nil, err
	}
	if err := s.keep(files); err != nil {
		return nil, err
	}
	for _, t := range missing {
		err := s.link(t.base)
		if cannotRename(err) {
			unlinkable = append(unlinkable, t)
		} else if err != nil {
			return nil, err
		}
	}
	return unlinkable, syncDir(s.folder)
}

// installed is what the folder holds of the set, past and present. A file that
// is new beside others is empty: as a link to nothing it would break an include
// of all files in the folder. The main file (the first) is not made up, as BIRD
// would start with an empty one.
func (s *store) installed(targets []*target) ([]content, error) {
	files, err := s.retired(targets)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if t.was != nil {
			files = append(files, t.was.content(t.base))
		} else if t != targets[0] && targets[0].was != nil {
			empty := targets[0].was.content(t.base)
			empty.data = nil
			files = append(files, empty)
		}
	}
	return files, nil
}

// keep makes a generation of files and puts it to use.
func (s *store) keep(files []content) error {
	gen, err := os.MkdirTemp(s.path(), "set-")
	if err != nil {
		return err
	}
	if err := writeFiles(gen, files); err != nil {
		return errors.Join(err, os.RemoveAll(gen))
	}
	return s.flip(filepath.Base(gen))
}

// take moves a staged folder into the store as a generation, without what was
// linked into it for the check.
func (s *store) take(d *stagedDir) (gen string, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			continue
		}
		if err := os.RemoveAll(filepath.Join(d.path, e.Name())); err != nil {
			return "", err
		}
	}
	if err := syncDir(d.path); err != nil {
		return "", err
	}
	gen = "set" + strings.TrimPrefix(filepath.Base(d.path), hiddenPrefix+"stage-"+s.set)
	to := filepath.Join(s.path(), gen)
	if err := os.Rename(d.path, to); err != nil {
		return "", err
	}
	d.path, d.moved = to, true
	return gen, nil
}

// flip puts a generation to use.
func (s *store) flip(gen string) error {
	if err := s.symlink(gen, filepath.Join(s.path(), currentLink)); err != nil {
		return err
	}
	return syncDir(s.path())
}

// link puts a link into the store in a file's place.
func (s *store) link(base string) error {
	return s.symlink(s.target(base), filepath.Join(s.folder, base))
}

// symlink makes a link, or replaces what is at path by it, in one step.
func (s *store) symlink(to, path string) error {
	tmp, err := os.MkdirTemp(s.path(), "link-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	name := filepath.Join(tmp, "link")
	if err := os.Symlink(to, name); err != nil {
		return err
	}
	return os.Rename(name, path)
}

// undo goes back to a generation, takes away the links to files that were not
// there before, and restores those that are not links.
func (s *store) undo(gen string, targets, unlinkable []*target) error {
	if err := s.flip(gen); err != nil {
		return err
	}
	var errs []error
	for _, t := range unlinkable {
		errs = append(errs, t.restoreInPlace())
	}
	for _, t := range targets {
		if t.was == nil && s.linked(t.base) {
			errs = append(errs, os.Remove(t.Dest))
		}
	}
	return errors.Join(append(errs, syncDir(s.folder))...)
}
