// Package plain reads objects of which there is nothing to say: JSON in which all is as
// nearly always. Where anything is unusual it gives up, and who calls it must read the
// object by other means, which have words for it.
package plain

import (
	"encoding/json"
	"slices"

	"confd/backends/internal/fields"
)

// Object is what matters of an object: its fields that confd reads, or below which there
// are some, in the order in which they are written. None is there twice.
type Object []Member

// Member is a field of an object.
type Member struct {
	Name string
	// Value is nil, a bool, a string, a json.Number, an Object or a []any of those.
	Value any
}

// Get is the value of a field; nil where there is none.
func (o Object) Get(name string) any {
	for i := range o {
		if o[i].Name == name {
			return o[i].Value
		}
	}
	return nil
}

// Names are the names of the fields, sorted.
func (o Object) Names() []string {
	names := make([]string, len(o))
	for i, m := range o {
		names[i] = m.Name
	}
	slices.Sort(names)
	return names
}

// Read reads the one object in data, of a kind. Of its annotations it reads those that are
// named. What it returns is what encoding/json would, as far as it matters, and the object
// has nothing but known fields, each of the sort that it should be. It holds no part of
// data. False: not all is plain.
func Read(kind *fields.Field, annotations []string, data []byte) (Object, bool) {
	r := reader{data: data, annotations: annotations}
	r.space()
	o := r.object(kind)
	r.space()
	return o, !r.odd && r.at == len(data)
}

// reader reads JSON up to the first thing that is odd. Then it is at the end.
type reader struct {
	data        []byte
	at          int
	odd         bool
	annotations []string
}

// maxDepth bounds how deep values may be nested of which nothing is read.
const maxDepth = 10

// giveUp notes that something is odd.
func (r *reader) giveUp() { r.odd, r.at = true, len(r.data) }

// next is the byte at hand; 0: there is none.
func (r *reader) next() byte {
	if r.at < len(r.data) {
		return r.data[r.at]
	}
	return 0
}

func (r *reader) space() {
	for r.at < len(r.data) && (r.data[r.at] == ' ' || r.data[r.at] == '\n' || r.data[r.at] == '\t' || r.data[r.at] == '\r') {
		r.at++
	}
}

// take passes over a byte that must be there, and the space behind it.
func (r *reader) take(c byte) {
	if r.next() != c {
		r.giveUp()
		return
	}
	r.at++
	r.space()
}

// took passes over a byte if it is there.
func (r *reader) took(c byte) bool {
	if r.next() != c {
		return false
	}
	r.take(c)
	return true
}

// items reads what is between an opening and a closing byte, a comma between each.
func (r *reader) items(open, end byte, item func()) {
	r.take(open)
	if r.took(end) {
		return
	}
	for !r.odd {
		item()
		if r.took(end) {
			return
		}
		r.take(',')
	}
}

// object reads an object whose fields are those of f.
func (r *reader) object(f *fields.Field) Object {
	var few [8]Member // which need no memory of their own until it is known how many there are
	out := Object(few[:0])
	r.items('{', '}', func() {
		child := f.Fields[string(r.name())]
		switch {
		case child == nil:
			r.giveUp()
		case child.Any && child.Read:
			out = r.keep(out, child.Name, r.texts(child.Name == "annotations"))
		case child.Any:
			r.pass(maxDepth)
		case child.Read || child.Fields != nil:
			out = r.keep(out, child.Name, r.field(child))
		default:
			r.passField(child)
		}
	})
	return slices.Clone(out)
}

// mostFields bounds how many fields an object may have of which something is read: each is
// looked for among all.
const mostFields = 256

// keep adds a field, which must not be there yet.
func (r *reader) keep(o Object, name string, value any) Object {
	if len(o) == mostFields || slices.ContainsFunc(o, func(m Member) bool { return m.Name == name }) {
		r.giveUp()
	}
	return append(o, Member{name, value})
}

