package golden

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"confd/internal/terminal"
)

// What CI systems make of JUnit's XML, by their documentation and what they show:
// GitLab calls classname the suite, and keeps the first of two tests with the
// same classname and name; it links to file, from the top of the repository.
// GitHub's reporters put failures beside file and line. Jenkins splits classname
// at its last dot. GitLab takes no file of more than 30 MB, hence the limits.
const (
	junitDiffLines = 60   // of each file's diff
	junitText      = 8000 // bytes of a failure's text
)

// junitReporter writes JUnit's XML.
type junitReporter struct {
	w    io.Writer
	kept spool
}

type (
	junitCase struct {
		XMLName xml.Name      `xml:"testcase"`
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// Planned does nothing.
func (*junitReporter) Planned(int) {}

// Result keeps how a target went.
func (j *junitReporter) Result(r Result) error {
	folder := inRepository(r.Target.Name)
	title := folder
	if full, err := filepath.Abs(r.Target.Name); title == "." && err == nil {
		title = filepath.Base(full)
	}
	c := junitCase{
		Class: strings.ReplaceAll(title, "/", "."),
		Name:  path.Base(title) + strings.TrimPrefix(r.Target.Dir, wantFolder),
		File:  path.Join(folder, CaseFile),
		Time:  fmt.Sprintf("%.3f", r.Took.Seconds()), Output: strings.TrimSpace(checkNote(r)),
	}
	if !r.Good() {
		c.Failure = junitFailureOf(r)
	}
	if r.Err == nil && len(r.Diffs) > 0 && r.Diffs[0].Line > 0 {
		c.File, c.Line = path.Join(folder, r.Diffs[0].File), r.Diffs[0].Line
	}
	text, err := xml.MarshalIndent(c, "    ", "  ")
	if err != nil {
		return fmt.Errorf("writing JUnit's XML: %w", err)
	}
	return j.kept.write(append(text, '\n'))
}

func junitFailureOf(r Result) *junitFailure {
	f := &junitFailure{Type: "mismatch", Message: terminal.Count(len(r.Diffs), "file") + " not as wanted"}
	if r.Err != nil {
		first, _, _ := strings.Cut(r.Err.Error(), "\n")
		f.Type, f.Message = "error", first
	}
	r.Diffs = slices.Clone(r.Diffs)
	for i, d := range r.Diffs {
		r.Diffs[i].Text = firstLines(d.Text, junitDiffLines)
	}
	f.Text = painter{}.details(r)
	if len(f.Text) > junitText {
		f.Text = strings.ToValidUTF8(f.Text[:junitText], "") + "\n... (cut; confd test prints all of it)\n"
	}
	return f
}

// firstLines are the first lines of a text, at most n, and how many were left out.
func firstLines(text string, n int) string {
	left := strings.Count(text, "\n") - n
	if left <= 0 {
		return text
	}
	at := 0
	for range n {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	return text[:at] + fmt.Sprintf("... (%s more; confd test prints them)\n", terminal.Count(left, "line"))
}

// End writes all of it.
func (j *junitReporter) End(s Summary) error {
	counts := fmt.Sprintf(`tests="%d" failures="%d" errors="0" skipped="0" time="%.3f"`, s.Cases, s.Failed, s.Took.Seconds())
	head := fmt.Sprintf("%s<testsuites %s>\n  <testsuite name=\"confd test\" %s>\n", xml.Header, counts, counts)
	return j.kept.flush(j.w, head, "  </testsuite>\n</testsuites>\n")
}

// inRepository is a folder's path from the top of the repository that it lies
// in; where there is none, from the working directory. It has slashes.
func inRepository(folder string) string {
	full, err := filepath.Abs(folder)
	if err != nil {
		return filepath.ToSlash(folder)
	}
	top, err := os.Getwd()
	if err != nil {
		top = filepath.Dir(full)
	}
	for dir := full; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			top = dir
			break
		}
	}
	inside, err := filepath.Rel(top, full)
	if err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
		return strings.TrimPrefix(filepath.ToSlash(full), "/")
	}
	return filepath.ToSlash(inside)
}
