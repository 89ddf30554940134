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

// parsedFile is a file as it was read. It keeps each piece's text as a hash
// only: a file that changed has most of its pieces unchanged.
type parsedFile struct {
	stamp  folder.Stamp
	pieces []*parsedPiece
	known  map[[sha256.Size]byte]*parsed
}

type parsedPiece struct {
	document, item, line int
	*parsed
}

type parsed struct {
	objects []object
	list    typeMeta // of a List that was cut at its items: what it says it is
	err     error    // nothing could be made of the piece
}

// readFile reads a file of which old is what it was before, or nil.
func readFile(ctx context.Context, path string, old *parsedFile) (*parsedFile, error) {
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
	r := fileReader{known: map[[sha256.Size]byte]*parsed{}}
	if old != nil {
		r.old = old.known
	}
	r.start()
	if info.Size() > maxFileBytes {
		r.refuse(fmt.Errorf("%s has %d MB; a file may have %d", path, info.Size()>>20, maxFileBytes>>20))
	} else {
		err = split(io.LimitReader(f, maxFileBytes), func(p piece) error { return r.add(ctx, p) })
	}
	r.finish()
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return &parsedFile{stamp: stamp, pieces: r.pieces, known: r.known}, nil
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

type fileReader struct {
	old, known map[[sha256.Size]byte]*parsed
	pieces     []*parsedPiece
	work       chan func()
	workers    sync.WaitGroup
}

// start starts what parses, as fast as the machine can.
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

func (r *fileReader) refuse(err error) {
	r.pieces = append(r.pieces, &parsedPiece{document: 1, line: 1, parsed: &parsed{err: err}})
}

// add parses a piece, unless the same text was parsed before.
func (r *fileReader) add(ctx context.Context, p piece) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	here := &parsedPiece{document: p.document, item: p.item, line: p.line}
	r.pieces = append(r.pieces, here)
	if p.tooLarge {
		here.parsed = &parsed{err: errTooLarge}
		return nil
	}
	sum := sha256.Sum256(p.data)
	if here.parsed = r.known[sum]; here.parsed != nil {
		return nil
	}
	if here.parsed = r.old[sum]; here.parsed == nil {
		here.parsed = &parsed{}
		r.work <- func() { here.parsed.read(p) }
	}
	r.known[sum] = here.parsed
	return nil
}

func (d *parsed) read(p piece) {
	tree, err := parse(p.data)
	if err != nil {
		d.err = err
		return
	}
	d.objects = objects(tree, typeMeta{})
	if object, ok := tree.(map[string]any); ok {
		d.list = typeOf(object)
	}
}

// entry is an object and where it is.
type entry struct {
	path           string
	document, item int
	object
}

func (e entry) place() string {
	if e.item == 0 {
		return fmt.Sprintf("%s, document %d", e.path, e.document)
	}
	return fmt.Sprintf("%s, document %d, item %d", e.path, e.document, e.item)
}

// entries lists what is in the file, in order.
func (f *parsedFile) entries(path string) []entry {
	var all []entry
	start := 0 // of the document at hand
	for i, p := range f.pieces {
		if p.item > 0 {
			continue
		}
		all = append(all, documentEntries(path, f.pieces[start:i], p)...)
		start = i + 1
	}
	return all
}

// documentEntries lists a document: its items, where it was cut at them, and
// the rest of it. Items count where the rest says that it is a List.
func documentEntries(path string, items []*parsedPiece, head *parsedPiece) []entry {
	var all []entry
	if len(items) == 0 {
		return append(all, head.entries(path, typeMeta{})...)
	}
	if head.err != nil || head.list.kind == "" {
		all = append(all, head.entries(path, typeMeta{})...)
	}
	if head.err == nil && head.list.kind != "" && !head.list.isList() {
		return append(all, head.entries(path, typeMeta{})...)
	}
	for _, p := range items {
		all = append(all, p.entries(path, head.list.item())...)
	}
	return all
}

func (p *parsedPiece) entries(path string, outer typeMeta) []entry {
	here := entry{path: path, document: p.document, item: p.item}
	if p.err != nil {
		here.err = inFile(p.err, p.line)
		return []entry{here}
	}
	all := make([]entry, len(p.objects))
	for i, o := range p.objects {
		e := here
		if e.item == 0 && len(p.objects) > 1 {
			e.item = i + 1
		}
		if o.bare != nil && outer.kind != "" {
			o = newObject(o.bare, outer, outer)
		}
		if o.bare != nil {
			o.err = errNoKind
		}
		if o.err != nil {
			o.err = fmt.Errorf("line %d: %w", p.line, o.err)
		}
		e.object = o
		all[i] = e
	}
	return all
}

// result is what the entry comes to: nil where it is of no concern.
func (e entry) result() *backends.Event {
	if e.err != nil {
		return &backends.Event{Key: backends.Key{Kind: KindFile, Name: e.place()}, Err: e.err}
	}
	return e.event
}

// lost tells that something is missing that was there before, or that cannot
// be read: as where a file is in the middle of being written.
func (f *parsedFile) lost(before *parsedFile) bool {
	if len(f.pieces) == 0 {
		return true
	}
	for _, p := range f.pieces {
		if p.err != nil {
			return true
		}
	}
	return before != nil && len(f.pieces) < len(before.pieces)
}
