package birdcheck

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"confd/templates"
)

// Checker has BIRD read rendered files. It may be used by several goroutines at
// once. A nil Checker checks nothing.
type Checker struct {
	programs []Program
	limit    time.Duration
	must     bool

	mu sync.Mutex
	// refusals are what BIRD said against files that it has read, by their hash:
	// what is the same is read once.
	refusals map[[sha256.Size]byte]error
}

// New returns a checker with these programs, which have the time limit for each
// file. With must, it is an error where none of them can read the files.
func New(programs []Program, limit time.Duration, must bool) *Checker {
	return &Checker{programs: programs, limit: limit, must: must, refusals: map[[sha256.Size]byte]error{}}
}

// Verdict is what came of a check.
type Verdict struct {
	By      string // the program that read the files; empty: none did
	Note    string // why none did, where somebody might expect it
	Refused error  // what that program said against them; nil: nothing
}

// Check has BIRD read the files that a BIRD of version v would be started with.
// tunnel is set where they use what only Calico's BIRD has. Its error says that
// there was no check, where there must be one.
func (c *Checker) Check(ctx context.Context, files []templates.File, v templates.Version, tunnel bool) (Verdict, error) {
	if c == nil {
		return Verdict{}, nil
	}
	mains := mainFiles(files)
	p, err := programFor(c.programs, v, mains, tunnel)
	if missing, is := notRendered(files); err == nil && is {
		err = errors.New(missing)
	}
	if err != nil && c.must {
		return Verdict{}, fmt.Errorf("not checked: %w", err)
	}
	if err != nil {
		return Verdict{Note: "not checked: " + err.Error()}, nil
	}
	refused, err := c.once(ctx, p, files, mains)
	return Verdict{By: "BIRD " + p.version.String(), Refused: refused}, err
}

// once runs p, unless it has read the same files before.
func (c *Checker) once(ctx context.Context, p Program, files []templates.File, mains []mainFile) (refused, err error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %v", p.path, mains)
	for _, f := range files {
		fmt.Fprintf(hash, "%q %d\n", f.Dest, len(f.Data))
		hash.Write(f.Data)
	}
	key := [sha256.Size]byte(hash.Sum(nil))
	c.mu.Lock()
	refused, known := c.refusals[key]
	c.mu.Unlock()
	if known {
		return refused, nil
	}
	refused, err = c.run(ctx, p, files, mains)
	if err == nil {
		c.mu.Lock()
		c.refusals[key] = refused
		c.mu.Unlock()
	}
	return refused, err
}

// run puts the files into a folder of their own, in the places that they have
// below /, and has BIRD read them there, so that relative includes are found.
func (c *Checker) run(ctx context.Context, p Program, files []templates.File, mains []mainFile) (refused, err error) {
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
func (c *Checker) read(ctx context.Context, program, file string) (string, error) {
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
