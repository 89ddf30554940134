package packages

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/files"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// build makes one package in the folder out.
func (f format) build(tree source.Tree, p programs.Program, papers contents.Papers, out string) (string, error) {
	dir, err := os.MkdirTemp("", "confd-package-")
	if err != nil {
		return "", fmt.Errorf("a folder for what is packed: %w", err)
	}
	defer os.RemoveAll(dir)
	s := &stage{dir: dir, tree: tree}
	info := &nfpm.Info{
		Name: "confd", Arch: p.Architecture, Platform: "linux", Version: Version(tree.Version), VersionSchema: "none", Release: "1",
		Section: "net", Priority: "optional", Maintainer: maintainer, Vendor: "confd", License: "Apache-2.0",
		Description: f.description, MTime: tree.Time, DisableGlobbing: true,
	}
	if err := f.fill(s, p, papers); err != nil {
		return "", err
	}
	if err := f.addScripts(s, info); err != nil {
		return "", err
	}
	info.Contents = s.contents
	f.finish(info)
	return f.write(nfpm.WithDefaults(info), out)
}

// write has nfpm write the package under its own name.
func (f format) write(info *nfpm.Info, out string) (string, error) {
	if err := nfpm.PrepareForPackager(info, f.name); err != nil {
		return "", fmt.Errorf("preparing it: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(out, f.packager.ConventionalFileName(info))
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := f.packager.Package(info, file); err != nil {
		file.Close()
		return "", fmt.Errorf("writing it: %w", err)
	}
	return path, file.Close()
}

// stage is a folder with what goes into a package.
type stage struct {
	dir      string
	tree     source.Tree
	contents files.Contents
	count    int
}

// keep writes data into the folder and returns where it is.
func (s *stage) keep(data []byte) (string, error) {
	s.count++
	path := filepath.Join(s.dir, fmt.Sprint(s.count))
	return path, os.WriteFile(path, data, 0o600)
}

// add adds a file of root's, as old as the commit; kind is nfpm's type of it.
func (s *stage) add(f contents.File, kind string) error {
	path, err := s.keep(f.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	info := &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.Mode, MTime: s.tree.Time}
	s.contents = append(s.contents, &files.Content{Source: path, Destination: f.Name, Type: kind, FileInfo: info})
	return nil
}

// addScripts adds what the package manager runs.
func (f format) addScripts(s *stage, info *nfpm.Info) error {
	for _, each := range []struct {
		of   *string
		name string
	}{{&info.Scripts.PostInstall, f.scripts.postInstall}, {&info.Scripts.PreRemove, f.scripts.preRemove}, {&info.Scripts.PostRemove, f.scripts.postRemove}} {
		data, err := scripts.ReadFile(f.name + "/" + each.name)
		if err != nil {
			return fmt.Errorf("script %s: %w", each.name, err)
		}
		if *each.of, err = s.keep(data); err != nil {
			return fmt.Errorf("script %s: %w", each.name, err)
		}
	}
	return nil
}
