package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"confd/internal/edits"
	"confd/internal/foreign"
	"confd/internal/jsonfile"
)

// File is the name of the file with the report, in BIRD's folder.
const File = ".confd-report.json"

// maxBytes bounds a report that is read. A session takes some 300 bytes: with
// 5,000 nodes a report has 3 MB.
const maxBytes = 64 << 20

// SessionsFile is the name of the file with a report's sessions, beside it: they are
// nearly all of it. Where there are many, and few of them are others than when it was
// written, it stays, and the report has what differs.
//
// Each of the two files is replaced in one step. Where the report has what differs from
// another sessions' file than the one that is there, that one was written since, and has
// all: whoever reads gets the sessions of one moment.
const SessionsFile = ".confd-report-sessions.json"

// changedFormat is the format of a report's file that has what differs from the sessions'
// file: who does not know it must not take these for the sessions.
const changedFormat = Format + 1

// manySessions are so many that the file is not written anew until a changesPart of them
// has changed.
const (
	manySessions = 200
	changesPart  = 32
)

// form is what is in the report's file: the report without its sessions.
type form struct {
	Report
	// SessionsApart: there are some, in their file.
	SessionsApart bool `json:"sessions_apart,omitempty"`
	// SessionsSince is what differs from it; nil: nothing.
	SessionsSince *sessionsSince `json:"sessions_since,omitempty"`
}

// sessionsSince is what differs from the sessions' file whose text has that sum.
type sessionsSince struct {
	Of string `json:"of"`
	edits.Edits[Session]
}

// Write puts the report into BIRD's folder, at once, for a group to read; -1: that
// of this process. Where that fails, such as for
// want of space, the one before must not go on saying what is no longer so: an
// empty file takes its place, which Read takes for what it is.
func (r *Report) Write(folder string, group int) error { return new(Writer).Write(r, folder, group) }

// Writer writes one report after the other, each at the cost of what has changed. The
// zero value has written none.
type Writer struct {
	folder string
	// base, sum and info are of the sessions' file there; no base: it is not known.
	base []Session
	sum  string
	info fs.FileInfo
}

// Write is Report.Write. The report is not changed, nor what it points to, from now on.
func (w *Writer) Write(r *Report, folder string, group int) error {
	d, err := foreign.Open(folder)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer d.Close()
	out := form{Report: *r, SessionsApart: len(r.Sessions) > 0}
	out.Format, out.Sessions = Format, nil
	if out.SessionsApart {
		out.SessionsSince, err = w.writeSessions(d, r.Sessions, group)
	}
	if out.SessionsSince != nil {
		out.Format = changedFormat
	}
	_, failed := write(d, File, out, group)
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writeSessions writes the sessions' file, unless it is there and what differs from it is
// less: that is what it returns then, nil where nothing does.
func (w *Writer) writeSessions(d *foreign.Folder, list []Session, group int) (*sessionsSince, error) {
	if len(w.base) > 0 && w.folder == d.Path() && d.Still(SessionsFile, w.info) {
		since := edits.Between(w.base, list, compareSessions, func(a, b *Session) bool { return *a == *b })
		switch {
		case since.Len() == 0:
			return nil, nil
		case len(w.base) >= manySessions && since.Len() <= len(w.base)/changesPart:
			return &sessionsSince{w.sum, since}, nil
		}
	}
	*w = Writer{}
	sum, err := write(d, SessionsFile, list, group)
	if err != nil {
		return nil, err
	}
	if info, err := d.Lstat(SessionsFile); err == nil {
		*w = Writer{d.Path(), list, sum, info}
	}
	return nil, nil
}

// compareSessions orders sessions as reports have them.
func compareSessions(a, b *Session) int {
	return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name))
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// write writes what value says into a file of the report, in the room of the one before
// where there is no other. sum is that of the text.
func write(d *foreign.Folder, name string, value any, group int) (sum string, err error) {
	attr := foreign.Attr{Mode: 0o640, UID: -1, GID: group}
	sum, err = jsonfile.Put(d, name, value, attr)
	if err == nil {
		return sum, nil
	}
	if d.Remove(name) != nil { // a folder is in the way, or we may not write here
		return "", err
	}
	if sum, again := jsonfile.Put(d, name, value, attr); again == nil {
		return sum, nil
	}
	_ = d.Put(name, nil, attr) // where not even that can be done there is no report
	return "", err
}

// Read reads the report that is in BIRD's folder; nil where there is none. It may
// be forged by whoever may write there: what it says is to be shown (see package
// terminal), and to be acted upon by nobody who has more rights.
func Read(folder string) (*Report, error) { return read(folder, (*foreign.Folder).ReadOfAnyone) }

// ReadOwn is Read for a report that was written by the user of this program, or by
// root. One of somebody else is an error.
func ReadOwn(folder string) (*Report, error) { return read(folder, (*foreign.Folder).Read) }

func read(folder string, file func(*foreign.Folder, string, int64) ([]byte, fs.FileInfo, error)) (*Report, error) {
	d, err := foreign.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	defer d.Close()
	data, _, err := file(d, File, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	f, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, File), err)
	}
	r := &f.Report
	r.Format = min(r.Format, Format) // how the file has it is no matter
	if f.SessionsApart {
		if r.Sessions, err = f.readSessions(d, file); err != nil {
			return nil, fmt.Errorf("reading the report: %w", err)
		}
	}
	return r, nil
}

// readSessions reads the sessions' file, with what differs from it. They may be a moment
// newer than the report. Where somebody has removed it none are known.
func (f *form) readSessions(d *foreign.Folder, file func(*foreign.Folder, string, int64) ([]byte, fs.FileInfo, error)) ([]Session, error) {
	data, _, err := file(d, SessionsFile, maxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errNotWritten
	}
	var list []Session
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(d.Path(), SessionsFile), err)
	}
	if f.SessionsSince == nil || f.SessionsSince.Of != sumOf(data) {
		return list, nil
	}
	if list, err = f.SessionsSince.Edits.Of(list, compareSessions); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(d.Path(), File), err)
	}
	return list, nil
}

// errNotWritten is why a file is empty.
var errNotWritten = errors.New("the program could not write its report: is the disk full?")

// decode reads the text of a report's file.
func decode(data []byte) (*form, error) {
	if len(data) == 0 {
		return nil, errNotWritten
	}
	var version struct {
		Program string `json:"program"`
		Format  int    `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	if version.Format > changedFormat {
		return nil, fmt.Errorf("a report of format %d, by version %q, where this program knows %d: use that version here, too",
			version.Format, version.Program, changedFormat)
	}
	var f form
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	return &f, nil
}
