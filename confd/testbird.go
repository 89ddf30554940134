package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"confd/internal/birds"
	"confd/internal/settings"
	"confd/templates"
)

// birdChecker has BIRD read what golden checks rendered.
type birdChecker struct {
	mode     string
	limit    time.Duration // for one file
	programs []birdProgram
}

// birdProgram is a BIRD that is installed here.
type birdProgram struct {
	version templates.Version
	// fork is set for Calico's, which knows more.
	fork bool
	// path6 is bird6 of BIRD 1.6; empty where it is not there.
	path, path6 string
}

// findBirds asks the program that is given for its version or, where none is,
// every one that is called bird in the folders of path.
func findBirds(ctx context.Context, given, path string) ([]birdProgram, error) {
	if given != "" {
		b, err := newBirdProgram(ctx, given)
		if err != nil {
			return nil, settings.Error{Err: fmt.Errorf("--bird-binary: %w", err)}
		}
		return []birdProgram{b}, nil
	}
	var programs []birdProgram
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if b, err := newBirdProgram(ctx, filepath.Join(dir, "bird")); err == nil {
			programs = append(programs, b)
		}
	}
	return programs, ctx.Err()
}

func newBirdProgram(ctx context.Context, path string) (birdProgram, error) {
	var b birdProgram
	var err error
	if b.path, err = exec.LookPath(path); err != nil {
		return b, err
	}
	text, err := birds.VersionText(ctx, b.path)
	if err != nil {
		return b, err
	}
	b.fork = strings.Contains(text, "+birdv")
	b.path6, _ = exec.LookPath(filepath.Join(filepath.Dir(b.path), "bird6"))
	b.version, err = templates.ParseVersion(text)
	return b, err
}

// verdict is what came of a check.
type verdict struct {
	by      string // who checked; empty: nobody
	note    string // why nobody did
	refused error
}

// check has BIRD read the files that it would be started with. Its error says
// that there was no check, where there must be one.
func (c birdChecker) check(ctx context.Context, files []templates.File, v templates.Version, tunnel bool) (verdict, error) {
	if c.mode == checkNever {
		return verdict{}, nil
	}
	mains := mainFiles(files)
	p, err := c.programFor(v, mains, tunnel)
	if missing, is := notRendered(files); err == nil && is {
		err = errors.New(missing)
	}
	if err != nil && c.mode == checkAlways {
		return verdict{}, fmt.Errorf("not checked: %w", err)
	}
	if err != nil {
		return verdict{note: "not checked: " + err.Error()}, nil
	}
	refused, err := c.run(ctx, p, files, mains)
	return verdict{by: "BIRD " + p.version.String(), refused: refused}, err
}

// mainFile is a file that a BIRD is started with.
type mainFile struct {
	dest  string
	bird6 bool
}

// checksWithBird is a check_cmd that has BIRD read the staged file.
var checksWithBird = regexp.MustCompile(`(?:^|[\s/;&|])(bird6?)\s(?:[^;&|]*\s)?-c\s*["']?\{\{\s*\.src\s*\}\}`)

// mainFiles are the files that BIRD is started with: those whose resource names
// a daemon, or has BIRD check them, and that no other file includes. Other
// commands of a resource are not run.
func mainFiles(files []templates.File) []mainFile {
	included := map[string]bool{}
	for _, f := range files {
		for _, name := range includes(f) {
			included[name] = true
		}
	}
	var mains []mainFile
	for _, f := range files {
		daemon := f.Daemon
		if m := checksWithBird.FindStringSubmatch(f.CheckCmd); daemon == "" && m != nil {
			daemon = m[1]
			if strings.HasPrefix(filepath.Base(f.Dest), "bird6") { // Calico checks it with bird
				daemon = "bird6"
			}
		}
		if daemon != "" && !included[rooted(f.Dest)] {
			mains = append(mains, mainFile{dest: f.Dest, bird6: daemon == "bird6"})
		}
	}
	return mains
}

