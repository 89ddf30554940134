package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPageIsNoWiderThanItsTerminal(t *testing.T) {
	rows := []Row{
		Texts("NODE", "WHY", "MORE").In(Title),
		Texts("node-1", strings.Repeat("a long reason ", 9), "x"),
		Texts(strings.Repeat("verylong", 7), "", strings.Repeat("é", 50)),
	}
	for width := 3; width < 200; width++ {
		p := &Page{Width: width}
		p.Text(2, Plain, strings.Repeat("some words ", 20)+strings.Repeat("w", 90))
		p.Table(2, rows)
		for line := range strings.Lines(p.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > max(width, 2+2*gap+3) {
				t.Fatalf("width %d: a line of %d: %q", width, n, line)
			}
		}
	}
}

func TestPage(t *testing.T) {
	p := &Page{Width: 24}
	p.Text(0, Title, "A title\x1b[31m")
	p.Table(2, []Row{Texts("a", "one two three four"), Texts("bbb", "")})
	p.Blank()
	p.Text(1, Plain, "one two three four five six")
	const want = "A title?[31m\n  a    one two three\n       four\n  bbb\n\n one two three four five\n   six\n"
	if p.String() != want {
		t.Errorf("%q", p.String())
	}
	p = &Page{Width: 10}
	p.Prose("one two three four")
	if want := "one two\nthree four\n"; p.String() != want {
		t.Errorf("%q", p.String())
	}
	p = &Page{Colours: true}
	p.Table(0, []Row{{{"up", Good}, {"x", Plain}}})
	if want := "\x1b[32mup\x1b[0m  x\n"; p.String() != want {
		t.Errorf("%q", p.String())
	}
}
