package file

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"confd/backends"
	"confd/backends/internal/folder"
)

// maxFileBytes bounds one file. It is read in pieces, so it may be large.
const maxFileBytes = 256 << 20

var errTooLarge = fmt.Errorf("is larger than %d MB: make several documents of it", backends.MaxObjectBytes>>20)

// parsedFile is a file as it was read. It keeps each piece's text as a hash
// only: a file that changed has most of its pieces unchanged.
type parsedFile struct {
	stamp folder.Stamp
	parts []part
	known map[[sha256.Size]byte]*parsed
	// unfinished says that the last line has no end.
	unfinished bool
}

// part is a file, or one in an archive.
type part struct {
	path   string // as messages name it
	pieces []*parsedPiece
}

type parsedPiece struct {
	document, item, line, column int
	*parsed
}

type parsed struct {
	objects []object
	list    typeMeta // of a List that was cut at its items: what it says it is
	err     *said    // nothing could be made of the piece
}

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
	r.start()
	switch {
	case info.Size() > maxFileBytes:
		r.part(path).refuse(fmt.Errorf("has %d MB; a file may have %d", info.Size()>>20, maxFileBytes>>20))
	case isArchive(path):
		err = r.archive(path, f)
	default:
		err = split(f, info.Size(), r.part(path).add)
	}
	r.finish()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return &parsedFile{stamp: stamp, parts: r.made(), known: r.known, unfinished: isUnfinished(f, info.Size())}, nil
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

// fileReader parses pieces, as fast as the machine can.
type fileReader struct {
	*knowledge
	ctx        context.Context
	old, known map[[sha256.Size]byte]*parsed
	parts      []*partReader
	work       chan func()
	workers    sync.WaitGroup
}

func (r *fileReader) start() {
	r.work = make(chan func())
	for range runtime.GOMAXPROCS(0) {
		r.workers.Go(func() {
			for f := range r.work {
				f()
			}
		})
	}
}

// finish waits until all is parsed.
func (r *fileReader) finish() {
	close(r.work)
	r.workers.Wait()
}

// part begins a part of the file.
func (r *fileReader) part(path string) *partReader {
	p := &partReader{fileReader: r, part: part{path: printableName(path)}}
	r.parts = append(r.parts, p)
	return p
}

func (r *fileReader) made() []part {
	parts := make([]part, len(r.parts))
	for i, p := range r.parts {
		parts[i] = p.part
	}
	return parts
}

// partReader collects the pieces of a part.
type partReader struct {
	*fileReader
	part
}

func (r *partReader) refuse(err error) {
	r.pieces = append(r.pieces, &parsedPiece{document: 1, line: 1, parsed: failed(err)})
}

// failed is what a piece comes to that was not even parsed.
func failed(err error) *parsed {
	return &parsed{err: &said{Warning: backends.Warning{Code: backends.Unreadable, Text: err.Error()}}}
}

// add parses a piece, unless the same text was parsed before.
func (r *partReader) add(p piece) error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	here := &parsedPiece{document: p.document, item: p.item, line: p.line, column: p.column}
	r.pieces = append(r.pieces, here)
	switch {
	case p.tooLarge:
		here.parsed = failed(errTooLarge)
		return nil
	case p.err != nil:
		here.parsed = failed(p.err)
		return nil
	}
	sum := sha256.Sum256(p.data)
	if here.parsed = r.known[sum]; here.parsed != nil {
		return nil
	}
	if here.parsed = r.old[sum]; here.parsed == nil {
		here.parsed = &parsed{}
		r.work <- func() { here.read(r.knowledge, p.data) }
	}
	r.known[sum] = here.parsed
	return nil
}

func (d *parsed) read(k *knowledge, text []byte) {
	doc, err := k.parser.Parse(text)
	if err != nil {
		s := unreadable(text, err)
		d.err = &s
		return
	}
	r := pieceReader{k, text, doc}
	d.objects = r.objects(doc.Value, nil, typeMeta{})
	if object, ok := doc.Value.(map[string]any); ok {
		d.list = typeOf(object)
	}
}

// lost tells that something is missing that was there before, or that cannot
// be read: as where a file is in the middle of being written.
func (f *parsedFile) lost(before *parsedFile) bool {
	pieces, broken := f.count()
	if pieces == 0 || broken || before == nil {
		return pieces == 0 || broken
	}
	had, _ := before.count()
	return pieces < had
}

// count counts the pieces, and says whether one cannot be read.
func (f *parsedFile) count() (pieces int, broken bool) {
	for _, p := range f.parts {
		pieces += len(p.pieces)
		for _, piece := range p.pieces {
			broken = broken || piece.err != nil
		}
	}
	return pieces, broken
}
