package file

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// split reads all of in, which has size bytes. It holds no more than one piece
// at a time.
func split(in io.ReaderAt, size int64, emit func(piece) error) error {
	s := splitter{in: in, size: size, emit: emit, line: 1, document: 1}
	bom := make([]byte, 3)
	if n, _ := in.ReadAt(bom, 0); n == 3 && string(bom) == "\xef\xbb\xbf" {
		s.offset = 3
	}
	for {
		json, err := s.lines()
		if err != nil {
			return err
		}
		if !json { // the end, which may come earlier than it was when size was asked for
			return s.endDocument()
		}
		if err := s.json(); err != nil {
			return err
		}
	}
}

// lines reads lines to the end, or up to one that begins with JSON.
func (s *splitter) lines() (json bool, err error) {
	in := bufio.NewReaderSize(io.NewSectionReader(s.in, s.offset, s.size-s.offset), 64<<10)
	start := true
	for {
		text, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return false, err
		}
		if start && s.beginsJSON(text) {
			return true, nil
		}
		s.offset += int64(len(text))
		if start {
			text = s.withoutMark(text)
		}
		if len(text) > 0 && (!start || !isCutMarker(text)) {
			if failed := s.add(text, start); failed != nil {
				return false, failed
			}
			start = text[len(text)-1] == '\n'
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
	}
}

// beginsJSON says whether a line looks like the first one of a JSON value, where
// nothing else stands in the document before it.
func (s *splitter) beginsJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && !s.noJSON && s.items == 0 && !s.inItems && isBlank(s.head.data)
}

// withoutMark is a line without the byte order mark that some editors begin files with:
// where files are put behind one another it stands in front of a document, or of its
// marker, and is no part of it.
func (s *splitter) withoutMark(line []byte) []byte {
	rest, marked := bytes.CutPrefix(line, []byte("\ufeff"))
	if marked && (s.isBoundary(rest) || s.items == 0 && !s.inItems && isBlank(s.head.data)) {
		return rest
	}
	return line
}

// add takes a line, or a part of one that is very long.
func (s *splitter) add(text []byte, start bool) error {
	if s.skipping = s.skipping && (!start || !s.isBoundary(text)); s.skipping {
		if text[len(text)-1] == '\n' {
			s.line++
		}
		return nil
	}
	if start {
		if err := s.boundary(text); err != nil {
			return err
		}
		if isMarker(text, "...") || isMarker(text, "===") {
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

// boundary ends what the start of a line ends. "===" stands between the parts of
// what calicoctl datastore migrate export writes.
func (s *splitter) boundary(text []byte) error {
	switch {
	case s.isBoundary(text):
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

func (s *splitter) isBoundary(line []byte) bool {
	return isMarker(line, "---") || isMarker(line, "...") || isMarker(line, "===")
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

// isCutMarker tells that a file ends in the middle of a marker: that is no part of
// the document before it.
func isCutMarker(line []byte) bool {
	switch string(line) {
	case "-", "--", ".", "..", "=", "==":
		return true
	}
	return false
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
	s.head, s.items, s.inItems, s.noJSON = buffer{}, 0, false, false
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
