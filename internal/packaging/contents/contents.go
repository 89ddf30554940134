// Package contents knows what is installed beside the program: man pages,
// completions, the systemd unit, documentation. All of it is made from the tree and
// by the program itself.
package contents

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"confd/internal/packaging/notices"
	"confd/internal/packaging/programs"
	"confd/internal/packaging/source"
)

// File is one that is installed.
type File struct {
	Name string // its path, absolute where it is installed
	Data []byte
	Mode fs.FileMode
}

// Shells are those that there are completions for.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Papers are what the program says of itself, and what must go with it.
type Papers struct {
	Manuals     map[string][]byte // by the name of the page, such as confd-status.8
	Completions map[string][]byte // by shell
	Licence     []byte            // its own
	Notices     []byte            // the licences of its parts
}

// Build builds the programs, as programs.Build does, and has them print their papers.
func Build(ctx context.Context, tree source.Tree, dir string, architectures ...string) ([]programs.Program, Papers, error) {
	built, err := programs.Build(ctx, tree, dir, architectures...)
	if err != nil {
		return nil, Papers{}, err
	}
	papers, err := readBy(ctx, tree, built)
	return built, papers, err
}

// readBy has the one of the programs that this machine can run print its papers.
func readBy(ctx context.Context, tree source.Tree, built []programs.Program) (Papers, error) {
	for _, p := range built {
		if p.Architecture == runtime.GOARCH {
			return read(ctx, tree, p.Path)
		}
	}
	return Papers{}, fmt.Errorf("none of the programs is for this machine (%s): it has to print man pages and completions", runtime.GOARCH)
}

func read(ctx context.Context, tree source.Tree, program string) (Papers, error) {
	p := Papers{Manuals: map[string][]byte{}, Completions: map[string][]byte{}}
	dir, err := os.MkdirTemp("", "confd-man-")
	if err != nil {
		return Papers{}, fmt.Errorf("a folder for man pages: %w", err)
	}
	defer os.RemoveAll(dir)
	if _, err := ask(ctx, tree, program, "man", dir); err != nil {
		return Papers{}, err
	}
	pages, err := os.ReadDir(dir)
	if err != nil {
		return Papers{}, fmt.Errorf("reading man pages: %w", err)
	}
	for _, e := range pages {
		if p.Manuals[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return Papers{}, fmt.Errorf("reading man pages: %w", err)
		}
	}
	for _, shell := range Shells() {
		if p.Completions[shell], err = ask(ctx, tree, program, "completion", shell); err != nil {
			return Papers{}, err
		}
	}
	if p.Licence, err = os.ReadFile(filepath.Join(tree.Dir, "LICENSE")); err != nil {
		return Papers{}, fmt.Errorf("the licence: %w", err)
	}
	p.Notices, err = notices.Of(ctx, tree, program)
	return p, err
}

// ask runs the program where nothing of this machine's is seen.
func ask(ctx context.Context, tree source.Tree, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"SOURCE_DATE_EPOCH=" + strconv.FormatInt(tree.Time.Unix(), 10), "HOME=/nonexistent", "CONFD_CONFIG_FILE=/dev/null"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("confd %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// elsewhere are links to what may be installed in other places, or not at all.
var elsewhere = regexp.MustCompile(`\[([^\]]*)\]\((?:\.\./)?(LICENSE|CHANGELOG\.md|findings/[^)]*)\)`)

// Documentation is README.md, docs and what they point to in etc, below a folder, as in
// the tree, so that the links between them lead somewhere. beside names what else is there
// of LICENSE and CHANGELOG.md; links to what is not are text.
func Documentation(tree source.Tree, under string, beside ...string) ([]File, error) {
	var list []File
	for _, from := range []string{"README.md", "docs", "etc/examples", "etc/helm", "etc/kubernetes", "etc/monitoring", "etc/systemd", "etc/confd", "etc/ci", "etc/run-bird"} {
		err := filepath.WalkDir(filepath.Join(tree.Dir, from), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, ".go") {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if path.Ext(name) == ".md" {
				data = elsewhere.ReplaceAllFunc(data, func(link []byte) []byte {
					parts := elsewhere.FindSubmatch(link)
					if slices.Contains(beside, string(parts[2])) {
						return link
					}
					return parts[1]
				})
			}
			rel, err := filepath.Rel(tree.Dir, name)
			if err != nil {
				return err
			}
			list = append(list, File{Name: path.Join(under, rel), Data: data, Mode: 0o644})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("gathering documentation: %w", err)
		}
	}
	return list, nil
}

// Unit is the systemd unit for a program in /usr/sbin, beside a BIRD that runs as the
// user and group bird. (In confd.toml the group would be an error on machines without
// BIRD, where people work with confd's other commands.)
func Unit(tree source.Tree) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(tree.Dir, "etc/systemd/confd.service"))
	if err != nil {
		return nil, fmt.Errorf("the systemd unit: %w", err)
	}
	_, text, ok := strings.Cut(string(data), "[Unit]\n") // what is above is for those who install it by hand
	changes := []string{"/usr/local/sbin/confd", "/usr/sbin/confd", "EnvironmentFile=", "Environment=CONFD_GROUP=bird\nEnvironmentFile="}
	for i := 0; i < len(changes); i += 2 {
		if !ok || !strings.Contains(text, changes[i]) {
			return nil, fmt.Errorf("the systemd unit: etc/systemd/confd.service has no [Unit], or no %s", changes[i])
		}
	}
	return []byte("[Unit]\nDocumentation=man:confd(8)\n" + strings.NewReplacer(changes...).Replace(text)), nil
}

// Zip compresses as Debian wants it: as small as can be, without name and time.
func Zip(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}
