package reload

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"confd/internal/foreign"
)

// store is the hidden folder that holds the generations of one set's files in
// one folder.
type store struct {
	in  *foreign.Folder
	set string
}

// currentLink is the name of the link to the generation in use.
const currentLink = "current"

func (s *store) name() string { return hiddenPrefix + s.set }

// open opens the store: a folder of ours.
func (s *store) open() (*foreign.Folder, error) { return s.in.Sub(s.name()) }

// target is what the link in the place of a file says: relative, so that it
// holds wherever the folder is mounted.
func (s *store) target(base string) string { return filepath.Join(s.name(), currentLink, base) }

// linked says that a file is a link into the store.
func (s *store) linked(base string) bool { return s.in.Readlink(base) == s.target(base) }

// current is the name of the generation in use; empty where there is none.
func (s *store) current() string {
	dir, err := s.open()
	if err != nil {
		return ""
	}
	defer dir.Close()
	return dir.Readlink(currentLink)
}

// create opens the store, and makes it where there is none.
func (s *store) create() (*foreign.Folder, error) {
	dir, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		dir, err = s.in.Make(s.name())
	}
	if err != nil {
		return nil, err
	}
	// Who may read a file must get at it.
	if err := errors.Join(dir.Give(foreign.Attr{Mode: 0o755, UID: -1, GID: -1}), s.in.Sync()); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// retired are the files that are linked into the store and not among targets.
func (s *store) retired(targets []*target) ([]content, error) {
	entries, err := s.in.Entries()
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
		was, err := readOnDisk(filepath.Join(s.in.Path(), e.Name()))
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
func (s *store) adopt(dir *foreign.Folder, targets []*target) (unlinkable []*target, err error) {
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
	if err := s.keep(dir, files); err != nil {
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
	return unlinkable, s.in.Sync()
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

// stagePrefix starts the names of folders in which a set is staged.
func stagePrefix(set string) string { return hiddenPrefix + "stage-" + set + "-" }

// generationPrefix starts the names of generations in a store.
const generationPrefix = "set-"

// keep makes a generation of files and puts it to use.
func (s *store) keep(dir *foreign.Folder, files []content) error {
	gen, err := dir.MakeTemp(generationPrefix)
	if err != nil {
		return err
	}
	defer gen.Close()
	err = writeFiles(gen, files)
	if err == nil {
		err = gen.Sync()
	}
	if err != nil {
		return errors.Join(err, dir.RemoveAll(gen.Name()))
	}
	return s.flip(dir, gen.Name())
}

// take moves a staged folder into the store as a generation, without what was
// linked into it for the check.
func (s *store) take(dir, staged *foreign.Folder) (gen string, err error) {
	entries, err := staged.Entries()
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			continue
		}
		if err := staged.RemoveAll(e.Name()); err != nil {
			return "", err
		}
	}
	if err := staged.Sync(); err != nil {
		return "", err
	}
	gen = generationPrefix + strings.TrimPrefix(staged.Name(), stagePrefix(s.set))
	return gen, s.in.Move(staged.Name(), dir, gen)
}

// flip puts a generation to use.
func (s *store) flip(dir *foreign.Folder, gen string) error {
	if err := dir.Link(gen, currentLink); err != nil {
		return err
	}
	return dir.Sync()
}

// link puts a link into the store in a file's place.
func (s *store) link(base string) error { return s.in.Link(s.target(base), base) }

// undo goes back to a generation, takes away the links to files that were not
// there before, and restores those that are not links.
func (s *store) undo(gen string, targets, unlinkable []*target) error {
	dir, err := s.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := s.flip(dir, gen); err != nil {
		return err
	}
	var errs []error
	for _, t := range unlinkable {
		errs = append(errs, t.restoreInPlace(s.in))
	}
	for _, t := range targets {
		if t.was == nil && s.linked(t.base) {
			errs = append(errs, s.in.Remove(t.base))
		}
	}
	return errors.Join(append(errs, s.in.Sync())...)
}

// collect removes generations that are neither in use nor needed.
func (s *store) collect(needed func(path string) bool) {
	dir, err := s.open()
	if err != nil {
		return // there is none, or it is not ours
	}
	defer dir.Close()
	current := dir.Readlink(currentLink)
	removeDead(dir, func(name string) bool {
		return name != currentLink && name != current && !needed(filepath.Join(dir.Path(), name))
	})
}
