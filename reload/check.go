package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"confd/reload/control"
)

// passedCheck is a check that a set has passed by itself.
type passedCheck struct {
	hash, binary, version string // of the set, and of who checked it
	at                    time.Time
}

// checkHolds is how long a check by Check counts for Apply: what a set includes
// that is not its own may change.
const checkHolds = time.Minute

// checker checks staged sets.
type checker struct {
	opts *Options
	log  *slog.Logger
	bird *talker
	sets map[string]passedCheck // those that have passed by themselves
	// versions are those of the binaries that check.
	versions versions
}

// by is who would check a set now.
func (c *checker) by(ctx context.Context, s Set) passedCheck {
	p := passedCheck{hash: s.Hash()}
	if s.Daemon != nil {
		p.binary, p.version = s.Daemon.Binary, c.bird.probe(ctx, s.Daemon.Socket)
	}
	return p
}

// passedBefore says that Check has just let this very set pass.
func (c *checker) passedBefore(ctx context.Context, s Set) bool {
	passed := c.sets[s.Name]
	if passed.at.IsZero() || time.Since(passed.at) > checkHolds {
		return false
	}
	now := c.by(ctx, s)
	now.at = passed.at
	return now == passed
}

// alone checks a set that is not to be installed.
func (c *checker) alone(ctx context.Context, disk installer, s Set) error {
	if err := s.validate(); err != nil {
		return err
	}
	targets, err := readTargets(s, nil)
	if err != nil {
		return err
	}
	by := c.by(ctx, s)
	s.KeepStage = false // there may be many tries
	st, err := disk.stage(s, targets)
	if err != nil {
		return err
	}
	defer st.close(false)
	if err := c.check(ctx, s, st); err != nil {
		return err
	}
	by.at = time.Now()
	c.sets[s.Name] = by
	return nil
}

// toInstall checks a staged set. Where that is not possible it is an error unless
// nothing is installed yet, when any set is better than none.
func (c *checker) toInstall(ctx context.Context, s Set, st *stage, first bool) (unchecked bool, err error) {
	if c.passedBefore(ctx, s) {
		return false, nil
	}
	err = c.check(ctx, s, st)
	if !errors.Is(err, ErrCannotCheck) || !first {
		return false, err
	}
	c.log.Warn("installing a first set without a check", "set", s.Name, "error", err)
	return true, nil
}

// check checks a staged set as a whole. It returns nil, a *CheckError, an error
// that wraps ErrCannotCheck, or why the check broke off.
func (c *checker) check(ctx context.Context, s Set, st *stage) error {
	// A check command for the main file counts as a check of the set.
	main, done := "", s.Daemon == nil
	if s.Daemon != nil {
		main = s.Daemon.Main
	}
	var notDone error
	if s.Daemon != nil {
		notDone = c.checkDaemon(ctx, s, st)
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
			if err := c.checkCommand(ctx, s.Name, st, command); err != nil {
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

func (c *checker) checkCommand(ctx context.Context, set string, st *stage, command string) error {
	out, err := run(ctx, c.opts.CheckTimeout, "/bin/sh", "-c", command)
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
func (c *checker) checkDaemon(ctx context.Context, s Set, st *stage) error {
	d := s.Daemon
	if d.Binary == "" {
		return c.checkOverSocket(ctx, s, st)
	}
	running := c.bird.probe(ctx, d.Socket)
	if running != "" {
		if version := c.versions.of(ctx, c.opts.CheckTimeout, d.Binary); version != running {
			c.log.Warn("the binary is not of the running BIRD's version: checking over the control socket",
				"set", s.Name, "binary", d.Binary, "version", version, "running", running)
			return c.checkOverSocket(ctx, s, st)
		}
	}
	out, err := run(ctx, c.opts.CheckTimeout, d.Binary, "-p", "-c", st.path(d.Main))
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

func (c *checker) checkOverSocket(ctx context.Context, s Set, st *stage) error {
	ctx, cancel := c.bird.within(ctx, c.opts.CheckTimeout)
	defer cancel()
	conn, err := control.Dial(ctx, s.Daemon.Socket)
	if err == nil {
		defer conn.Close()
		err = conn.Check(ctx, st.path(s.Daemon.Main))
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
