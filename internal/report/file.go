package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"confd/internal/foreign"
)

// File is the name of the file with the report, in BIRD's folder.
const File = ".confd-report.json"

// maxBytes bounds a report that is read. A session takes some 300 bytes: with
// 5,000 nodes a report has 3 MB.
const maxBytes = 64 << 20

// SessionsFile is the name of the file with a report's sessions, beside it: they are
// nearly all of it, and stay the same while the rest changes.
const SessionsFile = ".confd-report-sessions.json"

// Write puts the report into BIRD's folder, at once, for a group to read; -1: that
// of this process. Where that fails, such as for
// want of space, the one before must not go on saying what is no longer so: an
// empty file takes its place, which Read takes for what it is.
func (r *Report) Write(folder string, group int) error { return new(Writer).Write(r, folder, group) }

// Writer writes one report after the other, each at the cost of what has changed. The
// zero value has written none.
type Writer struct {
	folder   string
	sessions sessionsText // that lie there
}

// sessionsText is the text of the sessions' file; begins has where each one's begins, and
// ends where it ends.
type sessionsText struct {
	list         []Session
	text         []byte
	begins, ends []int32
}

// Write is Report.Write. The report is not changed, nor what it points to, from now on.
func (w *Writer) Write(r *Report, folder string, group int) error {
	d, err := foreign.Open(folder)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer d.Close()
	out := *r
	out.Format, out.Sessions, out.SessionsApart = Format, nil, len(r.Sessions) > 0
	err = errors.Join(w.writeSessions(d, r.Sessions, group), write(d, File, out, group))
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writeSessions writes the sessions' file, where there are some, and they are others
// than those in it.
func (w *Writer) writeSessions(d *foreign.Folder, list []Session, group int) error {
	if len(list) == 0 || w.folder == d.Path() && slices.Equal(w.sessions.list, list) {
		return nil
	}
	now, err := w.sessions.of(list)
	w.folder, w.sessions = "", sessionsText{}
	if err != nil {
		return err
	}
	if err := replace(d, SessionsFile, now.text, group); err != nil {
		return err
	}
	w.folder, w.sessions = d.Path(), now
	return nil
}

// of is the text of a list of sessions, in which those that t has too are as there. Both
// are by family and name; where one is not it costs more, and is the same.
func (t sessionsText) of(list []Session) (sessionsText, error) {
	out := sessionsText{list: list, text: make([]byte, 0, len(t.text)+1024), begins: make([]int32, 0, len(list)), ends: make([]int32, 0, len(list))}
	before := 0
	for i, s := range list {
		out.text = append(out.text, "[,"[min(i, 1)])
		out.begins = append(out.begins, int32(len(out.text)))
		for before < len(t.list) && cmp.Or(cmp.Compare(t.list[before].Family, s.Family), cmp.Compare(t.list[before].Name, s.Name)) < 0 {
			before++
		}
		if before < len(t.list) && t.list[before] == s {
			out.text = append(out.text, t.text[t.begins[before]:t.ends[before]]...)
		} else {
			data, err := json.Marshal(s)
			if err != nil {
				return sessionsText{}, err
			}
			out.text = append(out.text, data...)
		}
		out.ends = append(out.ends, int32(len(out.text)))
	}
	out.text = append(out.text, "]\n"...)
	return out, nil
}

// write writes what value says into a file.
func write(d *foreign.Folder, name string, value any, group int) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return replace(d, name, append(data, '\n'), group)
}

// replace writes a file of the report, in the room of the one before where there is
// no other.
func replace(d *foreign.Folder, name string, data []byte, group int) error {
	attr := foreign.Attr{Mode: 0o640, UID: -1, GID: group}
	err := d.Write(name, data, attr)
	if err == nil {
		return nil
	}
	if d.Remove(name) != nil { // a folder is in the way, or we may not write here
		return err
	}
	if d.Write(name, data, attr) == nil {
		return nil
	}
	_ = d.Write(name, nil, attr) // where not even that can be done there is no report
	return err
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
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, File), err)
	}
	if r.SessionsApart {
		r.SessionsApart = false
		if r.Sessions, err = readSessions(d, file); err != nil {
			return nil, fmt.Errorf("reading the report: %w", err)
		}
	}
	return r, nil
}

// readSessions reads the sessions' file. They may be a moment newer than the report.
// Where somebody has removed it none are known.
func readSessions(d *foreign.Folder, file func(*foreign.Folder, string, int64) ([]byte, fs.FileInfo, error)) ([]Session, error) {
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
	return list, nil
}

// errNotWritten is why a file is empty.
var errNotWritten = errors.New("the program could not write its report: is the disk full?")

// decode reads the text of a report.
func decode(data []byte) (*Report, error) {
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
	if version.Format > Format {
		return nil, fmt.Errorf("a report of format %d, by version %q, where this program knows %d: use that version here, too",
			version.Format, version.Program, Format)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("not a report: %w", err)
	}
	return &r, nil
}
