package golden

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"confd/bgp"
	"confd/internal/terminal"
)

// Warning is something that was left out or looks wrong.
type Warning struct {
	// Code is what this kind of warning is called, always; empty: it has no name.
	Code string
	// Text names the object and says what it is about, on one line.
	Text string
	// Detail is what more there is to show, in lines; may be empty.
	Detail string
}

func warningOf(p bgp.Problem) Warning {
	return Warning{Code: string(p.Code), Text: fmt.Sprintf("%s: %s", p.Object, p.Text), Detail: excerpt(p)}
}

// excerpt shows where in a file a problem is; empty where it is in none.
func excerpt(p bgp.Problem) string {
	if p.Place == "" {
		return ""
	}
	text := p.Place + "\n"
	for line := range strings.Lines(p.Excerpt) {
		text += "  " + line
	}
	return strings.TrimSuffix(text, "\n") + "\n"
}

// isListed says whether one of the entries is the warning's code, or a part of
// its text.
func (w Warning) isListed(entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool { return e == w.Code || strings.Contains(w.Text, e) })
}

// unexpected is the error that names the warnings that are neither in the case's
// list nor lines of its file of warnings, or all of them; nil: there are none.
func (t Target) unexpected(warnings []Warning, file []byte, strict bool) error {
	var b strings.Builder
	count := 0
	for _, w := range warnings {
		if !strict && (w.isListed(t.warnings) || slices.Contains(fileLines(file), w.Text)) {
			continue
		}
		count++
		fmt.Fprintf(&b, "  %s\n", w.Text)
		for line := range strings.Lines(w.Detail) {
			fmt.Fprintf(&b, "    %s", line)
		}
		if !strict {
			fmt.Fprintf(&b, "  to expect it: warnings = [%s]\n", strconv.Quote(w.Text))
		}
	}
	switch {
	case count == 0:
		return nil
	case strict:
		return fmt.Errorf("%s, which --strict makes errors:\n%s", terminal.Count(count, "warning"), strings.TrimRight(b.String(), "\n"))
	}
	return fmt.Errorf("%s that %s does not list:\n%s", terminal.Count(count, "warning"), t.at("warnings"), strings.TrimRight(b.String(), "\n"))
}

// listed are the entries of a case's list of warnings that no warning has matched yet,
// and how many of its targets have not been compared with them.
type listed struct {
	entries []string
	left    int
}

// compare looks which entries the warnings of targets match. Where these are the last
// of the case's, the last one fails for the entries that are left. Where a target was not
// picked, or could not be rendered, nobody knows what it would have matched.
func (l *listed) compare(results []Result) {
	for i := range results {
		r := &results[i]
		if !r.rendered {
			return
		}
		l.left--
		l.entries = slices.DeleteFunc(l.entries, func(e string) bool {
			return slices.ContainsFunc(r.warnings, func(w Warning) bool { return w.isListed([]string{e}) })
		})
		r.warnings = nil
		if l.left == 0 && len(l.entries) > 0 {
			r.Err = errors.Join(r.Err, fmt.Errorf("%s: nothing has such a warning any more: take out %s", r.Target.at("warnings"), quotedList(l.entries)))
		}
	}
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return strings.Join(quoted, ", ")
}

// stillThere are the lines of a file of warnings that are true yet.
func stillThere(file []byte, warnings []Warning) []byte {
	var b bytes.Buffer
	for _, line := range fileLines(file) {
		if slices.ContainsFunc(warnings, func(w Warning) bool { return w.Text == line }) {
			b.WriteString(line + "\n")
		}
	}
	return b.Bytes()
}

func fileLines(file []byte) []string {
	return strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
}
