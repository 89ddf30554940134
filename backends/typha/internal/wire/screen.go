package wire

import (
	"errors"
	"fmt"
)

// What is wrong with a message of a hostile server. encoding/gob follows whatever
// nesting a message has, on a stack that ends the program where it grows too large,
// and makes room for as many items as a message says.
var (
	ErrDeep      = errors.New("a message has values within values, deeper than any of Typha's")
	ErrMany      = errors.New("a message has more keys than any cluster could have")
	errMalformed = errors.New("a message is no encoding/gob")
)

// deepest is how deep values may lie within values: Typha's own do so 6 deep.
const deepest = 24

// Screen looks at the messages of a stream before a decoder does. It knows the format
// of encoding/gob as that package documents it, and what the stream has said of its
// types so far.
type Screen struct {
	types map[int]typeOf
	// items is how many values a message may still have.
	items int
}

// kind is what a value looks like.
type kind int

const (
	number    kind = iota // of any sort: one of gob's unsigned integers
	twice                 // a complex number: two
	text                  // a count, and so many bytes
	dynamic               // an interface
	structure             // fields, each with how many were left out before it
	list                  // a count, and so many elements
	mapping               // a count, and so many pairs
)

// typeOf is a type: parts are the types of its fields, its elements, or keys and
// elements.
type typeOf struct {
	kind  kind
	parts []int
}

// NewScreen makes the screen of a stream's beginning, which knows gob's own types.
func NewScreen() *Screen {
	return &Screen{types: map[int]typeOf{
		1: {kind: number}, 2: {kind: number}, 3: {kind: number}, 4: {kind: number},
		5: {kind: text}, 6: {kind: text}, 7: {kind: twice}, 8: {kind: dynamic},
	}}
}

// Look looks at what a decoder reads for one value: as many messages as that takes,
// each without the length before it, which next returns. items is how many values it
// may have. An error means that no decoder should see it; next's come as they are.
func (s *Screen) Look(next func() ([]byte, error), items int) error {
	s.items = items
	m := &cursor{next: next}
	id, err := s.typeID(m)
	if err != nil {
		return err
	}
	return s.top(m, id, 0)
}

// typeID reads a type's number, and the types that are defined before it: in messages
// of their own, or in this one.
func (s *Screen) typeID(m *cursor) (int, error) {
	for {
		if len(m.rest) == 0 {
			var err error
			if m.rest, err = m.next(); err != nil {
				return 0, err
			}
		}
		id, err := m.signed()
		if err != nil || id >= 0 {
			return id, err
		}
		if s.types[-id], err = s.definition(m); err != nil {
			return 0, err
		}
		if len(m.rest) == 0 {
			continue
		}
		if _, err := m.unsigned(); err != nil { // the length of what follows
			return 0, err
		}
	}
}

// top looks at a value that stands by itself: one that is no structure has a zero
// before it.
func (s *Screen) top(m *cursor, id, depth int) error {
	if t, ok := s.types[id]; ok && t.kind != structure {
		if _, err := m.unsigned(); err != nil {
			return err
		}
	}
	return s.value(m, id, depth)
}

// value looks at a value of a type.
func (s *Screen) value(m *cursor, id, depth int) error {
	t, ok := s.types[id]
	if !ok {
		return fmt.Errorf("%w: type %d was not said", errMalformed, id)
	}
	if depth > deepest {
		return ErrDeep
	}
	if s.items--; s.items < 0 {
		return ErrMany
	}
	switch t.kind {
	case number:
		_, err := m.unsigned()
		return err
	case twice:
		return m.each(2, func() error { _, err := m.unsigned(); return err })
	case text:
		return m.skip()
	case dynamic:
		return s.dynamic(m, depth)
	case structure:
		return s.fields(m, t, depth)
	default:
		return s.elements(m, t, depth)
	}
}

// dynamic looks at an interface's value: its type's name (none: nil) and number, its
// length, and itself.
func (s *Screen) dynamic(m *cursor, depth int) error {
	name, err := m.unsigned()
	if err != nil || name == 0 {
		return err
	}
	if err := m.drop(name); err != nil {
		return err
	}
	id, err := s.typeID(m)
	if err != nil {
		return err
	}
	if _, err := m.unsigned(); err != nil {
		return err
	}
	return s.top(m, id, depth+1)
}

func (s *Screen) fields(m *cursor, t typeOf, depth int) error {
	return m.fields(func(field int) error {
		if field >= len(t.parts) {
			return fmt.Errorf("%w: a structure has no field %d", errMalformed, field)
		}
		return s.value(m, t.parts[field], depth+1)
	})
}

