package file

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"confd/backends/internal/folder"
)

// maxFileBytes bounds one file. It is read in pieces, so it may be large.
const maxFileBytes = 256 << 20

// readFile reads a file of which old is what it was before, or nil.
func readFile(ctx context.Context, path string, old *parsedFile, k *knowledge) (*parsedFile, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot look at a file: %w", err)
	}
	stamp := folder.NewStamp(info)
	if old != nil && old.stamp.Unchanged(stamp) {
		return old, nil
	}
	r := fileReader{ctx: ctx, knowledge: k, known: map[[sha256.Size]byte]*parsed{}}
	if old != nil {
		r.old = old.known
	}
	in, size := io.ReaderAt(f), info.Size()
	r.start()
	switch {
	case info.Size() > maxFileBytes:
		r.part(path).refuse(fmt.Errorf("has %d MB; a file may have %d", info.Size()>>20, maxFileBytes>>20))
	case isArchive(path):
		err = r.archive(path, f)
	default:
		if in, size, err = asUTF8(f, size); err == nil {
			err = split(in, size, r.part(path).add)
		}
	}
	r.finish()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return &parsedFile{stamp: stamp, parts: r.made(), known: r.known, unfinished: isUnfinished(in, size)}, nil
}

// isUnfinished says whether a file's last line has no end.
func isUnfinished(f io.ReaderAt, size int64) bool {
	last := make([]byte, 1)
	n, _ := f.ReadAt(last, size-1)
	return n == 1 && last[0] != '\n'
}

// open opens a regular file. Anything else could block for ever.
func open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot look at a file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a file: %w", err)
	}
	return f, nil
}
