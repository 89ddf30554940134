package golden

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// The formats of reports.
const (
	Text  = "text"
	TAP   = "tap"
	JUnit = "junit"
)

// Formats are the names of all formats.
func Formats() []string { return []string{Text, TAP, JUnit} }

// NewReporter returns a reporter that writes to w in a format: text for people,
// as results come, or TAP (version 14), or JUnit's XML, all at the end. Text is
// in colour where colourDiff, which gives colours to a unified diff, is not nil.
func NewReporter(w io.Writer, format string, colourDiff func(string) string) Reporter {
	switch format {
	case TAP:
		return &tapReporter{w: w}
	case JUnit:
		return &junitReporter{w: w}
	default:
		return &textReporter{painter: painter{colourDiff}, w: w}
	}
}

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
)

// textReporter writes a line for each result, and what is wrong with it.
type textReporter struct {
	painter
	w      io.Writer
	failed []string // the IDs
}

// Planned does nothing.
func (*textReporter) Planned(int) {}

// Result writes how a target went.
func (t *textReporter) Result(r Result) error {
	var err error
	switch {
	case !r.Good():
		t.failed = append(t.failed, r.Target.ID)
		_, err = fmt.Fprintf(t.w, "%s %s\n%s", t.in(red, "FAIL   "), r.Target.ID, t.details(r))
	case len(r.Updated) > 0:
		_, err = fmt.Fprintf(t.w, "%s %s: %s\n", t.in(cyan, "updated"), r.Target.ID, strings.Join(r.Updated, ", "))
	default:
		_, err = fmt.Fprintf(t.w, "%s %s%s\n", t.in(green, "ok     "), r.Target.ID, checkNote(r))
	}
	return err
}

// End names what failed once more, and counts.
func (t *textReporter) End(s Summary) error {
	var b strings.Builder
	colour := green
	for _, id := range t.failed {
		colour = red
		fmt.Fprintf(&b, "%s %s\n", t.in(red, "failed:"), id)
	}
	_, err := fmt.Fprintf(t.w, "%s%s\n", b.String(), t.in(colour, s.String()))
	return err
}

// tapReporter writes the Test Anything Protocol, version 14.
type tapReporter struct {
	w     io.Writer
	kept  spool
	count int
}

// Planned does nothing.
func (*tapReporter) Planned(int) {}

// Result keeps how a target went.
func (t *tapReporter) Result(r Result) error {
	var b bytes.Buffer
	status := "ok"
	if !r.Good() {
		status = "not ok"
	}
	t.count++
	fmt.Fprintf(&b, "%s %d - %s%s\n", status, t.count, strings.ReplaceAll(r.Target.ID, "#", `\#`), checkNote(r))
	if !r.Good() {
		for line := range strings.Lines(painter{}.details(r)) {
			b.WriteString("# " + line)
		}
	}
	return t.kept.write(b.Bytes())
}

// End writes all of it.
func (t *tapReporter) End(s Summary) error {
	return t.kept.flush(t.w, fmt.Sprintf("TAP version 14\n1..%d\n", t.count), fmt.Sprintf("# %s\n", s))
}
