package reload

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"confd/internal/foreign"
)

// recordVersion is that of the records that are written. Up to it they are
// understood; those of before they had one are 0.
const recordVersion = 2

// ErrNewer is wrapped where what is on disk was written by a newer version of the
// program. It counts for nothing then.
var ErrNewer = errors.New("written by a newer version of the program")

// maxRecord is how large a record may be: one with some ten thousand sessions.
const maxRecord = 16 << 20

// Record says what of a set lies on disk, for a start at which nobody can render
// it, and for what a process leaves unfinished when it is killed. It is a hidden
// file beside the set's main file; sets without a Daemon have none. It has no
// passwords in it.
type Record struct {
	Version int    `json:"version"`
	Set     string `json:"set"`
	Main    string `json:"main"` // the Dest of the file that BIRD reads
	// Generations are those that may lie on disk, the newest first: the one that
	// was checked last, the one before it (until BIRD has confirmed a later one),
	// and the one that BIRD confirmed last.
	Generations []Generation `json:"generations"`
	// Before is what lay on disk when BIRD last agreed, while it is not known
	// whether BIRD agrees to what lies there now; nil: it does, or nothing did.
	Before *Before `json:"before,omitempty"`
	// Trial is a trial that has begun; nil: there is none.
	Trial *RecordedTrial `json:"trial,omitempty"`
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

// Before is what lay on disk, and where it is kept.
type Before struct {
	// Agreed is set where BIRD had confirmed it.
	Agreed bool   `json:"agreed"`
	Mark   string `json:"mark,omitempty"` // see Set.Mark
	// Folder is the name of the one that has the files, beside the main file, each under
	// its place in Files.
	Folder string     `json:"folder"`
	Files  []KeptFile `json:"files"`
}

// KeptFile is a file that lay on disk.
type KeptFile struct {
	RecordedFile
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// RecordedTrial is a trial that has begun.
type RecordedTrial struct {
	Hash     string    `json:"hash"`     // of the set that is tried
	Told     time.Time `json:"told"`     // when BIRD was told
	Ends     time.Time `json:"ends"`     // when its time is over
	Deadline time.Time `json:"deadline"` // when BIRD goes back by itself
	// Stay are the sessions that must stay up, with BIRD's times for when each came
	// up; Return are those that must be up at the end.
	Stay   map[string]string `json:"stay,omitempty"`
	Return []string          `json:"return,omitempty"`
	// Reconfigured and Rebooted are BIRD's times for when it took the set, and was
	// started; zero: it has not said that it took it.
	Reconfigured time.Time `json:"reconfigured,omitzero"`
	Rebooted     time.Time `json:"rebooted,omitzero"`
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
		g.Files = append(g.Files, RecordedFile{Dest: f.Dest, SHA256: f.sum(), Mode: f.mode()})
	}
	slices.SortFunc(g.Files, func(a, b RecordedFile) int { return cmp.Compare(a.Dest, b.Dest) })
	h := sha256.New()
	for _, f := range g.Files {
		fmt.Fprintf(h, "%q %s %o\n", f.Dest, f.SHA256, f.Mode)
	}
	g.Hash = hex.EncodeToString(h.Sum(nil))[:16]
	return g
}

func (f File) sum() string {
	if f.Sum != "" {
		return f.Sum
	}
	return Sum(f.Data)
}

// Sum is the SHA-256 of what is in a file, as hex digits.
func Sum(data []byte) string {
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
// error says which could not be read, are not ours or not of this folder, or are
// too new (ErrNewer); the others come all the same.
func Records(folder string) ([]Record, error) {
	d, err := foreign.Open(folder)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.Entries()
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
	data, _, err := foreign.ReadFile(path, maxRecord)
	if err != nil {
		return Record{}, err
	}
	r, err := parseRecord(data)
	if err == nil {
		err = r.validate(folder, set)
	}
	if err != nil {
		return Record{}, fmt.Errorf("record %q: %w: remove the file", path, err)
	}
	return r, nil
}

// parseRecord reads the version first: a newer record may be of another form.
func parseRecord(data []byte) (Record, error) {
	var r struct{ Version int }
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, err
	}
	if r.Version > recordVersion {
		return Record{}, fmt.Errorf("its version is %d, and %d is understood: it was %w", r.Version, recordVersion, ErrNewer)
	}
	var whole Record
	err := json.Unmarshal(data, &whole)
	return whole, err
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
	if r.Before != nil {
		return r.Before.validate(r.Set)
	}
	return nil
}

func (b *Before) validate(set string) error {
	if !holdsBefore(set, b.Folder) {
		return fmt.Errorf("the files from before are in %q", b.Folder)
	}
	for _, f := range b.Files {
		if !validDest(f.Dest) {
			return fmt.Errorf("before there was a file %q", f.Dest)
		}
	}
	return nil
}

// beforePrefix starts the names of the folders that keep a set's files.
func beforePrefix(set string) string { return hiddenPrefix + "before-" + set + "-" }

// holdsBefore says that a folder of that name keeps a set's files. The
// end of the name is random, and has no dash.
func holdsBefore(set, name string) bool {
	random, ours := strings.CutPrefix(name, beforePrefix(set))
	return ours && random != "" && !strings.ContainsAny(random, "-/")
}

// kept is the name of the folder with the files from before; empty where there is none.
func (r *Record) kept() string {
	if r.Before == nil {
		return ""
	}
	return r.Before.Folder
}
