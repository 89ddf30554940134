// Package programs builds confd for the machines that it is released for. The
// same tree and the same Go make the same bytes, wherever they are built.
package programs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"confd/internal/packaging/source"
)

// Architectures are what a release is made for, as Go and Debian name them.
func Architectures() []string { return []string{"amd64", "arm64"} }

// Program is a confd that was built.
type Program struct {
	Architecture string
	Path         string
}

// Build builds confd for Linux on each of the architectures (none named: on all), as
// dir/ARCHITECTURE/confd.
func Build(ctx context.Context, tree source.Tree, dir string, architectures ...string) ([]Program, error) {
	if len(architectures) == 0 {
		architectures = Architectures()
	}
	var built []Program
	for _, architecture := range architectures {
		p := Program{Architecture: architecture, Path: filepath.Join(dir, architecture, "confd")}
		if err := p.build(ctx, tree); err != nil {
			return nil, err
		}
		built = append(built, p)
	}
	return built, nil
}

// Command is the command that builds a program in the tree, but for where it is
// to be written. What git says is passed by name instead of stamped by Go (-buildvcs),
// so that a tree without git can be built to the same bytes.
func Command(tree source.Tree) []string {
	const version = "confd/internal/version."
	flags := []string{
		"-s", "-w",
		"-X", version + "Version=" + tree.Version,
		"-X", version + "Commit=" + tree.Commit,
		"-X", version + "Date=" + tree.Time.Format(time.RFC3339),
	}
	return []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=" + strings.Join(flags, " "), "./confd"}
}

// Environment is what the build's environment has besides where Go keeps its
// own: nothing of the caller's changes the bytes.
func Environment(architecture string) []string {
	return []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + architecture, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off"}
}

func (p Program) build(ctx context.Context, tree source.Tree) error {
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return fmt.Errorf("building confd for %s: %w", p.Architecture, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("building confd for %s: %w", p.Architecture, err)
	}
	command := Command(tree)
	command = append(command[:len(command)-1:len(command)-1], "-o", path, command[len(command)-1])
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = tree.Dir, append(os.Environ(), Environment(p.Architecture)...)
	if tree.Cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+tree.Cache)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building confd for %s: %w\n%s", p.Architecture, err, out)
	}
	return nil
}
