package explain

import (
	"fmt"
	"strings"

	"confd/internal/terminal"
)

// Text writes the answer for people.
func (a *RouteAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, fmt.Sprintf("%s at node %s", a.Net, a.Node))
	for _, s := range a.Sources {
		s.text(p)
	}
	if len(a.Verdicts) > 0 && len(a.Verdicts[0].Steps) > 0 {
		for _, v := range a.Verdicts {
			p.Blank()
			p.Text(0, terminal.Title, v.title())
			v.text(p)
		}
	} else if len(a.Verdicts) > 0 {
		p.Blank()
		a.table(p)
	}
	if a.BIRD != nil {
		p.Blank()
		a.BIRD.text(p)
	}
}

func (s Source) text(p *terminal.Page) {
	look := terminal.Plain
	if s.From == "nowhere" {
		look = terminal.Odd
	}
	p.Text(2, look, s.From+": "+s.Why)
	if s.Refused != "" {
		p.Text(4, terminal.Bad, "the node does not have it: "+s.Refused)
		return
	}
	if s.Session != "" {
		p.Text(4, terminal.Plain, "session "+s.Session)
	}
	if text := s.Attributes.String(); text != "none" {
		p.Text(4, terminal.Plain, text)
	}
}

func (v Verdict) title() string {
	switch v.Direction {
	case "import":
		return fmt.Sprintf("Taken from %s (%s)?", v.Peer, v.Session)
	case "export":
		return fmt.Sprintf("Told to %s (%s)?", v.Peer, v.Session)
	}
	return "Into the kernel?"
}

// table lists the verdicts in short.
func (a *RouteAnswer) table(p *terminal.Page) {
	rows := []terminal.Row{terminal.Texts("", "TO", "BECAUSE").In(terminal.Faint)}
	for _, v := range a.Verdicts {
		to := v.Peer
		if v.Direction == "kernel" {
			to = "the kernel"
		}
		row := terminal.Row{{Text: "yes", Look: terminal.Good}, {Text: to}, {Text: v.Why}}
		if !v.Accepted {
			row[0] = terminal.Cell{Text: "no", Look: terminal.Bad}
		}
		rows = append(rows, row)
	}
	p.Table(2, rows)
}

func (s *Seen) text(p *terminal.Page) {
	p.Text(0, terminal.Title, "What BIRD has")
	if len(s.Routes) == 0 {
		p.Text(2, terminal.Odd, "no route to it")
	}
	for _, r := range s.Routes {
		from, best := "its own", ""
		if r.Session != "" {
			from = "from " + r.Session
		}
		if r.Best {
			best = ", the one in use"
		}
		line := from + best
		if parts := r.Attributes.parts(); len(parts) > 0 { // "in use: none" would say the opposite
			line += ": " + strings.Join(parts, ", ")
		}
		p.Text(2, terminal.Plain, line)
	}
	for _, name := range s.Told {
		p.Text(2, terminal.Plain, "told in "+name)
	}
	if len(s.Differences) == 0 {
		p.Text(2, terminal.Good, "No difference to what the resources say.")
	}
	for _, d := range s.Differences {
		p.Text(2, terminal.Bad, "DIFFERENCE: "+d)
	}
}
