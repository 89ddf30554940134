// Package archives packs the program for those who install it by hand, or in CI.
package archives

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// Name is that of an archive, without its ending; all of it is in a folder of that
// name.
func Name(version, architecture string) string {
	return fmt.Sprintf("confd-%s-linux-%s", strings.TrimPrefix(version, "v"), architecture)
}

// Build makes an archive of each program in the folder out, and returns their paths.
func Build(ctx context.Context, tree source.Tree, built []programs.Program, papers contents.Papers, out string) ([]string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("archives: %w", err)
	}
	var paths []string
	for _, p := range built {
		name := Name(tree.Version, p.Architecture)
		list, err := files(tree, p, papers, name)
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", name, err)
		}
		data, err := pack(tree, list)
		if err != nil {
			return nil, fmt.Errorf("archive %s: %w", name, err)
		}
		path := filepath.Join(out, name+".tar.gz")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return nil, fmt.Errorf("archive %s: %w", name, err)
		}
		paths = append(paths, path)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func files(tree source.Tree, p programs.Program, papers contents.Papers, under string) ([]contents.File, error) {
	program, err := os.ReadFile(p.Path)
	if err != nil {
		return nil, err
	}
	list, err := contents.Documentation(tree, under, "LICENSE", "CHANGELOG.md")
	if err != nil {
		return nil, err
	}
	add := func(name string, data []byte, mode os.FileMode) {
		list = append(list, contents.File{Name: under + "/" + name, Data: data, Mode: mode})
	}
	add("confd", program, 0o755)
	add("LICENSE", papers.Licence, 0o644)
	add("NOTICES", papers.Notices, 0o644)
	for _, page := range slices.Sorted(maps.Keys(papers.Manuals)) {
		add("man/"+page, papers.Manuals[page], 0o644)
	}
	for _, shell := range contents.Shells() {
		add("completions/confd."+shell, papers.Completions[shell], 0o644)
	}
	for _, name := range []string{"CHANGELOG.md", "etc/confd.toml"} {
		data, err := os.ReadFile(filepath.Join(tree.Dir, name))
		if err != nil {
			return nil, err
		}
		add(name, data, 0o644)
	}
	return list, nil
}

// pack packs files of root's, as old as the commit.
func pack(tree source.Tree, list []contents.File) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	slices.SortFunc(list, func(a, b contents.File) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range list {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Data)), Mode: int64(f.Mode), Uname: "root", Gname: "root", ModTime: tree.Time}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return contents.Zip(out.Bytes())
}
