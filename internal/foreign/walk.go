package foreign

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links there may be on the way to a file, as in the kernel.
const maxLinks = 40

// place is something that was found in the file system, open for looking only.
type place struct {
	name string
	fd   int
	stat unix.Stat_t
}

func (p place) is(info fs.FileInfo) bool {
	sys, ok := info.Sys().(*syscall.Stat_t)
	return ok && sys.Dev == p.stat.Dev && sys.Ino == p.stat.Ino
}

func (p place) isLink() bool { return p.stat.Mode&unix.S_IFMT == unix.S_IFLNK }

// look finds name in p, and does not follow it.
func (p place) look(name string) (place, error) {
	next := place{name: name}
	var err error
	if next.fd, err = unix.Openat(p.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return place{}, err
	}
	if err := unix.Fstat(next.fd, &next.stat); err != nil {
		unix.Close(next.fd)
		return place{}, err
	}
	return next, nil
}

// target is where a link leads to.
func (p place) target() (string, error) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(p.fd, "", text)
	return string(text[:max(n, 0)]), err
}

// lookAt finds what lies at an absolute path, and its path without links. Only links
// that belong to us or to root are followed: whoever may make others could lead us
// anywhere.
func lookAt(path string) (place, string, error) {
	way, err := walk(path)
	var names []string
	for _, p := range way {
		names = append(names, p.name)
		unix.Close(p.fd)
	}
	if err != nil {
		return place{}, "", err
	}
	return way[len(way)-1], filepath.Join(names...), nil
}

// walk returns the folders from the root to what lies at path, and that. They are
// to be closed, with an error, too.
func walk(path string) (way []place, err error) {
	failed := func(err error) ([]place, error) {
		return way, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	root, err := place{fd: unix.AT_FDCWD}.look("/")
	if err != nil {
		return failed(err)
	}
	way = []place{root}
	names := split(path)
	for links := 0; len(names) > 0; {
		name := names[0]
		names = names[1:]
		if name == ".." {
			way = up(way)
			continue
		}
		next, err := way[len(way)-1].look(name)
		if err != nil {
			return failed(err)
		}
		way = append(way, next)
		if !next.isLink() {
			continue
		}
		if links++; links > maxLinks {
			return failed(unix.ELOOP)
		}
		if uid := int(next.stat.Uid); uid != 0 && uid != unix.Geteuid() {
			return way, inTheWay(path, "%q on the way to it is a symbolic link of user %d", name, uid)
		}
		to, err := next.target()
		if err != nil {
			return failed(err)
		}
		way = up(way)
		for filepath.IsAbs(to) && len(way) > 1 {
			way = up(way)
		}
		names = slices.Concat(split(to), names)
	}
	return way, nil
}

// up leaves the last place of a way. There is none above the root.
func up(way []place) []place {
	if len(way) == 1 {
		return way
	}
	unix.Close(way[len(way)-1].fd)
	return way[:len(way)-1]
}

// split takes a path apart. It is not cleaned: what follows ".." depends on links.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

// Resolve is the absolute path, without links, of what lies at path. Links that
// belong to us or to root are followed, also where path itself is one; another
// is an error that wraps ErrInTheWay. The error wraps fs.ErrNotExist where nothing
// is there, or a link leads nowhere.
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	_, resolved, err := lookAt(path)
	return resolved, err
}
