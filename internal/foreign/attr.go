package foreign

import (
	"io/fs"
	"os"
	"time"
)

// tempPrefix starts the names of files that are being written. One that is
// staleAfter old was left behind by a process that was killed.
const (
	tempPrefix = ".confd-new-"
	staleAfter = time.Hour
)

// Attr is what a file gets besides what is in it. UID and GID are its owner and
// group; -1: those that a new file gets.
type Attr struct {
	Mode     fs.FileMode
	UID, GID int
}

// Set sets owner and mode; the owner first, as a new owner clears bits.
func (a Attr) Set(f *os.File) error {
	if a.UID >= 0 || a.GID >= 0 {
		if err := f.Chown(a.UID, a.GID); err != nil {
			return err
		}
	}
	return f.Chmod(a.Mode)
}