// field reads what should be in a field, or null.
func (r *reader) field(f *fields.Field) any {
	switch c := r.next(); {
	case c == 'n':
		return r.value()
	case f.List:
		list := []any{}
		r.items('[', ']', func() { list = append(list, r.item(f)) })
		return list
	case f.Fields != nil:
		return r.object(f)
	}
	return r.value()
}

// item reads an item of the list that is in a field.
func (r *reader) item(f *fields.Field) any {
	if f.Fields != nil {
		return r.object(f)
	}
	return r.value()
}

// passField passes over what should be in a field, or null.
func (r *reader) passField(f *fields.Field) {
	switch {
	case f.List && r.next() == '[':
		r.items('[', ']', func() { r.passPlain() })
	case f.List && r.next() != 'n':
		r.giveUp()
	default:
		r.passPlain()
	}
}

// texts reads an object of texts, or null; of annotations some.
func (r *reader) texts(annotations bool) any {
	if r.next() == 'n' {
		return r.value()
	}
	out := Object{}
	r.items('{', '}', func() {
		name := r.name()
		switch {
		case r.next() != '"':
			r.giveUp()
		case annotations && !slices.Contains(r.annotations, string(name)):
			r.loose()
		default:
			out = r.keep(out, string(name), r.value())
		}
	})
	return out
}

// name reads a field's name, and what is between it and the value.
func (r *reader) name() []byte {
	name := r.text()
	r.take(':')
	return name
}

// value reads a plain value.
func (r *reader) value() any {
	switch c := r.next(); {
	case c == '"':
		return string(r.text())
	case c >= '0' && c <= '9':
		return json.Number(r.number())
	case c == 't':
		r.word("true")
		return true
	case c == 'f':
		r.word("false")
		return false
	}
	r.word("null")
	return nil
}

// passPlain passes over a plain value.
func (r *reader) passPlain() {
	switch c := r.next(); {
	case c == '"':
		r.text()
	case c >= '0' && c <= '9':
		r.number()
	default:
		r.value()
	}
}

// pass passes over any value, which is nested no deeper than depth.
func (r *reader) pass(depth int) {
	switch c := r.next(); {
	case depth == 0:
		r.giveUp()
	case c == '{':
		r.items('{', '}', func() { r.name(); r.pass(depth - 1) })
	case c == '[':
		r.items('[', ']', func() { r.pass(depth - 1) })
	default:
		r.passPlain()
	}
}

// text reads a text. It may hold nothing that must be written otherwise than it is, no
// letters but ASCII's, and nothing that looks as if it were to be replaced.
func (r *reader) text() []byte {
	if r.next() != '"' {
		r.giveUp()
		return nil
	}
	begin := r.at + 1
	for i := begin; i < len(r.data); i++ {
		switch c := r.data[i]; {
		case c == '"':
			r.at = i + 1
			r.space()
			return r.data[begin:i]
		case c < ' ' || c >= 0x7f || c == '\\' || c == '{' || c == '[':
			r.giveUp()
			return nil
		}
	}
	r.giveUp()
	return nil
}

// loose passes over a text in which there may be more.
func (r *reader) loose() {
	for r.at++; ; r.at++ {
		switch c := r.next(); {
		case c == '"':
			r.take(c)
			return
		case c < ' ' || c >= 0x7f:
			r.giveUp()
			return
		case c == '\\':
			if r.at++; !slices.Contains([]byte(`"\/bfnrt`), r.next()) {
				r.giveUp()
				return
			}
		}
	}
}

// number reads a whole number.
func (r *reader) number() []byte {
	begin := r.at
	for c := r.next(); c >= '0' && c <= '9'; c = r.next() {
		r.at++
	}
	number := r.data[begin:r.at]
	if c := r.next(); c == '.' || c == 'e' || c == 'E' || len(number) > 1 && number[0] == '0' {
		r.giveUp()
	}
	r.space()
	return number
}

// word passes over a word.
func (r *reader) word(w string) {
	if len(r.data)-r.at < len(w) || string(r.data[r.at:r.at+len(w)]) != w {
		r.giveUp()
		return
	}
	r.at += len(w)
	r.space()
}
