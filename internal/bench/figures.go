package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// tables are the tables that there are figures for, by the name of their place in the
// documentation.
func (s summary) tables() map[string]string {
	return map[string]string{
		"changes": s.changes(),
		"typha":   s.typha(),
		"calico":  s.calico(),
	}
}

func (s summary) print(w io.Writer) {
	for _, name := range []string{"changes", "typha", "calico"} {
		if text := s.tables()[name]; text != "" {
			fmt.Fprintf(w, "\n%s", text)
		}
	}
}

// how says how it was measured.
func (s summary) how() string {
	runs := "One run"
	if s.o.runs > 1 {
		runs = fmt.Sprintf("Medians of %d runs", s.o.runs)
	}
	return fmt.Sprintf("%s, on %d cores (load %s when it began); ±: half of what lies between the lowest and the highest, or what the program's idling wavers by.",
		runs, runtime.NumCPU(), s.load)
}

func (s summary) changes() string {
	var out bytes.Buffer
	heads := []string{"from", "work", "this version"}
	if s.o.against != "" {
		heads = append(heads, "older build", "ratio")
	}
	for _, name := range []string{etcdPart, establishedPart, kubernetesPart} {
		for _, w := range s.parts[name] {
			if out.Len() == 0 {
				fmt.Fprintf(&out, "%s\n\n", s.how())
				head(&out, heads)
			}
			cells := []string{name, w.name, figureOf(w.samples[0]).text(w.unit)}
			if s.o.against != "" {
				cells = append(cells, figureOf(w.samples[1]).text(w.unit), figureOf(w.samples[0]).beside(figureOf(w.samples[1])))
			}
			line(&out, cells)
		}
	}
	return out.String()
}

func (s summary) typha() string {
	var out bytes.Buffer
	for _, w := range s.parts[typhaPart] {
		if out.Len() == 0 {
			head(&out, []string{"work", "Typha", "etcd", "ratio"})
		}
		line(&out, []string{w.name, figureOf(w.samples[0]).text(w.unit), figureOf(w.samples[1]).text(w.unit), times(w.samples)})
	}
	return out.String()
}

func times(samples [2][]sample) string {
	return fmt.Sprintf("%.2f", figureOf(samples[0]).value/figureOf(samples[1]).value)
}

// calico is what this program takes beside Calico's: seconds, and GB or MB.
func (s summary) calico() string {
	ours := map[string]work{}
	for _, w := range s.parts[calicoPart] {
		ours[w.name] = w
	}
	for _, w := range s.parts[etcdPart] {
		if w.name == nodeChange {
			ours[nodeOf5000] = w
		}
	}
	var out bytes.Buffer
	for _, theirs := range calicos() {
		w, ok := ours[theirs.name]
		if !ok {
			continue
		}
		if out.Len() == 0 {
			head(&out, []string{"work", "Calico's confd", "this one"})
		}
		line(&out, []string{theirs.name, roughly(figureOf(theirs.samples[0]).value, w.unit), roughly(figureOf(w.samples[0]).value, w.unit)})
	}
	return out.String()
}

// roughly is a time in seconds, or a size, as one says it in a sentence.
func roughly(v float64, unit string) string {
	switch {
	case unit == "ms" && v < 995:
		return fmt.Sprintf("%.2f s", v/1000)
	case unit == "ms" && v < 9950:
		return fmt.Sprintf("%.1f s", v/1000)
	case unit == "ms":
		return fmt.Sprintf("%.0f s", v/1000)
	case v >= 1000:
		return fmt.Sprintf("%.0f GB", v/1000)
	default:
		return fmt.Sprintf("%.0f MB", v)
	}
}

func head(w io.Writer, names []string) {
	line(w, names)
	fmt.Fprintf(w, "|%s\n", strings.Repeat(" --- |", len(names)))
}

func line(w io.Writer, cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }

// updateDocs puts tables into the pages below a folder that have a place for them.
func updateDocs(dir string, tables map[string]string) error {
	for _, page := range []string{"README.md", "docs/scale.md"} {
		path := filepath.Join(dir, page)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(inPlaces(string(text), tables)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// inPlaces is a page with each table in its place, between lines that say which it is.
func inPlaces(page string, tables map[string]string) string {
	for name, table := range tables {
		begin, end := places(name)
		before, rest, found := strings.Cut(page, begin)
		_, after, ended := strings.Cut(rest, end)
		if found && ended {
			page = before + begin + "\n" + table + "\n" + end + after
		}
	}
	return page
}

// places are the lines before and after the table of a name.
func places(name string) (begin, end string) {
	return fmt.Sprintf("<!-- figures: %s (written by make bench-table UPDATE=1) -->\n", name), fmt.Sprintf("<!-- end of figures: %s -->\n", name)
}
