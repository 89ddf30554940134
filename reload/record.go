package reload

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Record says what of a set lies on disk, for a start at which nobody can render
// it. It is a hidden file beside the set's main file; sets without a Daemon have
// none. It has no passwords in it.
type Record struct {
	Set  string `json:"set"`
	Main string `json:"main"` // the Dest of the file that BIRD reads
	// Generations are those that may lie on disk, the newest first: the one that
	// was checked last, the one before it (until BIRD has confirmed a later one),
	// and the one that BIRD confirmed last.
	Generations []Generation `json:"generations"`
}

// Generation is one state of a set's files.
type Generation struct {
	Hash  string         `json:"hash"`           // see Set.Hash
	Mark  string         `json:"mark,omitempty"` // see Set.Mark
	Files []RecordedFile `json:"files"`
	// Checked is when it passed its check; zero: it lay there, and BIRD took it.
	// Confirmed is when BIRD first confirmed it with this Mark; zero: it has not.
	// Version is that of the BIRD that confirmed it last.
	Checked   time.Time `json:"checked,omitzero"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	Version   string    `json:"version,omitempty"`
}

// RecordedFile is a file of a Generation.
type RecordedFile struct {
	Dest   string      `json:"dest"`
	SHA256 string      `json:"sha256"` // of what is in it, in hex
	Mode   fs.FileMode `json:"mode"`
}

// LastConfirmed is the generation that BIRD confirmed last; false where it has
// confirmed none.
func (r Record) LastConfirmed() (Generation, bool) {
	i := slices.IndexFunc(r.Generations, func(g Generation) bool { return !g.Confirmed.IsZero() })
	if i < 0 {
		return Generation{}, false
	}
	return r.Generations[i], true
}

// Find is the generation with that hash; false where there is none.
func (r Record) Find(hash string) (Generation, bool) {
	i := slices.IndexFunc(r.Generations, func(g Generation) bool { return g.Hash == hash })
	if i < 0 {
		return Generation{}, false
	}
	return r.Generations[i], true
}

// Hash is a short hash (16 hex digits) of a set's files: their names, what is in
// them, and their modes. Their order does not matter.
func (s Set) Hash() string { return newGeneration(s).Hash }

func newGeneration(s Set) Generation {
	g := Generation{Mark: s.Mark}
	for _, f := range s.Files {
		g.Files = append(g.Files, RecordedFile{Dest: f.Dest, SHA256: sum(f.Data), Mode: f.mode()})
	}
	slices.SortFunc(g.Files, func(a, b RecordedFile) int { return cmp.Compare(a.Dest, b.Dest) })
	h := sha256.New()
	for _, f := range g.Files {
		fmt.Fprintf(h, "%q %s %o\n", f.Dest, f.SHA256, f.Mode)
	}
	g.Hash = hex.EncodeToString(h.Sum(nil))[:16]
	return g
}

func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}

// recordPrefix and recordSuffix stand around a set's name in its record's name.
const (
	recordPrefix = hiddenPrefix + "record-"
	recordSuffix = ".json"
)

func recordName(set string) string { return recordPrefix + set + recordSuffix }

// Records reads the records in a folder, sorted by the names of the sets. The
// error says which could not be read, or are not of this folder; the others
// come all the same.
func Records(folder string) ([]Record, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var records []Record
	var errs []error
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), recordPrefix)
		name, whole := strings.CutSuffix(name, recordSuffix)
		if !ours || !whole {
			continue
		}
		r, err := readRecord(folder, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		records = append(records, r)
	}
	return records, errors.Join(errs...)
}

func readRecord(folder, set string) (Record, error) {
	path := filepath.Join(folder, recordName(set))
	data, err := os.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("record %s: %w: remove the file", path, err)
	}
	if err := r.validate(folder, set); err != nil {
		return Record{}, fmt.Errorf("record %s: %w: remove the file", path, err)
	}
	return r, nil
}

// validate says why a record is not that of a set in a folder.
func (r Record) validate(folder, set string) error {
	if r.Set != set {
		return fmt.Errorf("it is that of a set %q", r.Set)
	}
	if err := validName(r.Set); err != nil {
		return err
	}
	if !validDest(r.Main) || filepath.Dir(r.Main) != filepath.Clean(folder) {
		return fmt.Errorf("it is of another folder: its main file is %q", r.Main)
	}
	for _, g := range r.Generations {
		if !slices.ContainsFunc(g.Files, func(f RecordedFile) bool { return f.Dest == r.Main }) {
			return fmt.Errorf("generation %q has no main file", g.Hash)
		}
		for _, f := range g.Files {
			if !validDest(f.Dest) {
				return fmt.Errorf("generation %q has a file %q", g.Hash, f.Dest)
			}
		}
	}
	return nil
}

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

// confirmedOnDisk says that what is on disk is what BIRD confirmed last, as far
// as the record knows.
func (a *Applier) confirmedOnDisk(s Set, mem *memory) bool {
	if s.Daemon == nil {
		return false
	}
	last, ok := a.recordOf(s, mem).LastConfirmed()
	if !ok {
		return false
	}
	_, err := last.fromDisk()
	return err == nil
}

// noteChecked writes down that a set is about to be on disk, and forgets what
// can no longer be there.
func (a *Applier) noteChecked(s Set, mem *memory, at time.Time) {
	if s.Daemon == nil {
		return
	}
	g := mem.generation
	g.Checked = at
	old := a.recordOf(s, mem)
	if was, known := old.Find(g.Hash); known && was.Mark == g.Mark {
		g.Confirmed, g.Version = was.Confirmed, was.Version
	}
	generations := []Generation{g}
	last, _ := old.LastConfirmed()
	for _, was := range old.Generations {
		if was.Hash != g.Hash && (len(generations) == 1 || was.Hash == last.Hash) {
			generations = append(generations, was)
		}
	}
	a.writeRecord(s, mem, generations)
}

// noteConfirmed writes down that BIRD uses the set, where that is news.
func (a *Applier) noteConfirmed(s Set, mem *memory, at time.Time, version string) {
	if s.Daemon == nil {
		return
	}
	g := mem.generation
	g.Confirmed, g.Version = at, version
	old := a.recordOf(s, mem)
	if was, known := old.Find(g.Hash); known {
		g.Checked = was.Checked
		if was.Mark == g.Mark && !was.Confirmed.IsZero() {
			g.Confirmed = was.Confirmed
		}
		if len(old.Generations) == 1 && was.Mark == g.Mark && was.Version == g.Version && was.Confirmed.Equal(g.Confirmed) {
			return
		}
	}
	a.writeRecord(s, mem, []Generation{g})
}

// noteGone writes down that a set is not on disk after all.
func (a *Applier) noteGone(s Set, mem *memory, hash string) {
	if s.Daemon == nil {
		return
	}
	old := a.recordOf(s, mem).Generations
	if generations := slices.DeleteFunc(slices.Clone(old), func(g Generation) bool { return g.Hash == hash }); len(generations) < len(old) {
		a.writeRecord(s, mem, generations)
	}
}

// writeRecord must not fail a set: without a record only a start without a
// datastore is worse off.
func (a *Applier) writeRecord(s Set, mem *memory, generations []Generation) {
	mem.record.Generations = generations
	data, err := json.MarshalIndent(mem.record, "", "  ")
	if err == nil {
		folder := filepath.Dir(s.Daemon.Main)
		err = replace(folder, s.Name, content{base: recordName(s.Name), data: append(data, '\n'), mode: 0o600, uid: -1, gid: -1})
	}
	if err != nil {
		a.log.Warn("the record of what is on disk was not written: a start without the datastore may not find it",
			"set", s.Name, "error", advise(err))
	}
}
