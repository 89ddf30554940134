package golden

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"confd/internal/terminal"
	"confd/internal/unified"
)

// comparison is what was rendered for a target, beside what is wanted. Files go
// by their path below the case's folder.
type comparison struct {
	folder string
	want   map[string]bool // which files are wanted
	got    map[string][]byte
	// warnings are the lines of expected warnings, where there is a file of them.
	warnings []byte
}

// compare looks what is wanted, and puts what was rendered beside it.
func (t Target) compare(r Rendering) (comparison, error) {
	c := comparison{folder: t.Name, got: map[string][]byte{}}
	var err error
	if c.want, err = t.wanted(); err != nil {
		return c, fmt.Errorf("looking for wanted files: %w", err)
	}
	for name, data := range r.Files {
		if !fs.ValidPath(name) || name == "." {
			return c, fmt.Errorf("file %q cannot be kept below %s", name, t.Dir)
		}
		c.got[path.Join(t.Dir, name)] = data
	}
	if file := path.Join(t.Dir, warningsFile); c.want[file] {
		if c.warnings, err = c.read(file); err != nil {
			return c, err
		}
		c.got[file] = stillThere(c.warnings, r.Warnings)
	}
	return c, nil
}

// wanted are the files that are wanted of t: those in its folder and, for the
// first target, those that are in no target's folder. Hidden ones are passed
// over; there may be no such folder yet.
func (t Target) wanted() (map[string]bool, error) {
	top := t.Dir
	if t.strays != nil {
		top = wantFolder
	}
	want := map[string]bool{}
	err := fs.WalkDir(os.DirFS(t.Name), top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == top:
			return nil
		case err != nil:
			return err
		case name == top && !d.IsDir():
			return fmt.Errorf("%s is not a folder", filepath.Join(t.Name, name))
		case d.IsDir() && name != t.Dir && (strings.HasPrefix(d.Name(), ".") || t.strays[name]):
			return fs.SkipDir
		case !d.IsDir() && !strings.HasPrefix(d.Name(), "."):
			want[name] = true
		}
		return nil
	})
	return want, err
}

// read reads a wanted file.
func (c comparison) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(c.folder, name))
	if err != nil {
		err = fmt.Errorf("reading a wanted file: %w", err)
	}
	return data, err
}

// asWanted says whether a file that was rendered is there, and the same.
func (c comparison) asWanted(name string) (bool, error) {
	if !c.want[name] {
		return false, nil
	}
	f, err := os.Open(filepath.Join(c.folder, name))
	if err != nil {
		return false, fmt.Errorf("reading a wanted file: %w", err)
	}
	defer f.Close()
	same, err := equal(f, c.got[name])
	if err != nil {
		err = fmt.Errorf("reading a wanted file: %w", err)
	}
	return same, err
}

// equal says whether r holds data and nothing else. It reads no further than to
// the first difference.
func equal(r io.Reader, data []byte) (bool, error) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		if n > len(data) || !bytes.Equal(chunk[:n], data[:n]) {
			return false, nil
		}
		data = data[n:]
		switch {
		case errors.Is(err, io.EOF):
			return len(data) == 0, nil
		case err != nil:
			return false, err
		}
	}
}

// Diff is how a file differs from what is wanted.
type Diff struct {
	File string // below the case's folder
	// Line is the first line of the wanted file that differs; 0: there is no such
	// file.
	Line int
	Text string // a unified diff or, where there is no such file, a sentence
}

// diffs are the differences, by file.
func (c comparison) diffs() ([]Diff, error) {
	var diffs []Diff
	names := maps.Clone(c.want)
	for name := range c.got {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d, err := c.diff(name)
		if err != nil {
			return nil, err
		}
		if d.Text != "" {
			diffs = append(diffs, d)
		}
	}
	return diffs, nil
}

// diff is how one file differs; it has no text where it does not.
func (c comparison) diff(name string) (Diff, error) {
	d := Diff{File: name}
	got, rendered := c.got[name]
	switch {
	case !c.want[name]:
		d.Text = fmt.Sprintf("%s is not wanted yet, but rendered, with %s: --update writes it", name, terminal.Count(bytes.Count(got, []byte("\n")), "line"))
		return d, nil
	case !rendered:
		d.Line, d.Text = 1, fmt.Sprintf("%s is wanted, but not rendered: --update removes it", name)
		return d, nil
	}
	same, err := c.asWanted(name)
	if same || err != nil {
		return d, err
	}
	want, err := c.read(name)
	d.Text, d.Line = unified.Diff(name, string(want), name+" (rendered)", string(got)), firstDifference(want, got)
	return d, err
}

// firstDifference is the number of the first line of a that b has otherwise.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// update makes what was rendered the wanted files, and removes all others.
func (c comparison) update() ([]string, error) {
	var updated []string
	for _, name := range slices.Sorted(maps.Keys(c.got)) {
		same, err := c.asWanted(name)
		if err == nil && !same {
			err = c.write(name)
			updated = append(updated, name)
		}
		if err != nil {
			return updated, fmt.Errorf("updating: %w", err)
		}
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

func (c comparison) write(name string) error {
	file := filepath.Join(c.folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, c.got[name], 0o644)
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
