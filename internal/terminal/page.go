package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Width is how many characters a line of the terminal w holds; 0: w is none, and
// lines may be of any length.
func Width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Look is what text means, which decides on its colour.
type Look string

// The looks.
const (
	Plain Look = ""
	Title Look = "1"  // bold
	Good  Look = "32" // green
	Bad   Look = "31" // red
	Odd   Look = "33" // yellow
	Faint Look = "2"
)

// Page is text for people: no line is longer than the terminal is wide, tables are
// aligned, and nothing in it gives the terminal commands but its own colours.
type Page struct {
	// Width is that of the terminal; 0: any.
	Width   int
	Colours bool
	b       strings.Builder
}

// PageFor is an empty page for w. lookup is as os.LookupEnv: where w is no terminal,
// COLUMNS says how wide the page is.
func PageFor(w io.Writer, lookup func(name string) (string, bool)) *Page {
	p := &Page{Width: Width(w), Colours: Colours(w, lookup)}
	if text, ok := lookup("COLUMNS"); ok && p.Width == 0 {
		p.Width, _ = strconv.Atoi(text) // what is no number is no width
		p.Width = max(p.Width, 0)
	}
	return p
}

// String is the page's text.
func (p *Page) String() string { return p.b.String() }

// Blank ends a paragraph.
func (p *Page) Blank() {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
}

// Text writes a paragraph that begins after indent spaces, its further lines two
// more.
func (p *Page) Text(indent int, look Look, text string) { p.lines(indent, 2, look, text) }

// Prose writes a paragraph whose lines all begin at the edge.
func (p *Page) Prose(text string) { p.lines(0, 0, Plain, text) }

// lines writes a paragraph whose first line begins after indent spaces, the others
// after more besides.
func (p *Page) lines(indent, more int, look Look, text string) {
	for i, line := range wrapped(Line(text), p.room(indent), p.room(indent+more)) {
		if i == 1 {
			indent += more
		}
		p.b.WriteString(strings.Repeat(" ", indent) + p.coloured(look, line) + "\n")
	}
}

// room is how many characters there are after indent ones; 0: any number.
func (p *Page) room(indent int) int {
	if p.Width == 0 {
		return 0
	}
	return max(p.Width-indent, 1)
}

func (p *Page) coloured(look Look, text string) string {
	if !p.Colours || look == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(look) + "m" + text + "\x1b[0m"
}

// Cell is a part of a table's row.
type Cell struct {
	Text string
	Look Look
}

// Row is a row of a table.
type Row []Cell

// Texts is a row of plain cells.
func Texts(texts ...string) Row {
	row := make(Row, len(texts))
	for i, t := range texts {
		row[i] = Cell{Text: t}
	}
	return row
}

// In is the row with one look for all its cells.
func (r Row) In(look Look) Row {
	out := make(Row, len(r))
	for i, c := range r {
		out[i] = Cell{c.Text, look}
	}
	return out
}

// Table writes rows whose columns are aligned, after indent spaces. Where the page
// is too narrow, the widest columns are broken into lines.
func (p *Page) Table(indent int, rows []Row) {
	widths := p.widths(indent, rows)
	for _, row := range rows {
		p.row(indent, widths, row)
	}
}

const gap = 2 // between two columns

// widths are those of the columns: what is in them, or less where all together do
// not fit.
func (p *Page) widths(indent int, rows []Row) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(Line(c.Text)))
		}
	}
	if p.Width == 0 {
		return widths
	}
	for over := p.excess(indent, widths); over > 0; over-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 1 {
			break
		}
		widths[widest]--
	}
	return widths
}

func (p *Page) excess(indent int, widths []int) int {
	sum := indent + gap*(len(widths)-1)
	for _, w := range widths {
		sum += w
	}
	return sum - p.Width
}

func (p *Page) row(indent int, widths []int, row Row) {
	cells := make([][]string, len(row))
	height := 1
	for i, c := range row {
		cells[i] = wrapped(Line(c.Text), widths[i], widths[i])
		height = max(height, len(cells[i]))
	}
	for n := range height {
		line, shown := strings.Repeat(" ", indent), ""
		for i, c := range cells {
			text := ""
			if n < len(c) {
				text = c[n]
			}
			if text != "" {
				shown += line + p.coloured(row[i].Look, text)
				line = ""
			}
			line += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+gap)
		}
		p.b.WriteString(shown + "\n")
	}
}

// wrapped breaks a line at spaces: the first part has at most first characters,
// the others rest; 0: any number. A word that is longer is cut.
func wrapped(line string, first, rest int) []string {
	var out []string
	room := first
	for room > 0 && utf8.RuneCountInString(line) > room {
		runes := []rune(line)
		cut := room
		for i := room; i > 0; i-- {
			if runes[i] == ' ' {
				cut = i
				break
			}
		}
		out = append(out, strings.TrimRight(string(runes[:cut]), " "))
		line = strings.TrimLeft(string(runes[cut:]), " ")
		room = rest
	}
	return append(out, line)
}
