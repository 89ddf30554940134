package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"confd/backends"
)

// errTooMuch ends reading a value that is far larger than any object.
var errTooMuch = errors.New("more than one value may have")

// meter reads what a JSON decoder asks for, up to some way ahead of what it has
// used: the decoder would hold a value of any size.
type meter struct {
	in    io.Reader
	ahead int64
}

func (m *meter) Read(p []byte) (int, error) {
	if m.ahead > 3*backends.MaxObjectBytes {
		return 0, errTooMuch
	}
	n, err := m.in.Read(p)
	m.ahead += int64(n)
	return n, err
}

// jsonValues cuts JSON values that follow each other, and those that are Lists
// at their items.
type jsonValues struct {
	*splitter
	from  int64 // where the decoder began
	dec   *jsontext.Decoder
	meter *meter
	used  int64 // of what the meter counts
	at    int64 // up to here lines are counted
	// chunk is some of what is counted, from chunkAt bytes after from on.
	chunk   []byte
	chunkAt int64
	begun   int64 // where the line at hand begins
	sent    int   // pieces of the value at hand
}

// json cuts the JSON values that begin in the line at hand, as many as follow
// each other: "jq -c" and ">>" put no marker between them.
func (s *splitter) json() error {
	m := &meter{in: io.NewSectionReader(s.in, s.offset, s.size-s.offset)}
	v := &jsonValues{
		splitter: s, from: s.offset, meter: m, at: s.offset, begun: s.offset,
		dec: jsontext.NewDecoder(m, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
	}
	for first := true; ; first = false {
		if k := v.dec.PeekKind(); k != '{' && k != '[' {
			return v.leave(v.offsetNow())
		}
		head := s.head
		s.head, s.items, v.sent = buffer{}, 0, 0
		start := v.offsetNow()
		if err := v.count(start); err != nil {
			return err
		}
		line := s.line
		err := v.value()
		switch {
		case err == nil:
			s.document++
			s.items = 0
			continue
		case !isSyntax(err):
			return err
		case v.sent == 0:
			// Whatever it is, YAML may know it, and has better words where not.
			s.noJSON, s.items = true, 0
			if first {
				s.head = head
			}
			s.line, s.offset = line, start
			return nil
		}
		if err := v.send(piece{err: cutError(err)}, v.offsetNow()); err != nil {
			return err
		}
		s.document++
		s.items, s.skipping = 0, true
		return v.leave(v.offsetNow())
	}
}

// isSyntax says whether the text is at fault, not reading it.
func isSyntax(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errTooMuch)
}

func cutError(err error) error {
	switch {
	case errors.Is(err, errTooMuch):
		return errTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the text ends in the middle of a list")
	}
	return errors.New("is no JSON from here on")
}

// offsetNow is up to where the text was used.
func (v *jsonValues) offsetNow() int64 { return v.from + v.dec.InputOffset() }

// leave goes on with lines from an offset on.
func (v *jsonValues) leave(offset int64) error {
	err := v.count(offset)
	v.offset = offset
	return err
}

// count counts the lines up to an offset.
func (v *jsonValues) count(to int64) error {
	for v.at < to {
		if v.at >= v.from+v.chunkAt+int64(len(v.chunk)) {
			if err := v.readChunk(); err != nil {
				return err
			}
		}
		begin := v.at - v.from - v.chunkAt
		text := v.chunk[begin:min(int64(len(v.chunk)), begin+to-v.at)]
		if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
			v.line += bytes.Count(text, []byte("\n"))
			v.begun = v.at + int64(i) + 1
		}
		v.at += int64(len(text))
	}
	return nil
}

// readChunk reads what follows what was counted.
func (v *jsonValues) readChunk() error {
	if cap(v.chunk) == 0 {
		v.chunk = make([]byte, 32<<10)
	}
	n, err := v.in.ReadAt(v.chunk[:cap(v.chunk)], v.at)
	if n == 0 && err != nil {
		return fmt.Errorf("it changes while it is read: %w", err)
	}
	v.chunk, v.chunkAt = v.chunk[:n], v.at-v.from
	return nil
}

// send emits a piece of the document at hand that begins at an offset, no
// earlier than the one before it.
func (v *jsonValues) send(p piece, offset int64) error {
	if err := v.count(offset); err != nil {
		return err
	}
	p.line, p.column = v.line, int(offset-v.begun)+1
	return v.sendPlaced(p)
}

func (v *jsonValues) sendPlaced(p piece) error {
	v.sent++
	p.document = v.document
	return v.emit(p)
}

// next makes room for reading on.
func (v *jsonValues) next() {
	used := v.dec.InputOffset()
	v.meter.ahead -= used - v.used
	v.used = used
}

func (v *jsonValues) read() (jsontext.Value, error) {
	v.next()
	return v.dec.ReadValue()
}

// value cuts one value.
func (v *jsonValues) value() error {
	if v.dec.PeekKind() == '[' {
		text, err := v.read()
		if err != nil {
			return err
		}
		return v.send(pieceOf(text), v.offsetNow()-int64(len(text)))
	}
	if _, err := v.dec.ReadToken(); err != nil {
		return err
	}
	start := v.offsetNow() - 1
	if err := v.count(start); err != nil {
		return err
	}
	line, column := v.line, int(start-v.begun)+1
	head, isList, err := v.members()
	if err != nil {
		return err
	}
	if !isList {
		if head, err = v.text(start); err != nil {
			return err
		}
	}
	p := pieceOf(head)
	p.line, p.column = line, column
	return v.sendPlaced(p)
}

// text is what was used from an offset on, as much of it as matters.
func (v *jsonValues) text(start int64) ([]byte, error) {
	text := make([]byte, min(v.offsetNow()-start, backends.MaxObjectBytes+1))
	if _, err := v.in.ReadAt(text, start); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return text, nil
}

func pieceOf(text []byte) piece {
	if len(text) > backends.MaxObjectBytes {
		return piece{tooLarge: true}
	}
	return piece{data: bytes.Clone(text)}
}

// members reads what is in an object, up to its end. The list "items" is cut; the
// object without it is the head.
func (v *jsonValues) members() (head []byte, isList bool, err error) {
	head = []byte("{")
	for v.dec.PeekKind() != '}' {
		name, err := v.read()
		if err != nil {
			return nil, false, err
		}
		name = bytes.Clone(name)
		if string(name) == `"items"` && v.dec.PeekKind() == '[' {
			isList = true
			if err := v.listItems(); err != nil {
				return nil, true, err
			}
			continue
		}
		text, err := v.read()
		if err != nil {
			return nil, isList, err
		}
		if len(head)+len(text) <= backends.MaxObjectBytes {
			if len(head) > 1 {
				head = append(head, ',')
			}
			head = append(append(append(head, name...), ':'), text...)
		}
	}
	_, err = v.dec.ReadToken()
	return append(head, '}'), isList, err
}

func (v *jsonValues) listItems() error {
	if _, err := v.dec.ReadToken(); err != nil {
		return err
	}
	for v.dec.PeekKind() != ']' {
		text, err := v.read()
		if err != nil {
			return err
		}
		p := pieceOf(text)
		v.items++
		p.item = v.items
		if err := v.send(p, v.offsetNow()-int64(len(text))); err != nil {
			return err
		}
	}
	_, err := v.dec.ReadToken()
	return err
}