// rooted is where a file lies below the folder that BIRD reads it in.
func rooted(dest string) string { return filepath.Join("/", dest) }

// includeLine is how a file of BIRD's includes another one.
var includeLine = regexp.MustCompile(`(?m)^\s*include\s+"([^"\n]+)"\s*;`)

// includes are the files that f includes, as rooted paths; patterns are not
// among them, which may well match nothing.
func includes(f templates.File) []string {
	var names []string
	for _, m := range includeLine.FindAllStringSubmatch(string(f.Data), -1) {
		name := m[1]
		if strings.ContainsAny(name, "*?[") {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(rooted(f.Dest)), name)
		}
		names = append(names, filepath.Clean(name))
	}
	return names
}

// notRendered names a file that others include, and that is not among them.
func notRendered(files []templates.File) (string, bool) {
	for _, f := range files {
		for _, name := range includes(f) {
			if !slices.ContainsFunc(files, func(o templates.File) bool { return rooted(o.Dest) == name }) {
				return fmt.Sprintf("%s includes %s, which is not rendered", f.Dest, name), true
			}
		}
	}
	return "", false
}

// programFor is the program that reads files for v: of the same major version
// and not older, and of those the oldest. The error says why there is none.
func (c birdChecker) programFor(v templates.Version, mains []mainFile, tunnel bool) (birdProgram, error) {
	var best birdProgram
	for _, p := range c.programs {
		if p.version.Major == v.Major && p.version.AtLeast(v.Major, v.Minor, v.Patch) && (best.path == "" || !p.newerThan(best)) {
			best = p
		}
	}
	needs6 := slices.ContainsFunc(mains, func(m mainFile) bool { return m.bird6 })
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

func (p birdProgram) newerThan(o birdProgram) bool {
	return p.version != o.version && p.version.AtLeast(o.version.Major, o.version.Minor, o.version.Patch)
}

// run puts the files into a folder of their own, in the places that they have
// below /, and has BIRD read them there, so that relative includes are found.
func (c birdChecker) run(ctx context.Context, p birdProgram, files []templates.File, mains []mainFile) (refused, err error) {
	dir, err := os.MkdirTemp("", "confd-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	texts := map[string][]byte{}
	for _, f := range files {
		path := filepath.Join(dir, rooted(f.Dest))
		texts[path] = f.Data
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			return nil, err
		}
	}
	var all []error
	for _, m := range mains {
		program := p.path
		if m.bird6 {
			program = p.path6
		}
		said, err := c.read(ctx, program, filepath.Join(dir, rooted(m.dest)))
		if err != nil {
			return nil, err
		}
		if said != "" {
			all = append(all, errors.New(withLines(said, dir, texts)))
		}
	}
	return errors.Join(all...), nil
}

// read has a program read a file, and returns what it says against it.
func (c birdChecker) read(ctx context.Context, program, file string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, fmt.Errorf("took longer than %s", c.limit))
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-p", "-c", file).CombinedOutput()
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("%s -p: %w", program, context.Cause(ctx))
	case errors.As(err, &exit):
		return strings.TrimSpace(string(out)) + "\n", nil
	}
	return "", fmt.Errorf("running %s -p: %w", program, err)
}

// birdPlace is how BIRD names a place in a file.
var birdPlace = regexp.MustCompile(`(?m)^(?:bird6?: )?(/[^\n]*):(\d+):\d+ .*$`)

// withLines puts the lines at fault below what BIRD says, and leaves out dir,
// which is gone when somebody reads it.
func withLines(said, dir string, texts map[string][]byte) string {
	said = birdPlace.ReplaceAllStringFunc(said, func(place string) string {
		m := birdPlace.FindStringSubmatch(place)
		n, _ := strconv.Atoi(m[2])
		lines := strings.Split(string(texts[m[1]]), "\n")
		if n < 1 || n > len(lines) {
			return place
		}
		return place + "\n    " + lines[n-1]
	})
	return strings.ReplaceAll(said, dir+"/", "")
}
