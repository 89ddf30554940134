package reload

import (
	"errors"
	"fmt"
	"path/filepath"
)

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

// lies says why a generation's files do not lie on disk; targets are those of them that
// were read already.
func (g Generation) lies(targets []*target) error {
	_, err := g.read(func(dest string) (*onDisk, error) {
		for _, t := range targets {
			if t.Dest == dest {
				return t.was, nil
			}
		}
		return readOnDisk(dest)
	})
	return err
}

// fromDisk reads a generation's files; the error names one that is not as
// recorded.
func (g Generation) fromDisk() (Set, error) { return g.read(readOnDisk) }

func (g Generation) read(file func(dest string) (*onDisk, error)) (Set, error) {
	s := Set{Mark: g.Mark}
	for _, f := range g.Files {
		now, err := file(f.Dest)
		switch {
		case err != nil:
			return Set{}, err
		case now == nil:
			return Set{}, fmt.Errorf("%s is gone", f.Dest)
		case now.sum() != f.SHA256:
			return Set{}, fmt.Errorf("%s was changed", f.Dest)
		case now.mode != f.Mode:
			return Set{}, fmt.Errorf("%s has mode %o, not %o", f.Dest, now.mode, f.Mode)
		}
		s.Files = append(s.Files, File{Dest: f.Dest, Data: now.data, Sum: now.sum(), Mode: now.mode, UID: -1, GID: -1})
	}
	if hash := s.Hash(); hash != g.Hash {
		return Set{}, fmt.Errorf("the files' hash is %s, and %s is recorded", hash, g.Hash)
	}
	return s, nil
}
