// Package release makes all that a version is released as, twice, and compares: what
// cannot be made again to the same bytes is not released.
package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"confd/internal/packaging/archives"
	"confd/internal/packaging/bill"
	"confd/internal/packaging/chart"
	"confd/internal/packaging/contents"
	"confd/internal/packaging/debian"
	"confd/internal/packaging/images"
	"confd/internal/packaging/packages"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// Materials are what everything in a release is made of.
type Materials struct {
	Tree     source.Tree
	Programs []programs.Program
	Papers   contents.Papers
}

// Maker makes a part of a release in a folder, which is there.
type Maker func(ctx context.Context, m Materials, out string) error

// Makers are all parts of a release.
func Makers() []Maker {
	return []Maker{
		func(ctx context.Context, m Materials, out string) error {
			_, err := packages.Build(ctx, m.Tree, m.Programs, m.Papers, out)
			return err
		},
		func(ctx context.Context, m Materials, out string) error {
			_, err := archives.Build(ctx, m.Tree, m.Programs, m.Papers, out)
			return err
		},
		bills,
		containers,
		func(_ context.Context, m Materials, out string) error {
			_, err := chart.Write(m.Tree, out)
			return err
		},
	}
}

// containers makes the images, in a folder of their own.
func containers(ctx context.Context, m Materials, out string) error {
	store, err := debian.UserStore()
	if err != nil {
		return err
	}
	made, err := images.Build(ctx, m.Tree, m.Programs, m.Papers, store)
	if err != nil {
		return err
	}
	for _, image := range made {
		if err := image.Write(filepath.Join(out, "images")); err != nil {
			return err
		}
	}
	return nil
}

// bills writes what each program is made of.
func bills(_ context.Context, m Materials, out string) error {
	for _, p := range m.Programs {
		data, err := bill.Of(m.Tree, p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, archives.Name(m.Tree.Version, p.Architecture)+".cdx.json"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Make makes the release of a tree's commit, whatever else lies in the tree, twice:
// from two copies of it, the second time without what Go has compiled before. The
// folder out, which must not be there, is written where both are the same.
func Make(ctx context.Context, tree source.Tree, out string) error {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release: %s is there already: remove it", out)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(out), "release-")
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	defer os.RemoveAll(work)
	var made []string
	for _, name := range []string{"first", "second-time"} {
		dir := filepath.Join(work, name)
		copied, err := tree.Export(ctx, filepath.Join(dir, "tree"))
		if err != nil {
			return err
		}
		if len(made) > 0 {
			copied.Cache = filepath.Join(dir, "cache")
		}
		if err := once(ctx, copied, dir); err != nil {
			return err
		}
		made = append(made, filepath.Join(dir, "out"))
	}
	if err := Compare(made[0], made[1]); err != nil {
		return err
	}
	return os.Rename(made[0], out)
}

// once makes a release in dir/out.
func once(ctx context.Context, tree source.Tree, dir string) error {
	out := filepath.Join(dir, "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	built, papers, err := contents.Build(ctx, tree, filepath.Join(dir, "programs"))
	if err != nil {
		return err
	}
	for _, each := range Makers() {
		if err := each(ctx, Materials{tree, built, papers}, out); err != nil {
			return err
		}
	}
	return sign(tree, out)
}

// sum is a file with its SHA-256.
type sum struct{ name, sha256 string }

// sign adds what says from where the files are, and that they are whole.
func sign(tree source.Tree, out string) error {
	files, err := sums(out)
	if err != nil {
		return err
	}
	data, err := provenance(tree, runtime.Version(), files)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "provenance.json"), data, 0o644); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if files, err = sums(out); err != nil {
		return err
	}
	var list bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&list, "%s  %s\n", f.sha256, f.name)
	}
	if err := os.WriteFile(filepath.Join(out, "SHA256SUMS"), list.Bytes(), 0o644); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}

// sums are those of all files below a folder, sorted by name.
func sums(dir string) ([]sum, error) {
	var list []sum
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(data)
		list = append(list, sum{name, hex.EncodeToString(hash[:])})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sums of a release: %w", err)
	}
	slices.SortFunc(list, func(a, b sum) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// Compare says which files of two folders are not the same.
func Compare(a, b string) error {
	of := map[string][2]string{}
	for i, dir := range []string{a, b} {
		files, err := sums(dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			pair := of[f.name]
			pair[i] = f.sha256
			of[f.name] = pair
		}
	}
	var other []string
	for name, pair := range of {
		if pair[0] != pair[1] {
			other = append(other, name)
		}
	}
	if len(other) > 0 {
		slices.Sort(other)
		return fmt.Errorf("release: made twice, these files are not the same: %s", strings.Join(other, ", "))
	}
	if len(of) == 0 {
		return errors.New("release: there are no files")
	}
	return nil
}
