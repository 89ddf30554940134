package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Is says whether w is a terminal that can do more than go on. Where TERM, which
// lookup gives as os.LookupEnv does, is dumb, nothing counts as one.
func Is(w io.Writer, lookup func(name string) (string, bool)) bool {
	f, ok := w.(*os.File)
	kind, _ := lookup("TERM")
	return ok && kind != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Colours says whether w is a terminal for which text is coloured. Where NO_COLOR
// is set (https://no-color.org), none is.
func Colours(w io.Writer, lookup func(name string) (string, bool)) bool {
	text, _ := lookup("NO_COLOR")
	return text == "" && Is(w, lookup)
}
