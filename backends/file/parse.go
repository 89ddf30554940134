package file

import (
	"context"
	"crypto/sha256"
	"runtime"
	"strings"
	"sync"
	"unicode"
)

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

// printableName is a name as it can stand in a message.
func printableName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	return name[:min(len(name), 4096)]
}
