// Package source knows the tree that a release is made from: its commit, that
// commit's time and its version. Whatever is made depends on these alone, so that
// the same commit makes the same bytes.
package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Tree is a working tree of the project.
type Tree struct {
	Dir     string    // where it is, absolute
	Version string    // such as v1.2.3 or v1.2.3-4-g0123abc, and -dirty where files were changed
	Commit  string    // the whole hash
	Time    time.Time // of the commit, in UTC: the one time that what is made has
	Cache   string    // where Go keeps what it has compiled; empty: where the user has it
}

// Read asks git about the tree that dir is in. The version is what it says
// (git describe), unless one is given.
func Read(ctx context.Context, dir, version string) (Tree, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
		if err != nil {
			return "", fmt.Errorf("git %s in %s: %w", strings.Join(args, " "), dir, said(err))
		}
		return strings.TrimSpace(string(out)), nil
	}
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return Tree{}, err
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return Tree{}, err
	}
	text, err := git("show", "--no-patch", "--format=%ct", "HEAD")
	if err != nil {
		return Tree{}, err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return Tree{}, fmt.Errorf("the time of commit %s: %w", commit, err)
	}
	if version == "" {
		if version, err = git("describe", "--tags", "--match", "v[0-9]*", "--always", "--dirty"); err != nil {
			return Tree{}, err
		}
	}
	return Tree{Dir: filepath.Clean(top), Version: named(version), Commit: commit, Time: time.Unix(seconds, 0).UTC()}, nil
}

// Export writes what the commit has into a new folder, which is a tree without git, and
// without anything that lies in this one besides.
func (t Tree) Export(ctx context.Context, dir string) (Tree, error) {
	archive := filepath.Clean(dir) + ".tar"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Tree{}, fmt.Errorf("exporting %s: %w", t.Commit, err)
	}
	defer os.Remove(archive)
	for _, args := range [][]string{{"git", "-C", t.Dir, "archive", "--output=" + archive, t.Commit}, {"tar", "-C", dir, "-xf", archive}} {
		if _, err := exec.CommandContext(ctx, args[0], args[1:]...).Output(); err != nil {
			return Tree{}, fmt.Errorf("exporting %s: %s: %w", t.Commit, args[0], said(err))
		}
	}
	t.Dir, t.Version = dir, strings.TrimSuffix(t.Version, "-dirty")
	return t, nil
}

// named is a version that sorts below all others where the tree has no tag yet
// and git describe says the commit alone.
func named(version string) string {
	if len(version) > 1 && version[0] == 'v' && version[1] >= '0' && version[1] <= '9' {
		return version
	}
	return "v0.0.0-0-g" + version
}

// said is an error with what the command wrote to stderr.
func said(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
