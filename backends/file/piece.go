package file

import (
	"fmt"
	"io"

	"confd/backends"
)

var errTooLarge = fmt.Errorf("is larger than %d MB: make several documents of it", backends.MaxObjectBytes>>20)

// piece is a part of a file that is parsed on its own: a document, or one item
// of a document that is a List. The items of a document come before what
// remains of the document without them.
type piece struct {
	document int // from 1
	item     int // from 1; 0 for the document itself
	line     int // where the piece starts, from 1
	column   int // of its first byte, from 1; 0 counts as 1
	data     []byte
	tooLarge bool  // longer than an object may be; data is incomplete
	err      error // why there are no data
}

// splitter cuts YAML at document markers. A document that lists its items at
// the start of the line, as calicoctl and kubectl print them, is cut at its
// items too: the whole of it may be far larger than any object. So is JSON,
// where a line begins with it.
type splitter struct {
	in       io.ReaderAt
	size     int64
	emit     func(piece) error
	offset   int64 // of the line at hand
	line     int   // of the line at hand
	document int
	head     buffer
	item     buffer
	items    int // seen in this document
	inItems  bool
	noJSON   bool // this document looked like JSON, and is none
	skipping bool // up to the next marker
}

type buffer struct {
	line     int
	data     []byte
	tooLarge bool
}

func (b *buffer) add(line int, text []byte) {
	if b.line == 0 {
		b.line = line
	}
	if len(b.data)+len(text) > backends.MaxObjectBytes {
		b.tooLarge = true
		return
	}
	b.data = append(b.data, text...)
}
