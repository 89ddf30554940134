package reload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"confd/internal/foreign"
)

// lockName is that of the file that the program in a folder has locked. The lock
// goes with the process, however it ends.
const lockName = hiddenPrefix + "lock"

// maxLock is how much of a lock's file is read.
const maxLock = 4 << 10

// LockedError says that another program writes into a folder.
type LockedError struct {
	Folder string
	// Owner is the name that the other program gave, and PID its process, as far as
	// one can tell: they are empty, or 0, where its file cannot be read.
	Owner string
	PID   int
}

// Error is one line.
func (e *LockedError) Error() string {
	who := "another program"
	if e.Owner != "" || e.PID != 0 {
		who = fmt.Sprintf("the program of %q (process %d)", e.Owner, e.PID)
	}
	return fmt.Sprintf("%s writes into %s already: stop one of the two, or give each a folder of its own", who, e.Folder)
}

// Lease is a program's right to write into a folder.
type Lease struct {
	folder string
	holder holder
	file   *os.File
}

// holder is who has a lock.
type holder struct {
	Owner string `json:"owner"`
	PID   int    `json:"pid"`
}

// Lock has a folder for one program: owner is its name, such as that of the node.
// The lease ends with Close, or with the process. Where another program has the
// folder the error is a *LockedError. It wraps fs.ErrNotExist where there is no such
// folder.
func Lock(folder, owner string) (*Lease, error) {
	l := &Lease{folder: folder, holder: holder{owner, os.Getpid()}}
	if err := l.lock(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Lease) lock() error {
	d, err := foreign.Open(l.folder)
	if err != nil {
		return fmt.Errorf("locking the folder: %w", advise(err))
	}
	defer d.Close()
	for range 10 {
		f, err := l.try(d)
		if locked := (*LockedError)(nil); errors.As(err, &locked) {
			return err
		}
		if err != nil {
			return fmt.Errorf("locking the folder %s: %w", l.folder, advise(err))
		}
		if f != nil {
			l.file = f
			return nil
		}
	}
	return fmt.Errorf("locking the folder %s: somebody exchanges %s all the time", l.folder, lockName)
}

// try returns neither where something has changed that makes another try worth it.
func (l *Lease) try(d *foreign.Folder) (*os.File, error) {
	f, info, err := d.OpenOurs(lockName, os.O_RDWR)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err := d.Create(lockName, func(*os.File) error { return nil })
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return nil, err
	case errors.Is(err, foreign.ErrInTheWay):
		return nil, l.clear(d)
	case errors.Is(err, fs.ErrPermission):
		return nil, &LockedError{Folder: l.folder}
	case err != nil:
		return nil, err
	}
	if err := l.take(f); err != nil {
		f.Close()
		return nil, err
	}
	if now, err := d.Lstat(lockName); err != nil || !os.SameFile(now, info) {
		f.Close() // it was removed before it was locked
		return nil, nil
	}
	return f, nil
}

// take locks a file, and says in it who has.
func (l *Lease) take(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return l.lockedBy(f)
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(l.holder)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(data, '\n'), 0)
	return err
}

// clear removes what is in the lock's place and not ours, unless a program of
// another user has it.
func (l *Lease) clear(d *foreign.Folder) error {
	f, _, err := d.OpenRegular(lockName, os.O_RDONLY)
	if err == nil {
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
			return l.lockedBy(f)
		}
	}
	return d.RemoveAll(lockName)
}

// lockedBy says who has locked a file, as it says.
func (l *Lease) lockedBy(f *os.File) error {
	e := &LockedError{Folder: l.folder}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxLock))
	if err != nil {
		return e
	}
	var who holder
	if json.Unmarshal(data, &who) == nil {
		e.Owner, e.PID = who.Owner, who.PID
	}
	return e
}

// Renew looks whether the lock is still in its place, and takes it again where
// somebody has removed it. The errors are those of Lock; the lease is over then.
func (l *Lease) Renew() error {
	if l.held() {
		return nil
	}
	return errors.Join(l.Close(), l.lock())
}

func (l *Lease) held() bool {
	if l.file == nil {
		return false
	}
	d, err := foreign.Open(l.folder)
	if err != nil {
		return false
	}
	defer d.Close()
	now, err := d.Lstat(lockName)
	was, err2 := l.file.Stat()
	return err == nil && err2 == nil && os.SameFile(now, was)
}

// Close ends the lease.
func (l *Lease) Close() error {
	if l.file == nil {
		return nil
	}
	if l.held() { // nobody else has it until the file is closed
		_ = foreign.Remove(strings.TrimSuffix(l.folder, "/") + "/" + lockName)
	}
	err := l.file.Close()
	l.file = nil
	return err
}
