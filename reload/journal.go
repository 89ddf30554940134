package reload

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"confd/internal/foreign"
)

// journal writes down what the next process has to know of a set.
type journal struct {
	logger *slog.Logger
	record *Record
}

// of is the record of a set that has a daemon: as remembered, or from
// disk. One that is bad is forgotten.
func (j *journal) of(s Set) *Record {
	if j.record != nil && j.record.Main == s.Daemon.Main {
		return j.record
	}
	r, err := readRecord(filepath.Dir(s.Daemon.Main), s.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.logger.Warn("starting a new record of what is on disk", "set", s.Name, "error", err)
	}
	if err != nil || r.Main != s.Daemon.Main {
		r = Record{Set: s.Name, Main: s.Daemon.Main}
	}
	j.record = &r
	return j.record
}

// confirmedOnDisk says that what is on disk, where targets are, is what BIRD confirmed
// last, as far as the record knows.
func (j *journal) confirmedOnDisk(s Set, targets []*target) bool {
	last, ok := j.of(s).LastConfirmed()
	return ok && last.lies(targets) == nil
}

// noteChecked writes down that a set is about to be on disk, and forgets what
// can no longer be there. before is what lies in its way, and is kept; nil: what
// was kept already is the way back.
func (j *journal) noteChecked(s Set, g Generation, before *Before, at time.Time) {
	if s.Daemon == nil {
		return
	}
	g.Checked = at
	r := j.of(s)
	if was, known := r.Find(g.Hash); known && was.Mark == g.Mark {
		g.Confirmed, g.Version = was.Confirmed, was.Version
	}
	if before != nil {
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
	j.write(s, foreign.WriteFile) // before the set is
}

// noteTrial writes down that BIRD uses the set until further notice.
func (j *journal) noteTrial(s Set, t *RecordedTrial) {
	j.of(s).Trial = t
	j.write(s, foreign.WriteFile) // a BIRD that starts after a loss of power reads what was on trial
}

// noteNoTrial writes down that BIRD was not told of a trial after all.
func (j *journal) noteNoTrial(s Set) {
	if s.Daemon != nil && j.of(s).Trial != nil {
		j.noteTrial(s, nil)
	}
}

// noteConfirmed writes down that BIRD uses the set, where that is news.
func (j *journal) noteConfirmed(s Set, g Generation, version string, at time.Time) {
	if s.Daemon == nil {
		return
	}
	g.Confirmed, g.Version = at, version
	r := j.of(s)
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
	j.write(s, foreign.PutFile)
}

// noteGone writes down that a set is not on disk after all: what was there before
// is.
func (j *journal) noteGone(s Set, hash string) {
	if s.Daemon == nil {
		return
	}
	r := j.of(s)
	before := len(r.Generations)
	r.Generations = slices.DeleteFunc(slices.Clone(r.Generations), func(g Generation) bool { return g.Hash == hash })
	if len(r.Generations) < before || r.Before != nil || r.Trial != nil {
		r.Before, r.Trial = nil, nil
		j.write(s, foreign.PutFile)
	}
}

// write must not fail a set: without a record only a start is worse off, of us or
// without a datastore. file says whether the next process must know of it also where the
// machine dies: what BIRD used does not matter any more then.
func (j *journal) write(s Set, file func(path string, data []byte, a foreign.Attr) error) {
	j.record.Version = recordVersion
	data, err := json.MarshalIndent(j.record, "", "  ")
	if err == nil {
		path := filepath.Join(filepath.Dir(s.Daemon.Main), recordName(s.Name))
		err = file(path, append(data, '\n'), foreign.Attr{Mode: 0o600, UID: -1, GID: -1})
	}
	if err != nil {
		j.logger.Warn("the record of what is on disk was not written: a start without the datastore may not find it",
			"set", s.Name, "error", advise(err))
	}
}
