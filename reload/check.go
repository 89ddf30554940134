package reload

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"confd/reload/control"
)

// probeTimeout is for a look at whether BIRD is up, where there is another way
// to check than asking it.
const probeTimeout = 3 * time.Second

// passedCheck is a check that a set has passed by itself.
type passedCheck struct {
	hash, binary, version string // of the set, and of who checked it
	at                    time.Time
}

// checkHolds is how long a check by Check counts for Apply: what a set includes
// that is not its own may change.
const checkHolds = time.Minute

// Check stages a set and checks it as a whole. Nothing is installed, BIRD is not
// told. Its errors are those of Apply. When the very same set is applied within
// a minute it is not checked again.
func (a *Applier) Check(ctx context.Context, s Set) error {
	return naming(s.Name, a.checkOnly(ctx, s))
}

func (a *Applier) checkOnly(ctx context.Context, s Set) error {
	if err := s.validate(); err != nil {
		return err
	}
	targets, err := readTargets(s)
	if err != nil {
		return err
	}
	by := a.checker(ctx, s)
	s.KeepStage = false // there may be many tries
	st, err := a.stage(s, targets)
	if err != nil {
		return err
	}
	defer st.close(false)
	if err := a.check(ctx, s, st); err != nil {
		return err
	}
	by.at = time.Now()
	a.memory(s.Name).checked = by
	return nil
}

// checker is who would check a set now.
func (a *Applier) checker(ctx context.Context, s Set) passedCheck {
	p := passedCheck{hash: s.Hash()}
	if s.Daemon != nil {
		p.binary, p.version = s.Daemon.Binary, a.probe(ctx, s.Daemon.Socket)
	}
	return p
}

// passedBefore says that Check has just let this very set pass.
func (a *Applier) passedBefore(ctx context.Context, s Set) bool {
	passed := a.memory(s.Name).checked
	if passed.at.IsZero() || time.Since(passed.at) > checkHolds {
		return false
	}
	now := a.checker(ctx, s)
	now.at = passed.at
	return now == passed
}

// check checks a staged set as a whole. It returns nil, a *CheckError, an error
// that wraps ErrCannotCheck, or why the check broke off.
func (a *Applier) check(ctx context.Context, s Set, st *stage) error {
	// A check command for the main file counts as a check of the set.
	main, done := "", s.Daemon == nil
	if s.Daemon != nil {
		main = s.Daemon.Main
	}
	var notDone error
	if s.Daemon != nil {
		notDone = a.checkDaemon(ctx, s, st)
		if notDone != nil && !errors.Is(notDone, ErrCannotCheck) {
			return notDone
		}
		done = notDone == nil
	}
	ran := map[string]bool{}
	for _, f := range s.Files {
		if f.CheckCmd == "" {
			continue
		}
		command := fillPaths(f.CheckCmd, st.path(f.Dest), f.Dest)
		if !ran[command] {
			if err := a.checkCommand(ctx, s.Name, st, command); err != nil {
				return err
			}
			ran[command] = true
		}
		done = done || f.Dest == main
	}
	if done {
		return nil
	}
	return notDone
}

var pathWord = regexp.MustCompile(`\{\{\s*\.(src|dest)\s*\}\}`)

// fillPaths puts the paths of a file into a command, in place of {{.src}} and
// {{.dest}}.
func fillPaths(command, src, dest string) string {
	return pathWord.ReplaceAllStringFunc(command, func(word string) string {
		if strings.Contains(word, ".src") {
			return shellQuote(src)
		}
		return shellQuote(dest)
	})
}

func (a *Applier) checkCommand(ctx context.Context, set string, st *stage, command string) error {
	out, err := run(ctx, a.opts.CheckTimeout, "/bin/sh", "-c", command)
	if err == nil {
		return nil
	}
	if !exited(err) {
		return fmt.Errorf("check command %q: %w", command, err)
	}
	if at, ok := control.ParsePosition(out); ok {
		return st.checkError(set, at)
	}
	words := strings.TrimSpace(st.unstaged(maskSecrets(out)))
	return &CheckError{Set: set, Message: fmt.Sprintf("check command %q: %v: %s", st.unstaged(command), err, words)}
}

