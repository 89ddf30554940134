package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"confd/backends"
)

// piece is a part of a file that is parsed on its own: a document, or one item
// of a document that is a List. The items of a document come before what
// remains of the document without them.
type piece struct {
	document int // from 1
	item     int // from 1; 0 for the document itself
	line     int // where the piece starts, from 1
	data     []byte
	tooLarge bool // longer than an object may be; data is incomplete
}

// splitter cuts YAML at document markers. A document that lists its items at
// the start of the line, as calicoctl and kubectl print them, is cut at its
// items too: the whole of it may be far larger than any object.
type splitter struct {
	emit     func(piece) error
	line     int // of the line at hand
	document int
	head     buffer
	item     buffer
	items    int // seen in this document
	inItems  bool
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

// split reads all of r. It holds no more than one piece at a time.
func split(r io.Reader, emit func(piece) error) error {
	s := splitter{emit: emit, line: 1, document: 1}
	in := bufio.NewReaderSize(r, 64<<10)
	if bom, _ := in.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3) // they have been read already
	}
	start := true
	for {
		text, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if len(text) > 0 {
			if failed := s.add(text, start); failed != nil {
				return failed
			}
			start = text[len(text)-1] == '\n'
		}
		if errors.Is(err, io.EOF) {
			return s.endDocument()
		}
	}
}

// add takes a line, or a part of one that is very long.
func (s *splitter) add(text []byte, start bool) error {
	if start {
		if err := s.boundary(text); err != nil {
			return err
		}
		if isMarker(text, "...") {
			text = []byte("\n")
		}
	}
	if s.inItems && s.items > 0 {
		s.item.add(s.line, text)
	} else {
		s.head.add(s.line, text)
	}
	if text[len(text)-1] == '\n' {
		s.line++
	}
	return nil
}

// boundary ends what the start of a line ends.
func (s *splitter) boundary(text []byte) error {
	switch {
	case isMarker(text, "---"), isMarker(text, "..."):
		return s.endDocument()
	case !s.inItems:
		s.inItems = s.items == 0 && string(bytes.TrimRight(text, " \t\r\n")) == "items:"
		if s.inItems {
			// The line itself belongs to the head; items follow.
			return nil
		}
	case isItem(text):
		if err := s.endItem(); err != nil {
			return err
		}
		s.items++
	case !bytes.ContainsAny(text[:1], " \t\r\n#"):
		s.inItems = false
		return s.endItem()
	}
	return nil
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

func isItem(line []byte) bool {
	return line[0] == '-' && (len(line) == 1 || bytes.ContainsAny(line[1:2], " \t\r\n"))
}

func (s *splitter) endItem() error {
	if s.item.line == 0 {
		return nil
	}
	b := s.item
	s.item = buffer{}
	return s.emit(piece{document: s.document, item: s.items, line: b.line, data: b.data, tooLarge: b.tooLarge})
}

func (s *splitter) endDocument() error {
	if err := s.endItem(); err != nil {
		return err
	}
	b, items := s.head, s.items
	s.head, s.items, s.inItems = buffer{}, 0, false
	if items == 0 && !b.tooLarge && isBlank(b.data) {
		return nil
	}
	p := piece{document: s.document, line: b.line, data: b.data, tooLarge: b.tooLarge}
	s.document++
	return s.emit(p)
}

// isBlank tells that a document has nothing but comments, directives and
// markers.
func isBlank(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' && string(line) != "---" {
			return false
		}
	}
	return true
}
