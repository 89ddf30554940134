package file

import (
	"errors"
	"fmt"

	"confd/backends"
)

// KindFile is the kind of the key under which a document is reported that cannot
// be read, or that is no object of a kind that is known. The name is "PATH, document N",
// or "PATH, document N, item N"; and once more "item N" for one of a List in a List.
const KindFile = backends.KindFile

// entry is an object and where it is.
type entry struct {
	piecePlace
	document, item int
	inner          int // its place in the item, from 1, where that is a List; else 0
	object
}

func (e *entry) place() string {
	text := fmt.Sprintf("%s, document %d", e.path, e.document)
	for _, n := range []int{e.item, e.inner} {
		if n > 0 {
			text += fmt.Sprintf(", item %d", n)
		}
	}
	return text
}

// entries lists what is in the file, in order.
func (f *parsedFile) entries() []entry {
	var all []entry
	for _, p := range f.parts {
		start := 0 // of the document at hand
		for i, piece := range p.pieces {
			if piece.item > 0 {
				continue
			}
			all = append(all, p.document(p.pieces[start:i], piece)...)
			start = i + 1
		}
	}
	return all
}

// document lists a document: its items, where it was cut at them, and the rest
// of it. Items count where the rest says that it is a List.
func (p part) document(items []*parsedPiece, head *parsedPiece) []entry {
	var all []entry
	if len(items) == 0 {
		return append(all, p.entries(head, typeMeta{})...)
	}
	if head.err != nil || head.list.kind == "" {
		all = append(all, p.entries(head, typeMeta{})...)
	}
	if head.err == nil && head.list.kind != "" && !head.list.isList() {
		return append(all, p.entries(head, typeMeta{})...)
	}
	for _, item := range items {
		all = append(all, p.entries(item, head.list.item())...)
	}
	return all
}

// entries lists a piece, of which outer is the type of the List around it.
func (p part) entries(piece *parsedPiece, outer typeMeta) []entry {
	here := entry{piecePlace: piecePlace{p.path, piece.line, piece.column}, document: piece.document, item: piece.item}
	if piece.err != nil {
		here.err = piece.err
		return []entry{here}
	}
	all := make([]entry, len(piece.objects))
	for i, o := range piece.objects {
		e := here
		switch {
		case len(piece.objects) == 1:
		case e.item == 0:
			e.item = i + 1
		default:
			e.inner = i + 1
		}
		e.object = o
		if o.bare != nil {
			e.object = o.bare.resolve(outer)
		}
		all[i] = e
	}
	return all
}

// resolve makes an object of an item with the type that its List gives it. In a
// List it must have one; elsewhere it is nobody's business here.
func (b *bareItem) resolve(outer typeMeta) object {
	if outer == (typeMeta{}) {
		return object{ignored: "document without apiVersion and kind"}
	}
	return b.reader.object(b.tree, b.path, outer, outer)
}

// result is what the entry comes to; false where it is of no concern.
func (e *entry) result() (backends.Event, bool) {
	var event backends.Event
	switch {
	case e.err != nil:
		event = backends.Event{Key: backends.Key{Kind: KindFile, Name: e.place()}, Err: e.placedError(e.err)}
	case e.event != nil:
		event = *e.event
		event.Err = e.placedError(event.Err)
	case len(e.said) == 0:
		return event, false
	default:
		event.Key = backends.Key{Kind: KindFile, Name: e.place()}
	}
	for _, s := range e.said {
		event.Warnings = append(event.Warnings, s.placed(e.piecePlace))
	}
	return event, true
}

// placedError gives an error its place in the file.
func (e *entry) placedError(err error) error {
	var s *said
	if !errors.As(err, &s) {
		return err
	}
	w := s.placed(e.piecePlace)
	if s.cause == nil {
		return &w
	}
	return &placedCause{w, s.cause}
}

// placedCause is the warning, and what it says of: the decoder's own error, such as a
// backends.Closed.
type placedCause struct {
	backends.Warning
	cause error
}

// Unwrap gives both.
func (p *placedCause) Unwrap() []error { return []error{&p.Warning, p.cause} }
