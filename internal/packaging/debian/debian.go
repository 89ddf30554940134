// Package debian fetches packages of Debian, of pinned versions and checksums, for
// any architecture, and reads what is in them. It takes apt-get and dpkg-deb, changes
// nothing of the machine, and needs no rights.
package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Suite is the release of Debian that all packages are of.
const Suite = "trixie"

//go:embed pins.txt
var pins string

// Package is one file of a mirror.
type Package struct {
	Architecture, Name, Version string
	SHA256                      string // in hexadecimal
}

// Pinned are the packages of an architecture that pins.txt lists.
func Pinned(architecture string) ([]Package, error) {
	var packages []Package
	for line := range strings.Lines(pins) {
		var p Package
		if n, err := fmt.Sscan(line, &p.Architecture, &p.Name, &p.Version, &p.SHA256); err != nil || n != 4 {
			return nil, fmt.Errorf("pins.txt: %q is not an architecture, a name, a version and a checksum", line)
		}
		if p.Architecture == architecture {
			packages = append(packages, p)
		}
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("pins.txt has no packages for %s", architecture)
	}
	return packages, nil
}

// Store is a folder that packages are kept in, so that each is fetched once.
type Store struct{ Dir string }

// UserStore is a store in the folder that the user's caches are in.
func UserStore() (Store, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("a folder to keep Debian's packages in: %w", err)
	}
	return Store{filepath.Join(dir, "confd", "debs")}, nil
}

// path is where a package is kept: by its checksum, so that what is there is right or
// is found not to be.
func (s Store) path(p Package) string { return filepath.Join(s.Dir, p.SHA256+".deb") }

// Fetch has all of the packages in the store when it returns: packages of one
// architecture.
func (s Store) Fetch(ctx context.Context, packages []Package) error {
	var missing []Package
	for _, p := range packages {
		if err := s.check(p); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, p)
		} else if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	apt, err := newApt(ctx, missing[0].Architecture)
	if err != nil {
		return err
	}
	defer apt.remove()
	for _, p := range missing {
		if err := s.fetch(ctx, apt, p); err != nil {
			return err
		}
	}
	return nil
}

func (s Store) check(p Package) error {
	content, err := os.ReadFile(s.path(p))
	if err != nil {
		return fmt.Errorf("package %s: %w", p.Name, err)
	}
	return p.check(content)
}

func (p Package) check(content []byte) error {
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != p.SHA256 {
		return fmt.Errorf("package %s %s (%s): its SHA-256 is %s, and should be %s", p.Name, p.Version, p.Architecture, got, p.SHA256)
	}
	return nil
}

func (s Store) fetch(ctx context.Context, apt *apt, p Package) error {
	content, err := apt.download(ctx, p)
	if err == nil {
		err = p.check(content)
	}
	if err == nil {
		err = os.MkdirAll(s.Dir, 0o755)
	}
	if err != nil {
		return err
	}
	whole := s.path(p) + ".new"
	if err := os.WriteFile(whole, content, 0o644); err != nil {
		return fmt.Errorf("keeping package %s: %w", p.Name, err)
	}
	if err := os.Rename(whole, s.path(p)); err != nil {
		return fmt.Errorf("keeping package %s: %w", p.Name, err)
	}
	return nil
}

// Control is what a package says of itself, as Debian's file status has it.
func (s Store) Control(ctx context.Context, p Package) ([]byte, error) {
	return run(exec.CommandContext(ctx, "dpkg-deb", "--field", s.path(p)))
}

// Walk calls f with each file of a package, in the package's order. Names have no
// slash or dot in front.
func (s Store) Walk(ctx context.Context, p Package, f func(*tar.Header, []byte) error) error {
	archive, err := run(exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", s.path(p)))
	if err != nil {
		return err
	}
	for in := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var content []byte
		if err == nil {
			content, err = io.ReadAll(in)
		}
		if err != nil {
			return fmt.Errorf("reading package %s: %w", p.Name, err)
		}
		if h.Name = strings.Trim(strings.TrimPrefix(h.Name, "."), "/"); h.Name == "" {
			continue
		}
		if err := f(h, content); err != nil {
			return fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
}

// run is what a command prints.
func run(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
