package reload

import (
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// fingerprint is what the file system knows of a file without reading it.
type fingerprint struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
	mode         fs.FileMode
	uid, gid     uint32
}

// prints are the fingerprints of files that were as they should be.
type prints map[string]fingerprint

func fingerprintOf(info fs.FileInfo) (fingerprint, bool) {
	sys, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fingerprint{}, false
	}
	return fingerprint{
		dev: sys.Dev, ino: sys.Ino, size: sys.Size, mtime: sys.Mtim, ctime: sys.Ctim,
		mode: info.Mode(), uid: sys.Uid, gid: sys.Gid,
	}, true
}

// printSettles is how long after a change a fingerprint is not relied on: the
// next change may carry the same time.
const printSettles = time.Second

// drifted says that a file is not as the set says.
func (p prints) drifted(f File) bool {
	info, err := stat(f.Dest)
	if err != nil {
		return !errors.Is(err, fs.ErrPermission)
	}
	print, known := fingerprintOf(info)
	if known && p[f.Dest] == print {
		return false
	}
	t, err := readTarget(f, f)
	if err != nil || t.changed() {
		return true
	}
	if known && time.Since(time.Unix(print.ctime.Unix())) > printSettles {
		p[f.Dest] = print
	}
	return false
}