// checkDaemon checks with the binary; or over the socket, where there is no
// binary or it is not of the version that runs.
func (a *Applier) checkDaemon(ctx context.Context, s Set, st *stage) error {
	d := s.Daemon
	if d.Binary == "" {
		return a.checkOverSocket(ctx, s, st)
	}
	running := a.probe(ctx, d.Socket)
	if running != "" {
		if version := a.binaryVersion(ctx, d.Binary); version != running {
			a.log.Warn("the binary is not of the running BIRD's version: checking over the control socket",
				"set", s.Name, "binary", d.Binary, "version", version, "running", running)
			return a.checkOverSocket(ctx, s, st)
		}
	}
	out, err := run(ctx, a.opts.CheckTimeout, d.Binary, "-p", "-c", st.path(d.Main))
	switch {
	case err == nil:
		return nil
	case exited(err):
		at, _ := control.ParsePosition(out)
		return st.checkError(s.Name, at)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errTooLong):
		return fmt.Errorf("checking with %s: %w", d.Binary, err)
	}
	return fmt.Errorf("%w with %s: %w", ErrCannotCheck, d.Binary, err)
}

// probe returns the version of the BIRD that runs, or nothing.
func (a *Applier) probe(ctx context.Context, socket string) string {
	if socket == "" {
		return ""
	}
	ctx, cancel := a.within(ctx, probeTimeout)
	defer cancel()
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return ""
	}
	defer c.Close()
	return c.Version()
}

// binaryVersion is what "Binary --version" says after "BIRD version".
func (a *Applier) binaryVersion(ctx context.Context, binary string) string {
	out, _ := run(ctx, a.opts.CheckTimeout, binary, "--version")
	_, version, _ := strings.Cut(out, "BIRD version ")
	if words := strings.Fields(version); len(words) > 0 {
		return words[0]
	}
	return ""
}

func (a *Applier) checkOverSocket(ctx context.Context, s Set, st *stage) error {
	ctx, cancel := a.within(ctx, a.opts.CheckTimeout)
	defer cancel()
	c, err := control.Dial(ctx, s.Daemon.Socket)
	if err == nil {
		defer c.Close()
		err = c.Check(ctx, st.path(s.Daemon.Main))
	}
	var refused *control.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	case !errors.As(err, &refused):
		return fmt.Errorf("%w: no binary to check with, and %w", ErrCannotCheck, err)
	case refused.File == "":
		// BIRD could not open the file at all: it runs as another user, or sees
		// another file system.
		return fmt.Errorf("%w: BIRD cannot read the staged files (where it runs as another user, give the set its uid and gid; where it sees other folders, give a binary to check with): %s", ErrCannotCheck, refused.Message)
	}
	return st.checkError(s.Name, refused.Position)
}

// checkError names a place in the staged files by where they go.
func (st *stage) checkError(set string, at control.Position) *CheckError {
	e := &CheckError{Set: set, File: st.unstaged(at.File), Line: at.Line, Col: at.Col, Message: st.unstaged(maskSecrets(at.Message))}
	if data := st.text(at.File); data != nil {
		e.Excerpt = excerpt(data, at.Line, at.Col)
	}
	return e
}

// text is what is in a file that BIRD was given, for an excerpt: one of the set, or
// one of ours or root's beside it. Where a link of somebody else's led BIRD is not
// for the log.
func (st *stage) text(path string) []byte {
	for _, d := range st.dirs {
		for _, t := range d.targets {
			if path == st.path(t.Dest) {
				return t.Data
			}
		}
	}
	if path == "" {
		return nil
	}
	folder, base, err := find(st.unstaged(path))
	if err != nil {
		return nil
	}
	defer folder.Close()
	data, _, err := folder.Read(base, maxFile)
	if err != nil {
		return nil
	}
	return data
}
