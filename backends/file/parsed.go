package file

import (
	"crypto/sha256"

	"confd/backends"
	"confd/backends/internal/folder"
)

// parsedFile is a file as it was read. It keeps each piece's text as a hash
// only: a file that changed has most of its pieces unchanged.
type parsedFile struct {
	stamp folder.Stamp
	parts []part
	known map[[sha256.Size]byte]*parsed
	// unfinished says that the last line has no end.
	unfinished bool
}

// part is a file, or one in an archive.
type part struct {
	path   string // as messages name it
	pieces []*parsedPiece
}

type parsedPiece struct {
	document, item, line, column int
	*parsed
}

type parsed struct {
	objects []object
	list    typeMeta // of a List that was cut at its items: what it says it is
	err     *said    // nothing could be made of the piece
}

// failed is what a piece comes to that was not even parsed.
func failed(err error) *parsed {
	return &parsed{err: &said{Warning: backends.Warning{Code: backends.Unreadable, Text: err.Error()}}}
}

func (d *parsed) read(k *knowledge, text []byte) {
	doc, err := k.parser.Parse(text)
	if err != nil {
		s := unreadable(text, err)
		d.err = &s
		return
	}
	r := pieceReader{k, text, doc}
	d.objects = r.objects(doc.Value, nil, typeMeta{})
	if object, ok := doc.Value.(map[string]any); ok {
		d.list = typeOf(object)
	}
}

// lost tells that something is missing that was there before, or that cannot
// be read: as where a file is in the middle of being written.
func (f *parsedFile) lost(before *parsedFile) bool {
	pieces, broken := f.count()
	if pieces == 0 || broken || before == nil {
		return pieces == 0 || broken
	}
	had, _ := before.count()
	return pieces < had
}

// count counts the pieces, and says whether one cannot be read.
func (f *parsedFile) count() (pieces int, broken bool) {
	for _, p := range f.parts {
		pieces += len(p.pieces)
		for _, piece := range p.pieces {
			broken = broken || piece.err != nil
		}
	}
	return pieces, broken
}

// less says whether a file looks as if it were not all that it is to be.
func (f *parsedFile) less(before *parsedFile) bool {
	return f.stamp.Size() < before.stamp.Size() || f.unfinished && !before.unfinished || f.lost(before)
}
