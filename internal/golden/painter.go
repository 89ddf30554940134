package golden

import (
	"strings"

	"confd/internal/terminal"
)

// painter gives text colours; without a function for diffs it gives none.
type painter struct{ colourDiff func(string) string }

func (p painter) in(colour, text string) string {
	if p.colourDiff == nil {
		return text
	}
	return colour + text + "\x1b[m"
}

func (p painter) diff(text string) string {
	if p.colourDiff == nil {
		return text
	}
	return p.colourDiff(text)
}

// details say what is wrong: the error, then the diffs.
func (p painter) details(r Result) string {
	var b strings.Builder
	if r.Err != nil {
		b.WriteString(terminal.Text(strings.TrimRight(r.Err.Error(), "\n")) + "\n")
	}
	for _, d := range r.Diffs {
		b.WriteString(p.diff(terminal.Text(strings.TrimRight(d.Text, "\n")) + "\n"))
	}
	return b.String()
}

// checkNote says in brackets who checked, or why nobody did.
func checkNote(r Result) string {
	switch {
	case r.CheckedBy != "":
		return " (read by " + r.CheckedBy + ")"
	case r.Note != "":
		return " (" + r.Note + ")"
	}
	return ""
}
