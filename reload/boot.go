package reload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Boot has BIRD use what lies on disk, for a start at which there is nobody to
// say what should: the files must be those of one of the record's generations
// (Result.Hash says which), and pass their check as a whole. d is the BIRD that
// reads them; its Main may be empty. There are no reload commands. Apply of a
// rendered set works as usual after that.
//
// The state is Confirmed, or Installed where BIRD is not up. Errors: one that
// names the first file that is not as recorded; *CheckError; those of the
// control socket, as from Apply; ErrOnTrial where a trial that a process before
// this one began goes on, see Resume. Files that cannot be checked, as there is no
// binary and BIRD is not up, are Installed and Unchecked: they were checked when
// they were written.
func (a *Applier) Boot(ctx context.Context, r Record, d Daemon) (Result, error) {
	res, err := a.boot(ctx, r, d)
	return res, naming(r.Set, err)
}

func (a *Applier) boot(ctx context.Context, r Record, d Daemon) (Result, error) {
	s, err := r.setOf(d)
	if err != nil {
		return Result{}, err
	}
	mem := a.memory(s.Name)
	if err := a.takeUp(ctx, s, mem); err != nil {
		return Result{}, err
	}
	if mem.phase == onTrial {
		return Result{}, ErrOnTrial
	}
	daemon := s.Daemon
	if s, _, err = a.recordOf(s, mem).OnDisk(); err != nil {
		return Result{}, err
	}
	s.Daemon = daemon
	mem.found(newGeneration(s))
	res := Result{Hash: mem.generation.Hash}
	err = a.checkDaemon(ctx, s, &stage{}) // nothing is staged: the files are where they go
	switch {
	case err == nil:
		res.Checked = a.opts.Now()
	case errors.Is(err, ErrCannotCheck):
		a.log.Warn("running on files from before without another check", "set", s.Name, "error", err)
		res.Unchecked = true
	default:
		return res, err
	}
	return a.tell(ctx, s, mem, res)
}

// setOf is a set with a daemon and without files, as a record knows it.
func (r Record) setOf(d Daemon) (Set, error) {
	if err := r.validate(filepath.Dir(r.Main), r.Set); err != nil {
		return Set{}, fmt.Errorf("its record: %w", err)
	}
	if d.Main != "" && d.Main != r.Main {
		return Set{}, fmt.Errorf("its record is that of %s, and BIRD reads %s", r.Main, d.Main)
	}
	d.Main = r.Main
	return Set{Name: r.Set, Daemon: &d}, nil
}

// OnDisk reads the set whose files lie on disk, without its Daemon, and says which
// generation that is. The error names the first file that is not as recorded.
func (r Record) OnDisk() (Set, Generation, error) {
	err := errors.New("its record is empty")
	for i, g := range r.Generations {
		s, differs := g.fromDisk()
		if differs == nil {
			s.Name = r.Set
			return s, g, nil
		}
		if i == 0 {
			err = differs
		}
	}
	return Set{}, Generation{}, fmt.Errorf("what is on disk was not written as a whole by us: %w", err)
}

// onDisk says why a generation's files do not lie on disk.
func (g Generation) onDisk() error {
	_, err := g.fromDisk()
	return err
}

// fromDisk reads a generation's files; the error names one that is not as
// recorded.
func (g Generation) fromDisk() (Set, error) {
	s := Set{Mark: g.Mark}
	for _, f := range g.Files {
		now, err := readOnDisk(f.Dest)
		switch {
		case err != nil:
			return Set{}, err
		case now == nil:
			return Set{}, fmt.Errorf("%s is gone", f.Dest)
		case sum(now.data) != f.SHA256:
			return Set{}, fmt.Errorf("%s was changed", f.Dest)
		case now.mode != f.Mode:
			return Set{}, fmt.Errorf("%s has mode %o, not %o", f.Dest, now.mode, f.Mode)
		}
		s.Files = append(s.Files, File{Dest: f.Dest, Data: now.data, Mode: now.mode, UID: -1, GID: -1})
	}
	if hash := s.Hash(); hash != g.Hash {
		return Set{}, fmt.Errorf("the files' hash is %s, and %s is recorded", hash, g.Hash)
	}
	return s, nil
}
