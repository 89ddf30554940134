package host

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"confd/internal/agent"
	"confd/internal/foreign"
	"confd/internal/guard/recall"
	"confd/internal/inbox"
	"confd/internal/jsonfile"
)

// The files, in BIRD's folder, in which it is written down what the next program must
// know to judge changes as if there had been no end. There are no secrets in them, but
// what salted hashes tell of them: nobody else may read them.
//
// With thousands of sessions that is some megabytes, of which a change concerns few. So
// the first file has what was known at one time; the second, where there is one of that
// time, what has to be changed in it. Each is replaced in one step: whichever comes to
// disk last, the two are what was known at one time or another.
const (
	memoryFile    = ".confd-memory.json"
	changesFile   = ".confd-memory-changes.json"
	memoryMode    = 0o600
	memoryLimit   = 256 << 20 // bytes
	memoryVersion = 1
	// changedVersion is the version of a file to which there may be changes.
	changedVersion = 2
	// Changes are written where the whole has fewBytes, until they are a changesPart of it.
	fewBytes    = 64 << 10
	changesPart = 8
)

// memoryForm is what is in the first file.
type memoryForm struct {
	Version int `json:"version"`
	// ID tells one version of the file from the others; empty: there are no changes to it.
	ID string `json:"id,omitempty"`
	agent.Knowledge
}

// changesForm is what is in the second.
type changesForm struct {
	Of     string                 `json:"of"` // the ID of the first
	Memory recall.Change          `json:"memory"`
	Stores map[string]inbox.Store `json:"stores,omitempty"`
	Disk   string                 `json:"disk"`
}

// memoryWriter writes what must be known, each time at the cost of what has changed. The
// zero value has written nothing. It is for one job at a time.
type memoryWriter struct {
	folder string
	// base, id and info are of what the first file has; nil: it is not known.
	base *agent.Knowledge
	id   string
	info fs.FileInfo
}

func (w *memoryWriter) write(folder string, k agent.Knowledge) error {
	d, err := foreign.Open(folder)
	if err != nil {
		return fmt.Errorf("writing %s: %w", memoryFile, err)
	}
	defer d.Close()
	done, err := w.writeChanges(d, k)
	if !done && err == nil {
		err = w.writeWhole(d, k)
	}
	if err != nil {
		return fmt.Errorf("writing what the next start must know: %w", err)
	}
	return nil
}

// writeChanges writes what has changed since the first file was written; not where that
// is as dear as writing it anew, or it is not there any more.
func (w *memoryWriter) writeChanges(d *foreign.Folder, k agent.Knowledge) (done bool, err error) {
	if w.base == nil || w.folder != d.Path() || k.Memory == nil || string(k.Salt) != string(w.base.Salt) || !d.Still(memoryFile, w.info) {
		return false, nil
	}
	data, err := json.Marshal(changesForm{w.id, k.Memory.Since(w.base.Memory), k.Stores, k.Disk})
	if err != nil || int64(len(data)) > w.info.Size()/changesPart {
		return false, err
	}
	return true, d.Put(changesFile, append(data, '\n'), memoryAttr())
}

func (w *memoryWriter) writeWhole(d *foreign.Folder, k agent.Knowledge) error {
	*w = memoryWriter{}
	form := memoryForm{memoryVersion, "", k}
	few, err := jsonfile.Fits(form, fewBytes)
	if err != nil {
		return err
	}
	if few = few || k.Memory == nil; !few {
		form.Version, form.ID = changedVersion, rand.Text()
	}
	if _, err := jsonfile.Put(d, memoryFile, form, memoryAttr()); err != nil {
		return err
	}
	if info, err := d.Lstat(memoryFile); err == nil && !few {
		*w = memoryWriter{d.Path(), &k, form.ID, info}
	}
	return d.Remove(changesFile) // which is of another one
}

// memoryAttr is for the files' user alone.
func memoryAttr() foreign.Attr { return foreign.Attr{Mode: memoryMode, UID: -1, GID: -1} }

// readMemory reads the files; nothing where there are none. What a newer program has
// written is not understood, and so is none. Where the changes cannot be read what was
// before them comes with the error.
func readMemory(folder string) (agent.Knowledge, error) {
	var form memoryForm
	d, err := foreign.Open(folder)
	if err == nil {
		defer d.Close()
		err = readMemoryFile(d, memoryFile, &form)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return agent.Knowledge{}, nil
	case err != nil:
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %w", err)
	case form.Version != memoryVersion && form.Version != changedVersion:
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %s in %s is of version %d, and this program knows versions %d and %d",
			memoryFile, folder, form.Version, memoryVersion, changedVersion)
	}
	if err := form.Memory.Check(); err != nil {
		return agent.Knowledge{}, fmt.Errorf("what ran before is not known: %s in %s: %w", memoryFile, folder, err)
	}
	k, err := form.changed(d)
	if err != nil {
		return form.Knowledge, fmt.Errorf("what ran before is known as of %s: %w", form.Memory.At, err)
	}
	return k, nil
}

// changed is what the first file has, with the changes that the second one has for it.
func (f memoryForm) changed(d *foreign.Folder) (agent.Knowledge, error) {
	var changes changesForm
	if f.ID == "" || f.Memory == nil {
		return f.Knowledge, nil
	}
	switch err := readMemoryFile(d, changesFile, &changes); {
	case errors.Is(err, fs.ErrNotExist):
		return f.Knowledge, nil
	case err != nil:
		return f.Knowledge, err
	case changes.Of != f.ID: // from before the first was written anew
		return f.Knowledge, nil
	}
	m, err := f.Memory.With(changes.Memory)
	if err != nil {
		return f.Knowledge, fmt.Errorf("%s: %w", changesFile, err)
	}
	return agent.Knowledge{Memory: m, Salt: f.Salt, Stores: changes.Stores, Disk: changes.Disk}, nil
}

func readMemoryFile(d *foreign.Folder, name string, form any) error {
	data, _, err := d.Read(name, memoryLimit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, form); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
