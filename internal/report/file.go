package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"confd/internal/foreign"
)

// File is the name of the file with the report, in BIRD's folder.
const File = ".confd-report.json"

// maxBytes bounds a report that is read. A session takes some 300 bytes: with
// 5,000 nodes a report has 3 MB.
const maxBytes = 64 << 20

// Write puts the report into BIRD's folder, at once, for a group to read; -1: that
// of this process. Where that fails, such as for
// want of space, the one before must not go on saying what is no longer so: an
// empty file takes its place, which Read takes for what it is.
func (r *Report) Write(folder string, group int) error {
	out := *r
	out.Format = Format
	data, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	d, err := foreign.Open(folder)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer d.Close()
	if err := replace(d, append(data, '\n'), group); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// replace writes the report's file, in the room of the one before where there is
// no other.
func replace(d *foreign.Folder, data []byte, group int) error {
	attr := foreign.Attr{Mode: 0o640, UID: -1, GID: group}
	err := d.Write(File, data, attr)
	if err == nil {
		return nil
	}
	if d.Remove(File) != nil { // a folder is in the way, or we may not write here
		return err
	}
	if d.Write(File, data, attr) == nil {
		return nil
	}
	_ = d.Write(File, nil, attr) // where not even that can be done there is no report
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
	return r, nil
}

// decode reads the text of a report.
func decode(data []byte) (*Report, error) {
	if len(data) == 0 {
		return nil, errors.New("the program could not write its report: is the disk full?")
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
