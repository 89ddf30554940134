package folder

import (
	"io/fs"
	"syscall"
	"time"
)

// A file that was changed this shortly before it was read may be changed again
// without its modification time telling: file systems count in ticks, some in
// whole seconds.
const tick = 2 * time.Second

// A file that was changed this recently may still be in the middle of being
// written. An empty one is taken for that for longer: who writes in place empties
// the file first, and may be kept from going on by a busy machine.
const (
	writing = 50 * time.Millisecond
	emptied = time.Second
)

// Stamp tells whether a file is still the one that was read.
type Stamp struct {
	size     int64
	modified time.Time
	changed  syscall.Timespec
	inode    uint64
	device   uint64
	sure     bool
}

// NewStamp is the stamp of a file that is about to be read.
func NewStamp(info fs.FileInfo) Stamp {
	s := Stamp{size: info.Size(), modified: info.ModTime(), sure: time.Since(info.ModTime()) > tick}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.changed, s.inode, s.device = st.Ctim, st.Ino, st.Dev
		s.sure = s.sure && time.Since(time.Unix(st.Ctim.Unix())) > tick
	}
	return s
}

// Unchanged tells that the file is surely the one that was read.
func (s Stamp) Unchanged(now Stamp) bool {
	return s.sure && now.sure && s == now
}

// BeingWritten tells that the file was changed just now.
func (s Stamp) BeingWritten() bool {
	limit := writing
	if s.size == 0 {
		limit = emptied
	}
	return time.Since(s.modified).Abs() < limit
}

// SameFile tells that both are the same file, whatever is in it: one that was
// written in place, not one that was put in its place.
func (s Stamp) SameFile(o Stamp) bool { return s.inode == o.inode && s.device == o.device }

// Size is the file's size in bytes.
func (s Stamp) Size() int64 { return s.size }

// Age is how long ago the file was changed, by either clock.
func (s Stamp) Age() time.Duration { return time.Since(s.modified).Abs() }
