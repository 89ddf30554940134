package kubernetes

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// mostTexts bounds how many texts a decoder knows again.
const mostTexts = 1024

// decoder reads messages of one shape.
type decoder struct {
	shape  shape
	buffer bytes.Buffer
	// texts has one copy of each of the texts that come again and again.
	texts map[string]string
	// said is the essence of the message that is being read.
	said []byte
	// trees are what messages were read into: those of the one that is being read, and of
	// the one before it, which somebody may be looking at.
	trees [2]trees
}

// trees are tables that are filled again and again.
type trees struct {
	tables []map[string]any
	used   int
}

// mostTables bounds how many tables are kept.
const mostTables = 64

// next is an empty table.
func (t *trees) next() map[string]any {
	if t.used == len(t.tables) {
		table := map[string]any{}
		if len(t.tables) == mostTables {
			return table
		}
		t.tables = append(t.tables, table)
	}
	t.used++
	return t.tables[t.used-1]
}

// again has all tables be empty.
func (t *trees) again() {
	for _, table := range t.tables[:t.used] {
		clear(table)
	}
	t.used = 0
}

func newDecoder(s shape) *decoder { return &decoder{shape: s, texts: map[string]string{}} }

// read reads what matters of a message. Its fields are there until the second one after
// it is read: while somebody looks at the one, the next is read already.
func (d *decoder) read(data []byte) (essence, error) {
	d.said = d.said[:0]
	d.trees[0], d.trees[1] = d.trees[1], d.trees[0]
	d.trees[0].again()
	fields, err := d.message(d.shape, data)
	if err != nil {
		return essence{}, fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	return essence{bytes.Clone(d.said), fields}, nil
}

func (d *decoder) message(s shape, data []byte) (map[string]any, error) {
	tree := d.trees[0].next()
	err := eachField(data, func(f protoField) error {
		m, matters := s[f.number]
		if !matters {
			return nil
		}
		return d.member(tree, m, f)
	})
	return tree, err
}

// member adds a field to the tree and to what is said.
func (d *decoder) member(tree map[string]any, m member, f protoField) error {
	switch {
	case m.form == truth && f.kind == protowire.VarintType:
		value, _ := protowire.ConsumeVarint(f.raw)
		tree[m.name] = value != 0
	case m.form == truth || f.kind != protowire.BytesType:
		return fmt.Errorf("field %d is not %s", f.number, m.name)
	case m.form == message, m.form == messages:
		return d.inner(tree, m, f)
	case m.form == entries:
		return d.entry(tree, m, f)
	case m.form == list:
		old, _ := tree[m.name].([]any)
		tree[m.name] = append(old, d.text(f.bytes()))
	case len(f.bytes()) > 0 && m.apart: // another one each time
		tree[m.name] = validText(f.bytes())
	case len(f.bytes()) > 0: // in JSON an empty one is not there
		tree[m.name] = d.text(f.bytes())
	}
	if !m.apart {
		d.said = append(protowire.AppendTag(d.said, f.number, f.kind), f.raw...)
	}
	return nil
}

// inner reads a message in a message.
func (d *decoder) inner(tree map[string]any, m member, f protoField) error {
	d.said = protowire.AppendTag(d.said, f.number, protowire.StartGroupType)
	value, err := d.message(m.of, f.bytes())
	d.said = protowire.AppendTag(d.said, f.number, protowire.EndGroupType)
	if m.form == messages {
		old, _ := tree[m.name].([]any)
		tree[m.name] = append(old, value)
	} else {
		tree[m.name] = value
	}
	return err
}

// entry reads an entry of a table: a message of a key and a value.
func (d *decoder) entry(tree map[string]any, m member, f protoField) error {
	var key, value []byte
	err := eachField(f.bytes(), func(f protoField) error {
		switch {
		case f.kind != protowire.BytesType:
			return fmt.Errorf("an entry of %s is no text", m.name)
		case f.number == 1:
			key = f.bytes()
		case f.number == 2:
			value = f.bytes()
		}
		return nil
	})
	if err != nil || m.keep != nil && !m.keep(string(key)) {
		return err
	}
	table, ok := tree[m.name].(map[string]any)
	if !ok {
		table = d.trees[0].next()
		tree[m.name] = table
	}
	table[d.text(key)] = d.text(value)
	d.said = append(protowire.AppendTag(d.said, f.number, f.kind), f.raw...)
	return nil
}

// text is a text as JSON would have it.
func (d *decoder) text(b []byte) string {
	if s, ok := d.texts[string(b)]; ok {
		return s
	}
	if len(d.texts) >= mostTexts {
		clear(d.texts)
	}
	s := validText(b)
	d.texts[s] = s
	return s
}

func validText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string(bytes.ToValidUTF8(b, []byte(string(utf8.RuneError))))
}

// forget lets go of what reading many messages has left behind.
func (d *decoder) forget() { d.buffer, d.texts, d.said = bytes.Buffer{}, map[string]string{}, nil }

// protoField is a field of a message.
type protoField struct {
	number protowire.Number
	kind   protowire.Type
	raw    []byte // with its length, where it has one
}

// bytes is the value of a field of that kind.
func (f protoField) bytes() []byte {
	value, _ := protowire.ConsumeBytes(f.raw)
	return value
}

var errNoProtobuf = errors.New("a field that is cut off, or none")

// eachField calls do for each field of a message.
func eachField(data []byte, do func(protoField) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errNoProtobuf
		}
		size := protowire.ConsumeFieldValue(number, kind, data[n:])
		if size < 0 {
			return errNoProtobuf
		}
		if err := do(protoField{number, kind, data[n : n+size]}); err != nil {
			return err
		}
		data = data[n+size:]
	}
	return nil
}
