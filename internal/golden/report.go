package golden

import (
	"encoding/xml"
	"fmt"
	"io"
	"path"
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

// Report writes results and their summary to w in a format: text for people,
// TAP (version 14), or JUnit's XML. Text is in colour where colourDiff, which
// gives colours to a unified diff, is not nil.
func Report(w io.Writer, format string, colourDiff func(string) string, results []Result, s Summary) error {
	var text string
	switch format {
	case TAP:
		text = tapReport(results, s)
	case JUnit:
		t, err := junitReport(results, s)
		if err != nil {
			return err
		}
		text = t
	default:
		text = textReport(painter{colourDiff}, results, s)
	}
	_, err := io.WriteString(w, text)
	return err
}

// painter gives text colours; without a function for diffs it gives none.
type painter struct{ colourDiff func(string) string }

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
)

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

func textReport(p painter, results []Result, s Summary) string {
	var b strings.Builder
	for _, r := range results {
		switch {
		case !r.Good():
			fmt.Fprintf(&b, "%s %s\n%s", p.in(red, "FAIL   "), r.Target.ID, p.details(r))
		case len(r.Updated) > 0:
			fmt.Fprintf(&b, "%s %s: %s\n", p.in(cyan, "updated"), r.Target.ID, strings.Join(r.Updated, ", "))
		default:
			fmt.Fprintf(&b, "%s %s%s\n", p.in(green, "ok     "), r.Target.ID, checkNote(r))
		}
	}
	colour := green
	if s.Failed > 0 {
		colour = red
		for _, r := range Failed(results) {
			fmt.Fprintf(&b, "%s %s\n", p.in(red, "failed:"), r.Target.ID)
		}
	}
	fmt.Fprintf(&b, "%s\n", p.in(colour, s.String()))
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

// details say what is wrong: the error, then the diffs.
func (p painter) details(r Result) string {
	var b strings.Builder
	if r.Err != nil {
		b.WriteString(strings.TrimRight(r.Err.Error(), "\n") + "\n")
	}
	for _, d := range r.Diffs {
		b.WriteString(p.diff(strings.TrimRight(d.Text, "\n") + "\n"))
	}
	return b.String()
}

func tapReport(results []Result, s Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", len(results))
	for i, r := range results {
		status := "ok"
		if !r.Good() {
			status = "not ok"
		}
		fmt.Fprintf(&b, "%s %d - %s%s\n", status, i+1, strings.ReplaceAll(r.Target.ID, "#", `\#`), checkNote(r))
		if !r.Good() {
			for line := range strings.Lines(painter{}.details(r)) {
				b.WriteString("# " + line)
			}
		}
	}
	fmt.Fprintf(&b, "# %s\n", s)
	return b.String()
}

// The elements of JUnit's XML, as CI systems read them.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Time     string     `xml:"time,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func junitReport(results []Result, s Summary) (string, error) {
	seconds := fmt.Sprintf("%.3f", s.Took.Seconds())
	suite := junitSuite{Name: "confd test", Tests: s.Cases, Failures: s.Failed, Time: seconds}
	for _, r := range results {
		c := junitCase{
			Name: path.Base(r.Target.ID), Class: path.Dir(r.Target.ID),
			Time: fmt.Sprintf("%.3f", r.Took.Seconds()), Output: strings.TrimSpace(checkNote(r)),
		}
		if !r.Good() {
			text := painter{}.details(r)
			first, _, _ := strings.Cut(text, "\n")
			if r.Err == nil {
				first = counted(len(r.Diffs), "file") + " not as wanted"
			}
			c.Failure = &junitFailure{Message: first, Text: text}
		}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(junitSuites{Tests: s.Cases, Failures: s.Failed, Time: seconds, Suite: suite}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("writing JUnit's XML: %w", err)
	}
	return xml.Header + string(out) + "\n", nil
}
