package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Mirror is where packages are fetched from; apt checks what comes with the keys of
// the machine's package debian-archive-keyring.
const Mirror = "http://deb.debian.org/debian"

// apt is an apt with lists, cache and state of its own, for one architecture.
type apt struct {
	dir     string
	options []string
}

// newApt reads the lists of packages.
func newApt(ctx context.Context, architecture string) (*apt, error) {
	dir, err := os.MkdirTemp("", "confd-apt-")
	if err != nil {
		return nil, fmt.Errorf("a folder for apt: %w", err)
	}
	a := &apt{dir: dir}
	if err := a.prepare(architecture); err != nil {
		a.remove()
		return nil, fmt.Errorf("the settings for apt: %w", err)
	}
	if err := a.run(a.command(ctx, "apt-get", "update", "-qq")); err != nil {
		a.remove()
		return nil, err
	}
	return a, nil
}

func (a *apt) prepare(architecture string) error {
	for _, folder := range []string{"sources", "lists/partial", "cache/archives/partial", "files"} {
		if err := os.MkdirAll(filepath.Join(a.dir, folder), 0o755); err != nil {
			return err
		}
	}
	sources := "Types: deb\nURIs: " + Mirror + "\nSuites: " + Suite + " " + Suite + "-updates\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
	files := map[string]string{"sources/debian.sources": sources, "status": ""}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"APT::Architecture": architecture, "APT::Architectures": architecture, "APT::Sandbox::User": "",
		"Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": filepath.Join(a.dir, "sources"),
		"Dir::State::Lists": filepath.Join(a.dir, "lists"), "Dir::State::Status": filepath.Join(a.dir, "status"), "Dir::Cache": filepath.Join(a.dir, "cache"),
		"Acquire::Retries": "3",
	} {
		a.options = append(a.options, "-o", name+"="+value)
	}
	return nil
}

func (a *apt) remove() { _ = os.RemoveAll(a.dir) } // of no use any more, and of no harm

func (a *apt) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, append(a.options, args...)...)
	cmd.Dir, cmd.Env = filepath.Join(a.dir, "files"), append(os.Environ(), "LC_ALL=C.UTF-8")
	return cmd
}

func (a *apt) run(cmd *exec.Cmd) error {
	_, err := run(cmd)
	return err
}

// download is the file of a package.
func (a *apt) download(ctx context.Context, p Package) ([]byte, error) {
	if err := a.run(a.command(ctx, "apt-get", "download", "-qq", p.Name+"="+p.Version)); err != nil {
		return nil, fmt.Errorf("package %s %s (%s) cannot be had from Debian %s; where that has a newer one, packaging pins writes it to pins.txt: %w", p.Name, p.Version, p.Architecture, Suite, err)
	}
	files, err := filepath.Glob(filepath.Join(a.dir, "files", p.Name+"_*.deb"))
	if err != nil {
		return nil, fmt.Errorf("looking for what apt-get download %s has left: %w", p.Name, err)
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("apt-get download %s has left %d files of that name, and not one", p.Name, len(files))
	}
	defer os.Remove(files[0])
	return os.ReadFile(files[0])
}

// newest is what the mirror has of a package now.
func (a *apt) newest(ctx context.Context, p Package) (Package, error) {
	out, err := run(a.command(ctx, "apt-cache", "show", "--no-all-versions", p.Name))
	if err != nil {
		return Package{}, err
	}
	found := Package{Architecture: p.Architecture, Name: p.Name}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "Version":
			found.Version = value
		case "SHA256":
			found.SHA256 = value
		}
	}
	if found.Version == "" || found.SHA256 == "" {
		return Package{}, fmt.Errorf("apt-cache show %s says neither version nor SHA256", p.Name)
	}
	return found, nil
}

// Newest are the versions of all pinned packages that the mirror has now, as pins.txt
// has them.
func Newest(ctx context.Context, architectures []string) (string, error) {
	var b strings.Builder
	for _, architecture := range architectures {
		packages, err := Pinned(architecture)
		if err != nil {
			return "", err
		}
		a, err := newApt(ctx, architecture)
		if err != nil {
			return "", err
		}
		defer a.remove()
		for _, p := range packages {
			found, err := a.newest(ctx, p)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(&b, found.Architecture, found.Name, found.Version, found.SHA256)
		}
	}
	return b.String(), nil
}