func (s *Screen) elements(m *cursor, t typeOf, depth int) error {
	n, err := m.unsigned()
	if err != nil {
		return err
	}
	return m.each(n, func() error {
		for _, part := range t.parts {
			if err := s.value(m, part, depth+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// definition reads gob's wireType: one of an array, a slice, a structure, a map, and
// three sorts of values that encode themselves.
func (s *Screen) definition(m *cursor) (t typeOf, err error) {
	err = m.fields(func(field int) error {
		switch field {
		case 0, 1: // an array or a slice: the common part, the element, an array's length
			t.kind = list
			return m.fields(definesPart(m, &t, 1, 1))
		case 2:
			t.kind = structure
			return m.fields(func(field int) error { return s.definesFields(m, &t, field) })
		case 3: // the common part, the key, the element
			t.kind = mapping
			return m.fields(definesPart(m, &t, 1, 2))
		case 4, 5, 6:
			t.kind = text
			return m.fields(definesPart(m, &t, 0, 0))
		}
		return fmt.Errorf("%w: there is no type of the sort %d", errMalformed, field)
	})
	return t, err
}

// definesPart reads the fields of a definition: first a name and a number, then
// numbers, of which those from first to last are types.
func definesPart(m *cursor, t *typeOf, first, last int) func(int) error {
	return func(field int) error {
		if field == 0 {
			return m.fields(func(field int) error {
				if field == 0 {
					return m.skip()
				}
				_, err := m.signed()
				return err
			})
		}
		id, err := m.signed()
		if first > 0 && field >= first && field <= last {
			t.parts = append(t.parts, id)
		}
		return err
	}
}

// definesFields reads a structure's definition: the common part, and a list of
// fields, each with a name and a type.
func (s *Screen) definesFields(m *cursor, t *typeOf, field int) error {
	if field == 0 {
		return definesPart(m, t, 0, 0)(0)
	}
	n, err := m.unsigned()
	if err != nil {
		return err
	}
	return m.each(n, func() error {
		id := 0
		err := m.fields(func(field int) (err error) {
			if field == 0 {
				return m.skip()
			}
			id, err = m.signed()
			return err
		})
		t.parts = append(t.parts, id)
		return err
	})
}

// cursor reads gob's numbers.
type cursor struct {
	rest []byte
	next func() ([]byte, error) // the next message
}

// unsigned reads a number: one byte below 128, or how many bytes it has, negated, and
// these.
func (c *cursor) unsigned() (uint64, error) {
	if len(c.rest) == 0 {
		return 0, fmt.Errorf("%w: it ends too early", errMalformed)
	}
	first := c.rest[0]
	c.rest = c.rest[1:]
	if first < 0x80 {
		return uint64(first), nil
	}
	n := -int(int8(first))
	if n > 8 || n > len(c.rest) {
		return 0, fmt.Errorf("%w: a number of %d bytes", errMalformed, n)
	}
	var x uint64
	for _, b := range c.rest[:n] {
		x = x<<8 | uint64(b)
	}
	c.rest = c.rest[n:]
	return x, nil
}

// signed reads a number whose lowest bit says that the others are inverted.
func (c *cursor) signed() (int, error) {
	u, err := c.unsigned()
	if u > 1<<32 {
		return 0, fmt.Errorf("%w: the number %d for a type", errMalformed, u)
	}
	if u&1 != 0 {
		return ^int(u >> 1), err
	}
	return int(u >> 1), err
}

// skip passes over a count and so many bytes.
func (c *cursor) skip() error {
	n, err := c.unsigned()
	if err != nil {
		return err
	}
	return c.drop(n)
}

func (c *cursor) drop(n uint64) error {
	if n > uint64(len(c.rest)) {
		return fmt.Errorf("%w: %d bytes are said to follow, of which there are %d", errMalformed, n, len(c.rest))
	}
	c.rest = c.rest[n:]
	return nil
}

// each does something n times: each takes a byte at least.
func (c *cursor) each(n uint64, do func() error) error {
	if n > uint64(len(c.rest)) {
		return fmt.Errorf("%w: %d items are said to follow in %d bytes", errMalformed, n, len(c.rest))
	}
	for range n {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// fields reads a structure: how many fields each is further than the one before,
// counted from -1, and 0 at the end.
func (c *cursor) fields(read func(field int) error) error {
	for field := -1; ; {
		delta, err := c.unsigned()
		if err != nil || delta == 0 {
			return err
		}
		if delta > 1<<16 {
			return fmt.Errorf("%w: %d fields are left out", errMalformed, delta)
		}
		field += int(delta)
		if err := read(field); err != nil {
			return err
		}
	}
}
