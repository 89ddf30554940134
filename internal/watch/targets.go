package watch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Targets are the places where a change matters.
type Targets struct {
	// Again is after what time to look again, whatever happens; 0: when it is time
	// anyway.
	Again time.Duration

	dirs  map[string]bool // every change inside counts
	names map[string]bool // this very name counts
}

// NewTargets returns an empty set.
func NewTargets() Targets {
	return Targets{dirs: map[string]bool{}, names: map[string]bool{}}
}

// AddDir adds everything directly in a folder that is there.
func (t Targets) AddDir(dir string) { t.dirs[filepath.Clean(dir)] = true }

// AddName adds the coming, going and changing of one file or folder, which
// need not be there: nor need the folders above it.
func (t Targets) AddName(name string) {
	name = filepath.Clean(name)
	for {
		t.names[name] = true
		parent := filepath.Dir(name)
		if info, err := os.Stat(parent); err == nil && info.IsDir() || parent == name {
			return
		}
		name = parent
	}
}

// AddTree adds everything in a folder, which may be a link to one, and in the
// folders below it but for hidden ones. What is not there is left out.
func (t Targets) AddTree(root string) {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return nil // what cannot be watched is polled
		case path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		}
		t.AddDir(path)
		return nil
	})
}

// watched returns the folders to watch for all this.
func (t Targets) watched() map[string]bool {
	dirs := make(map[string]bool, len(t.dirs)+len(t.names))
	for d := range t.dirs {
		dirs[d] = true
	}
	for n := range t.names {
		dirs[filepath.Dir(n)] = true
	}
	return dirs
}
