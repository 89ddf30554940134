package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Limits of an archive. It may come from anybody: nothing in it is followed, and
// nothing is written.
const (
	maxMemberBytes  = 64 << 20
	maxArchiveBytes = 1 << 30 // unpacked, with what is passed over
	maxMembers      = 200_000
)

// isArchive says whether a file is an archive by its name: what Velero, must-gather
// and people pack cluster's resources into.
func isArchive(path string) bool {
	return slices.ContainsFunc([]string{".tgz", ".tar.gz", ".tar"}, func(end string) bool { return strings.HasSuffix(path, end) })
}

var errArchiveTooLarge = fmt.Errorf("unpacks to more than %d MB: unpack what matters of it into a folder", maxArchiveBytes>>20)

// archive reads the files in an archive. They count in the order of their names;
// of two with one name the later one counts, as it would once unpacked.
func (r *fileReader) archive(path string, f io.Reader) error {
	unpacked := f
	if !strings.HasSuffix(path, ".tar") {
		z, err := gzip.NewReader(f)
		if err != nil {
			r.part(path).refuse(fmt.Errorf("is not gzip: %w", err))
			return nil
		}
		unpacked = z
	}
	in := tar.NewReader(&limited{unpacked, maxArchiveBytes})
	byName := map[string]*partReader{}
	var names []string
	for count := 1; ; count++ {
		header, err := in.Next()
		if err == nil && count > maxMembers {
			err = fmt.Errorf("has more than %d files", maxMembers)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && isWanted(header) {
			if byName[header.Name] == nil {
				names = append(names, header.Name)
			}
			byName[header.Name] = &partReader{fileReader: r, part: part{path: printableName(path + "/" + strings.TrimLeft(header.Name, "/"))}}
			err = byName[header.Name].member(in, header)
		}
		if err != nil {
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
			r.part(path).refuse(fmt.Errorf("cannot be unpacked any further: %w", err))
			break
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r.parts = append(r.parts, byName[name])
	}
	return nil
}

// isWanted says whether a file in an archive would be read in a folder. Links are
// not.
func isWanted(h *tar.Header) bool {
	hidden := slices.ContainsFunc(strings.Split(filepath.ToSlash(h.Name), "/"), func(s string) bool {
		return strings.HasPrefix(s, ".") && s != "." && s != ".."
	})
	return h.Typeflag == tar.TypeReg && isYAML(h.Name) && !hidden
}

func (r *partReader) member(in io.Reader, h *tar.Header) error {
	if h.Size > maxMemberBytes {
		r.refuse(fmt.Errorf("has %d MB; a file in an archive may have %d", h.Size>>20, maxMemberBytes>>20))
		return nil
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	whole, size, err := asUTF8(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return err
	}
	return split(whole, size, r.add)
}

// limited is a reader that fails after a number of bytes: a small archive can
// have very much in it.
type limited struct {
	in   io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errArchiveTooLarge
	}
	n, err := l.in.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}
