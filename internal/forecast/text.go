package forecast

import (
	"fmt"
	"strings"

	"confd/internal/doctor"
	"confd/internal/terminal"
)

// The lengths of lists in the text.
const (
	mostObjects  = 20
	mostNodes    = 6
	mostRoutes   = 6
	mostFindings = 3 // of one code
)

// Text writes the report for people.
func (r *Report) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, fmt.Sprintf("%s, which would change %d of %s", terminal.Count(len(r.Objects), "object"), r.Changed, terminal.Count(r.Nodes, "node")))
	for _, o := range r.Objects[:min(len(r.Objects), mostObjects)] {
		p.Text(2, terminal.Plain, o)
	}
	if more := len(r.Objects) - mostObjects; more > 0 {
		p.Text(2, terminal.Faint, fmt.Sprintf("and %d more", more))
	}
	for _, g := range r.Groups {
		p.Blank()
		g.text(p)
	}
	r.findings(p)
	p.Blank()
	p.Text(0, r.look(), r.summary())
}

func (g Group) text(p *terminal.Page) {
	what := map[string]string{"changed": "", "added": ", new", "removed": ", gone"}[g.Kind]
	p.Text(0, terminal.Title, fmt.Sprintf("%s%s: %s", terminal.Count(len(g.Nodes), "node"), what, list(g.Nodes, mostNodes)))
	if g.Isolated {
		p.Text(2, terminal.Bad, "ISOLATED: each would have no session left")
	}
	if g.Held {
		p.Text(2, terminal.Bad, "HELD by the guard, until it is approved: "+g.Why)
	}
	var rows []terminal.Row
	for _, s := range g.Sessions {
		rows = append(rows, s.row())
	}
	p.Table(2, rows)
	if len(g.RoutesLost) > 0 {
		p.Text(2, terminal.Bad, fmt.Sprintf("%s that peers would not be told of any more: %s", terminal.Count(len(g.RoutesLost), "route"), list(g.RoutesLost, mostRoutes)))
	}
	if g.Kernel {
		p.Text(2, terminal.Plain, "other routes go into the kernel")
	}
	if len(g.Settings) > 0 {
		p.Text(2, terminal.Plain, "changed: "+strings.Join(g.Settings, ", "))
	}
	if g.Kind == "changed" && len(rows)+len(g.RoutesLost)+len(g.Settings) == 0 && !g.Kernel {
		p.Text(2, terminal.Plain, "other routes of their own; no session changes")
	}
}

func (s Sessions) row() terminal.Row {
	look := map[string]terminal.Look{Removed: terminal.Bad, Remade: terminal.Odd, Added: terminal.Good}[s.How]
	names := strings.Join(s.Names, ", ")
	if more := s.Count - len(s.Names); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	if s.Gone > 0 {
		names += fmt.Sprintf("; %d with nodes that are gone", s.Gone)
	}
	switch {
	case s.Reasked > 0 && s.Reasked < s.Count:
		names += fmt.Sprintf("; %d of them restart where the neighbor cannot send its routes again", s.Reasked)
	case s.Reasked > 0:
		names += "; each restarts where the neighbor cannot send its routes again"
	}
	return terminal.Row{{Text: fmt.Sprintf("%s %s", terminal.Count(s.Count, "session"), s.How), Look: look}, {Text: s.Object}, {Text: names}}
}

func (r *Report) findings(p *terminal.Page) {
	if len(r.Findings) > 0 {
		p.Blank()
		p.Text(0, terminal.Title, "What confd doctor would find then, and does not now")
	}
	for i := 0; i < len(r.Findings); {
		j := i
		for j < len(r.Findings) && r.Findings[j].Code == r.Findings[i].Code {
			j++
		}
		for _, f := range r.Findings[i:min(j, i+mostFindings)] {
			p.Text(2, lookOf(f), fmt.Sprintf("%s %s: %s: %s", f.Code, f.Name, f.Object, f.Text))
		}
		if more := j - i - mostFindings; more > 0 {
			p.Text(2, lookOf(r.Findings[i]), fmt.Sprintf("%s %s: and %d more", r.Findings[i].Code, r.Findings[i].Name, more))
		}
		i = j
	}
}

func lookOf(f doctor.Finding) terminal.Look {
	switch f.Severity {
	case doctor.Error:
		return terminal.Bad
	case doctor.Warning:
		return terminal.Odd
	}
	return terminal.Plain
}

func (r *Report) look() terminal.Look {
	t := r.Totals
	switch {
	case t.Removed+t.RoutesLost+t.Isolated+t.Held > 0:
		return terminal.Bad
	case t.Remade > 0:
		return terminal.Odd
	}
	return terminal.Good
}

func (r *Report) summary() string {
	t := r.Totals
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{
		{t.Removed, "removed"}, {t.Remade, "remade"}, {t.Added, "added"}, {t.Refiltered, "refiltered"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%s of sessions %s", terminal.Count(x.n, "end"), x.what))
		}
	}
	if t.RoutesLost > 0 {
		parts = append(parts, terminal.Count(t.RoutesLost, "route")+" lost")
	}
	if t.Isolated > 0 {
		parts = append(parts, terminal.Count(t.Isolated, "node")+" isolated")
	}
	if t.Held > 0 {
		parts = append(parts, fmt.Sprintf("held on %s", terminal.Count(t.Held, "node")))
	}
	if n := len(r.Findings); n > 0 {
		parts = append(parts, terminal.Count(n, "new finding"))
	}
	if r.Cured > 0 {
		parts = append(parts, fmt.Sprintf("%s cured", terminal.Count(r.Cured, "finding")))
	}
	if len(parts) == 0 {
		return "In all: no session and no route changes"
	}
	return "In all: " + strings.Join(parts, ", ")
}

func list(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
