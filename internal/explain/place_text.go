package explain

import (
	"fmt"
	"strings"

	"confd/internal/terminal"
)

// mostInside is how many blocks in a net are listed.
const mostInside = 20

// Text writes the answer for people.
func (a *PlaceAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, a.Net.String())
	pool := a.Pool
	if pool == "" {
		pool = "none"
	}
	rows := []terminal.Row{terminal.Texts("pool", pool)}
	for _, b := range a.Blocks {
		rows = append(rows, terminal.Texts("block", fmt.Sprintf("%s of %s, %s", b.CIDR, b.Node, b.State)))
	}
	if a.Service != "" {
		rows = append(rows, terminal.Texts("service", a.Service))
	}
	for _, b := range a.Inside[:min(len(a.Inside), mostInside)] {
		rows = append(rows, terminal.Texts("block inside", fmt.Sprintf("%s of %s, %s", b.CIDR, b.Node, b.State)))
	}
	if more := len(a.Inside) - mostInside; more > 0 {
		rows = append(rows, terminal.Texts("", fmt.Sprintf("and %d more", more)))
	}
	if a.Announced != "" {
		rows = append(rows, terminal.Texts("announced", a.Announced))
	}
	p.Table(2, rows)
	if len(a.Ways) > 0 {
		p.Blank()
		p.Text(0, terminal.Title, "Who is told, and how")
		var rows []terminal.Row
		for _, w := range a.Ways {
			rows = append(rows, w.row())
		}
		p.Table(2, rows)
	}
	if kernel := a.kernel(); kernel != "" {
		p.Text(2, terminal.Plain, "There "+kernel)
	}
	p.Blank()
	if len(a.Swallowed) == 0 && len(a.Inside) == 0 {
		p.Text(0, terminal.Good, "Nothing swallows packets to it, as far as the resources say.")
	}
	for _, s := range a.Swallowed {
		p.Text(0, terminal.Bad, "! "+s)
	}
	a.downText(p)
	for _, n := range a.Notes {
		p.Text(0, terminal.Faint, "Note: "+n)
	}
}

// mostDown is how many sessions that are not up are named.
const mostDown = 5

// downText says which sessions carry nothing now.
func (a *PlaceAnswer) downText(p *terminal.Page) {
	for _, s := range a.Down[:min(len(a.Down), mostDown)] {
		text := fmt.Sprintf("! %s's session %s is not up, and nothing is told by it: %s", a.Asked, s.Name, s.State)
		if s.Info != "" {
			text += ", " + strings.TrimSpace(s.Info)
		}
		if s.Meaning != "" {
			text += ": " + s.Meaning
		}
		p.Text(0, terminal.Bad, text)
	}
	if more := len(a.Down) - mostDown; more > 0 {
		p.Text(0, terminal.Bad, fmt.Sprintf("! and %d more of its sessions are not up: see confd status", more))
	}
}

func (w Way) row() terminal.Row {
	row := terminal.Row{{Text: "yes", Look: terminal.Good}, {Text: whomText(w)}, {Text: w.By}}
	if !w.Told {
		row[0] = terminal.Cell{Text: "no", Look: terminal.Bad}
	}
	return row
}

func whomText(w Way) string {
	text := strings.Join(w.Whom, ", ")
	if more := w.Count - len(w.Whom); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// kernel is what the nodes that are told do.
func (a *PlaceAnswer) kernel() string {
	for _, w := range a.Ways {
		if w.Kernel != "" {
			return w.Kernel
		}
	}
	return ""
}
