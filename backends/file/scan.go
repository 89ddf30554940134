package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"confd/internal/watch"
)

// listing is which files there are, in the order in which they count, and what
// to watch to notice that this changes.
type listing struct {
	files   []string
	listed  map[string]bool
	targets watch.Targets
}

// list finds the files of all paths. The listing's targets are usable even
// with an error.
func list(paths []string) (*listing, error) {
	l := &listing{listed: map[string]bool{}, targets: watch.NewTargets()}
	var errs []error
	for _, p := range paths {
		l.targets.AddName(p)
		if err := l.add(p); err != nil {
			errs = append(errs, err)
		}
	}
	return l, errors.Join(errs...)
}

func (l *listing) add(path string) error {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there", path)
	case err != nil:
		return fmt.Errorf("cannot look at %s: %w", path, err)
	case info.IsDir():
		return l.addFolder(path)
	case info.Mode().IsRegular():
		l.targets.AddDir(filepath.Dir(path))
		l.addFile(path, true)
		return nil
	}
	return fmt.Errorf("%s is neither a file nor a folder", path)
}

// addFolder adds the files below dir in the order of their names. Hidden ones
// are not for us: editors' and those from which a ConfigMap volume is made.
func (l *listing) addFolder(dir string) error {
	l.targets.AddDir(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot read a folder: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			if err := l.addFolder(path); err != nil && !vanished(path) {
				return err
			}
		case isYAML(path):
			l.addFile(path, e.Type()&fs.ModeSymlink != 0)
		}
	}
	return nil
}

func (l *listing) addFile(path string, mayBeLink bool) {
	if l.listed[path] {
		return
	}
	l.listed[path] = true
	l.files = append(l.files, path)
	if !mayBeLink {
		return
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		l.targets.AddName(real)
	}
}

func isYAML(path string) bool {
	switch filepath.Ext(path) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// vanished tells that there is nothing by that name, not even a link that
// leads nowhere.
func vanished(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
