package calicosocket

import (
	"fmt"
	"io"
	"regexp"
)

// Tools read the number, so it is that of the words that they get.
const (
	version  = "BIRD 1.6.8"
	greeting = "0001 " + version + " ready.\n"
)

// BIRD 2 and 3 have fractions of seconds: in times, and in what is left of a timer.
var (
	clock = regexp.MustCompile(`(\d\d:\d\d:\d\d)\.\d+`)
	left  = regexp.MustCompile(`(\d+)\.\d+(/\d+)$`)
)

// wholeSeconds takes them off a line.
func wholeSeconds(text string) string {
	return left.ReplaceAllString(clock.ReplaceAllString(text, "$1"), "$1$2")
}

// writeLine writes a line of a reply. One that goes on with the code of the line
// before has a space for it.
func writeLine(w io.Writer, code int, goesOn bool, sign, text string) error {
	var err error
	if goesOn {
		_, err = fmt.Fprintf(w, " %s\n", text)
	} else {
		_, err = fmt.Fprintf(w, "%04d%s%s\n", code, sign, text)
	}
	return err
}
