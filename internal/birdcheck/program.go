// Package birdcheck has the BIRDs that are installed read files that they are not
// started with: bird -p, in a folder of its own.
package birdcheck

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"confd/internal/birds"
	"confd/templates"
)

// Program is a BIRD that is installed here.
type Program struct {
	version templates.Version
	// fork is set for Calico's, which knows more.
	fork bool
	// path6 is bird6 of BIRD 1.6; empty where it is not there.
	path, path6 string
}

// OnPath asks every program that is called bird in the folders of path, a list as
// in PATH, for its version. What is none, or does not answer, does not count.
func OnPath(ctx context.Context, path string) ([]Program, error) {
	var programs []Program
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if p, err := NewProgram(ctx, filepath.Join(dir, "bird")); err == nil {
			programs = append(programs, p)
		}
	}
	return programs, ctx.Err()
}

// NewProgram asks the program at path for its version.
func NewProgram(ctx context.Context, path string) (Program, error) {
	var p Program
	var err error
	if p.path, err = exec.LookPath(path); err != nil {
		return p, err
	}
	text, err := birds.VersionText(ctx, p.path)
	if err != nil {
		return p, err
	}
	p.fork = strings.Contains(text, "+birdv")
	p.path6, _ = exec.LookPath(filepath.Join(filepath.Dir(p.path), "bird6"))
	p.version, err = templates.ParseVersion(text)
	return p, err
}

func (p Program) newerThan(o Program) bool {
	return p.version != o.version && p.version.AtLeast(o.version.Major, o.version.Minor, o.version.Patch)
}

// programFor is the one of the programs that reads files for v: of the same major
// version and not older, and of those the oldest. The error says why there is
// none.
func programFor(programs []Program, v templates.Version, mains []mainFile, tunnel bool) (Program, error) {
	var best Program
	needs6 := false
	for _, m := range mains {
		needs6 = needs6 || m.bird6
	}
	for _, p := range programs {
		if p.version.Major == v.Major && p.version.AtLeast(v.Major, v.Minor, v.Patch) && (best.path == "" || !p.newerThan(best)) {
			best = p
		}
	}
	switch {
	case len(mains) == 0:
		return best, errors.New(`no template resource has daemon = "bird", or bird -p -c {{.src}} as its check_cmd`)
	case best.path == "":
		return best, fmt.Errorf("there is no BIRD %d of version %s or later", v.Major, v)
	case needs6 && best.path6 == "":
		return best, fmt.Errorf("there is no bird6 beside %s", best.path)
	case tunnel && !best.fork:
		return best, fmt.Errorf("krt_tunnel is needed, which only Calico's BIRD has and %s has not", best.path)
	}
	return best, nil
}
