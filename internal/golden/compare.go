package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// comparison has what is wanted of a target, and what was rendered for it:
// contents by their path below the case's folder.
type comparison struct {
	folder    string
	want, got map[string][]byte
}

// compare reads what is wanted, and puts what was rendered beside it.
func (t Target) compare(r Rendering) (comparison, error) {
	c := comparison{folder: t.Name, want: map[string][]byte{}, got: map[string][]byte{}}
	all, err := wantedFiles(t.Name)
	if err != nil {
		return c, err
	}
	for _, name := range all {
		if !t.owns(name) {
			continue
		}
		if c.want[name], err = os.ReadFile(filepath.Join(t.Name, name)); err != nil {
			return c, fmt.Errorf("reading a wanted file: %w", err)
		}
	}
	for name, data := range r.Files {
		if !fs.ValidPath(name) || name == "." {
			return c, fmt.Errorf("file %q cannot be kept below %s", name, t.wantDir)
		}
		c.got[path.Join(t.wantDir, name)] = data
	}
	if file, wanted := c.want[t.warningsFile()]; wanted {
		c.got[t.warningsFile()] = stillThere(file, r.Warnings)
	}
	return c, nil
}

// warningsFile is where the lines of expected warnings are, below the case's
// folder, in a case that has such a file.
func (t Target) warningsFile() string { return path.Join(t.wantDir, warningsFile) }

// owns says whether the file of that name is for t: one in t's folder, or, of
// those that are in no target's folder, all for the first one.
func (t Target) owns(name string) bool {
	in := func(o Target) bool { return strings.HasPrefix(name, o.wantDir+"/") }
	return in(t) || t.first && !slices.ContainsFunc(t.Targets, in)
}

// wantedFiles are the files in a case's folder want, by their path below the
// case's. Hidden ones are passed over; there may be no such folder yet.
func wantedFiles(folder string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(folder), wantFolder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == wantFolder:
			return nil
		case err != nil:
			return err
		case name == wantFolder && !d.IsDir():
			return fmt.Errorf("%s is not a folder", filepath.Join(folder, name))
		case strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case !d.IsDir() && !strings.HasPrefix(d.Name(), "."):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for wanted files: %w", err)
	}
	return names, nil
}

// Diff is how a file differs from what is wanted.
type Diff struct {
	File string // below the case's folder
	Text string // a unified diff or, where there is no such file, a sentence
}

// diffs are the differences.
func (c comparison) diffs() []Diff {
	var diffs []Diff
	names := maps.Clone(c.got)
	maps.Copy(names, c.want)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		want, wanted := c.want[name]
		got, rendered := c.got[name]
		if wanted && rendered && string(want) == string(got) {
			continue
		}
		text := Unified(name, name+" (rendered)", string(want), string(got))
		switch {
		case !wanted:
			text = fmt.Sprintf("%s is not wanted yet, but rendered, with %s: --update writes it", name, counted(bytes.Count(got, []byte("\n")), "line"))
		case !rendered:
			text = fmt.Sprintf("%s is wanted, but not rendered: --update removes it", name)
		}
		diffs = append(diffs, Diff{File: name, Text: text})
	}
	return diffs
}

// update makes what was rendered the wanted files, and removes all others.
func (c comparison) update() ([]string, error) {
	var updated []string
	for _, name := range slices.Sorted(maps.Keys(c.got)) {
		if want, wanted := c.want[name]; wanted && string(want) == string(c.got[name]) {
			continue
		}
		file := filepath.Join(c.folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return updated, fmt.Errorf("updating: %w", err)
		}
		if err := os.WriteFile(file, c.got[name], 0o644); err != nil {
			return updated, fmt.Errorf("updating: %w", err)
		}
		updated = append(updated, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.want)) {
		if _, rendered := c.got[name]; rendered {
			continue
		}
		if err := c.remove(name); err != nil {
			return updated, fmt.Errorf("updating: %w", err)
		}
		updated = append(updated, "-"+name)
	}
	return updated, nil
}

// remove removes a file, and the folders in which it was the last one.
func (c comparison) remove(name string) error {
	if err := os.Remove(filepath.Join(c.folder, name)); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != wantFolder && dir != "."; dir = path.Dir(dir) {
		if os.Remove(filepath.Join(c.folder, dir)) != nil {
			break // something else is in it
		}
	}
	return nil
}
