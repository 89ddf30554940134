package backends

import (
	"errors"
	"fmt"
)

// Code names a kind of warning. Programs and the cases of golden checks know it
// by this name, so it stays as it is. Codes lists all.
type Code string

// Warning is something about an object, or a document, that whoever wrote it
// should know: what is written is read otherwise than it looks, or not at all.
// As an error it says why nothing could be read.
type Warning struct {
	Code Code
	// Text says what is wrong and, where that is known, what was meant; on one
	// line. It begins with the field at fault, where there is one.
	Text string
	// Place is "FILE:LINE:COLUMN", as far as it is known; empty: the object came
	// from a server.
	Place string
	// Excerpt is the line of the file, and one with a caret below it; empty
	// where there is nothing to show, or it could have a password in it.
	Excerpt string
}

// Error is the text, with its place.
func (w *Warning) Error() string {
	if w.Place == "" {
		return w.Text
	}
	return w.Place + ": " + w.Text
}

// CodeOf is the code of an error that is a Warning, or orElse.
func CodeOf(err error, orElse Code) Code {
	var w *Warning
	if errors.As(err, &w) {
		return w.Code
	}
	return orElse
}

// DidYouMean is the end of a text about a name for which there is a likely one;
// empty: there is none.
func DidYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", printable(name))
}
