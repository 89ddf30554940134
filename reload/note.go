package reload

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"confd/internal/foreign"
)

// recordOf is the record of a set that has a daemon: as remembered, or from
// disk. One that is bad is forgotten.
func (a *Applier) recordOf(s Set, mem *memory) *Record {
	if mem.record != nil && mem.record.Main == s.Daemon.Main {
		return mem.record
	}
	r, err := readRecord(filepath.Dir(s.Daemon.Main), s.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("starting a new record of what is on disk", "set", s.Name, "error", err)
	}
	if err != nil || r.Main != s.Daemon.Main {
		r = Record{Set: s.Name, Main: s.Daemon.Main}
	}
	mem.record = &r
	return mem.record
}

// agreedOnDisk says that what is on disk is what BIRD confirmed last, as far as we
// or the record know.
func (a *Applier) agreedOnDisk(s Set, mem *memory) bool {
	if s.Daemon == nil {
		return false
	}
	if mem.phase == confirmed && mem.generation.onDisk() == nil {
		return true
	}
	last, ok := a.recordOf(s, mem).LastConfirmed()
	return ok && last.onDisk() == nil
}

// noteChecked writes down that a set is about to be on disk, and forgets what
// can no longer be there. What lies in the way of targets is kept, where it is
// the way back from what comes.
func (a *Applier) noteChecked(s Set, mem *memory, g Generation, targets []*target, agreed bool, at time.Time) error {
	if s.Daemon == nil {
		return nil
	}
	g.Checked = at
	r := a.recordOf(s, mem)
	if was, known := r.Find(g.Hash); known && was.Mark == g.Mark {
		g.Confirmed, g.Version = was.Confirmed, was.Version
	}
	if mem.back == nil {
		before, err := keepBefore(s, targets, agreed)
		if err != nil {
			return err
		}
		r.Before = before
	}
	generations := []Generation{g}
	last, _ := r.LastConfirmed()
	for _, was := range r.Generations {
		if was.Hash != g.Hash && (len(generations) == 1 || was.Hash == last.Hash) {
			generations = append(generations, was)
		}
	}
	r.Generations, r.Trial = generations, nil
	a.writeRecord(s, mem)
	return nil
}

// noteTrial writes down that BIRD uses the set until further notice, and since
// when, where it has said so.
func (a *Applier) noteTrial(s Set, mem *memory, t *trial, proof *observation) {
	r := a.recordOf(s, mem)
	r.Trial = t.recorded(proof)
	a.writeRecord(s, mem)
}

// noteConfirmed writes down that BIRD uses the set, where that is news.
func (a *Applier) noteConfirmed(s Set, mem *memory, at time.Time) {
	if s.Daemon == nil {
		return
	}
	g := mem.generation
	g.Confirmed, g.Version = at, mem.version
	r := a.recordOf(s, mem)
	if was, known := r.Find(g.Hash); known {
		g.Checked = was.Checked
		if was.Mark == g.Mark && !was.Confirmed.IsZero() {
			g.Confirmed = was.Confirmed
		}
		if len(r.Generations) == 1 && r.Before == nil && r.Trial == nil &&
			was.Mark == g.Mark && was.Version == g.Version && was.Confirmed.Equal(g.Confirmed) {
			return
		}
	}
	r.Generations, r.Before, r.Trial = []Generation{g}, nil, nil
	a.writeRecord(s, mem)
}

// noteGone writes down that a set is not on disk after all: what was there before
// is.
func (a *Applier) noteGone(s Set, mem *memory, hash string) {
	if s.Daemon == nil {
		return
	}
	r := a.recordOf(s, mem)
	before := len(r.Generations)
	r.Generations = slices.DeleteFunc(slices.Clone(r.Generations), func(g Generation) bool { return g.Hash == hash })
	if len(r.Generations) < before || r.Before != nil || r.Trial != nil {
		r.Before, r.Trial = nil, nil
		a.writeRecord(s, mem)
	}
}

// writeRecord must not fail a set: without a record only a start is worse off, of
// us or without a datastore.
func (a *Applier) writeRecord(s Set, mem *memory) {
	mem.record.Version = recordVersion
	data, err := json.MarshalIndent(mem.record, "", "  ")
	if err == nil {
		path := filepath.Join(filepath.Dir(s.Daemon.Main), recordName(s.Name))
		err = foreign.WriteFile(path, append(data, '\n'), foreign.Attr{Mode: 0o600, UID: -1, GID: -1})
	}
	if err != nil {
		a.log.Warn("the record of what is on disk was not written: a start without the datastore may not find it",
			"set", s.Name, "error", advise(err))
	}
}
