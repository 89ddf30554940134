package doctor

import (
	"fmt"
	"strings"

	"confd/internal/terminal"
)

// mostObjects is how many findings of one code the text names.
const mostObjects = 20

func group(p *terminal.Page, list []Finding) {
	first := list[0]
	p.Text(0, lookOf(first.Severity), fmt.Sprintf("%s %s: %s", strings.ToUpper(string(first.Severity)), first.Code, first.Name))
	for _, f := range list[:min(len(list), mostObjects)] {
		p.Text(2, terminal.Plain, "- "+f.Object+": "+f.Text)
		if f.Place != "" {
			p.Text(4, terminal.Faint, "in "+f.Place)
		}
	}
	if more := len(list) - mostObjects; more > 0 {
		p.Text(2, terminal.Plain, fmt.Sprintf("and %d more", more))
	}
	p.Text(2, terminal.Faint, "consequence: "+first.Consequence)
	p.Text(2, terminal.Faint, "cure: "+first.Cure)
}

func lookOf(s Severity) terminal.Look {
	switch s {
	case Error:
		return terminal.Bad
	case Warning:
		return terminal.Odd
	}
	return terminal.Title
}

// Text writes the report for people: the findings of one code together.
func (r *Report) Text(p *terminal.Page) {
	for i := 0; i < len(r.Findings); {
		j := i
		for j < len(r.Findings) && r.Findings[j].Code == r.Findings[i].Code {
			j++
		}
		group(p, r.Findings[i:j])
		p.Blank()
		i = j
	}
	p.Text(0, r.look(), r.summary())
}

func (r *Report) look() terminal.Look {
	if r.Worst() == "" {
		return terminal.Good
	}
	return lookOf(r.Worst())
}

func (r *Report) summary() string {
	ignored := ""
	if r.Ignored > 0 {
		ignored = fmt.Sprintf(" (%d ignored)", r.Ignored)
	}
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%s looked at, nothing found%s", terminal.Count(r.Nodes, "node"), ignored)
	}
	var parts []string
	for _, s := range []Severity{Error, Warning, Advice} {
		switch n := r.Counts[s]; {
		case n > 0 && s == Advice:
			parts = append(parts, fmt.Sprintf("%d of advice", n))
		case n > 0:
			parts = append(parts, terminal.Count(n, string(s)))
		}
	}
	return fmt.Sprintf("%s looked at: %s%s", terminal.Count(r.Nodes, "node"), strings.Join(parts, ", "), ignored)
}
