package reload

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"confd/internal/foreign"
)

// A folder is locked as long as its process lives. So one without a lock is a dead
// process's, and can go.

// lockDir marks a folder as used for as long as the file is open.
func lockDir(dir *foreign.Folder) (*os.File, error) {
	f, err := dir.Handle()
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another process", dir.Path())
	}
	return f, nil
}

// removeDead removes those entries of a folder that match and that nobody has
// locked. What cannot be removed is left for the next time.
func removeDead(folder *foreign.Folder, match func(name string) bool) {
	entries, _ := folder.Entries()
	for _, e := range entries {
		if match(e.Name()) {
			removeUnlocked(folder, e.Name())
		}
	}
}

func removeUnlocked(folder *foreign.Folder, name string) {
	dir, err := folder.SubOfAnyone(name)
	if err != nil { // no folder
		_ = folder.Remove(name)
		return
	}
	defer dir.Close()
	if lock, err := lockDir(dir); err == nil {
		_ = folder.RemoveAll(name)
		lock.Close()
	}
}
