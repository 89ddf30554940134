package packages

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goreleaser/nfpm/v2/files"

	"confd/internal/packaging/contents"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

const docs = "/usr/share/doc/confd/"

// preset keeps the service off where a machine that has the package starts for the
// first time: systemd enables all that nobody speaks of, then.
const preset = "disable confd.service\n"

// fill puts all files into the stage.
func (f format) fill(s *stage, p programs.Program, papers contents.Papers) error {
	program, err := os.ReadFile(p.Path)
	if err != nil {
		return err
	}
	settings, err := os.ReadFile(filepath.Join(s.tree.Dir, "etc/confd.toml"))
	if err != nil {
		return err
	}
	unit, err := contents.Unit(s.tree)
	if err != nil {
		return err
	}
	if err := s.add(contents.File{Name: "/etc/confd/confd.toml", Data: settings, Mode: 0o644}, files.TypeConfigNoReplace); err != nil {
		return err
	}
	list := []contents.File{
		{Name: "/usr/sbin/confd", Data: program, Mode: 0o755},
		{Name: f.units + "/confd.service", Data: unit, Mode: 0o644},
		{Name: "/usr/lib/systemd/system-preset/50-confd.preset", Data: []byte(preset), Mode: 0o644},
		{Name: "/usr/share/bash-completion/completions/confd", Data: papers.Completions["bash"], Mode: 0o644},
		{Name: f.zsh + "/_confd", Data: papers.Completions["zsh"], Mode: 0o644},
		{Name: "/usr/share/fish/vendor_completions.d/confd.fish", Data: papers.Completions["fish"], Mode: 0o644},
	}
	documentation, err := contents.Documentation(s.tree, docs)
	if err != nil {
		return err
	}
	zipped, err := f.zipped(s.tree, papers)
	if err != nil {
		return err
	}
	for _, file := range slices.Concat(list, documentation, zipped, f.own(s.tree, papers)) {
		if err := s.add(file, files.TypeFile); err != nil {
			return err
		}
	}
	return nil
}

// zipped are the man pages, and what is long and seldom read.
func (f format) zipped(tree source.Tree, papers contents.Papers) ([]contents.File, error) {
	changes, err := os.ReadFile(filepath.Join(tree.Dir, "CHANGELOG.md"))
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{docs + "changelog": changes, docs + "notices": papers.Notices}
	for name, page := range papers.Manuals {
		texts["/usr/share/man/man"+name[len(name)-1:]+"/"+name] = page
	}
	maps.Copy(texts, f.texts(tree))
	var list []contents.File
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		data, err := contents.Zip(texts[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, contents.File{Name: name + ".gz", Data: data, Mode: 0o644})
	}
	return list, nil
}
