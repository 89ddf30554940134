package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"confd/internal/terminal"
)

// The most peers, changes and names of nodes that the text has in one place.
const (
	mostMissed  = 5
	mostChanges = 5
	mostNames   = 3
)

// Text writes the view for people: what is wrong first, nodes with which the same is
// wrong on one line, and the rest counted.
func (v *View) Text(p *terminal.Page) {
	v.head(p)
	v.changes(p)
	v.missed(p)
	lines := v.lines()
	if len(lines) == 0 {
		return
	}
	p.Blank()
	most := len(lines)
	if v.options.Lines > 0 {
		most = min(most, v.options.Lines)
	}
	rows := []terminal.Row{terminal.Texts("NODE", "ADDRESS", "STATE", "SESSIONS", "WHAT").In(terminal.Title)}
	for _, l := range lines[:most] {
		rows = append(rows, l.row())
	}
	p.Table(0, rows)
	if most < len(lines) {
		rest := 0
		for _, l := range lines[most:] {
			rest += len(l.nodes)
		}
		p.Blank()
		p.Text(0, terminal.Plain, "And "+terminal.Count(rest, "more node"))
	}
	if v.options.Lines > 0 && len(lines) < len(v.Nodes)-v.counted() {
		p.Blank()
		p.Text(0, terminal.Faint, "A line for each node: --lines 0, with --filter for some of them")
	}
}

func (v *View) head(p *terminal.Page) {
	t := v.Totals
	wrong := t.Nodes - t.States[Good] - t.States[Warned] - t.States[PeersAway]
	switch {
	case t.Nodes == 0:
		p.Text(0, terminal.Bad, "The datastore has no nodes")
	case wrong == 0:
		p.Text(0, terminal.Good, fmt.Sprintf("All %s are as they should be", terminal.Count(t.Nodes, "node")))
	default:
		verb := "are not as they"
		if wrong == 1 {
			verb = "is not as it"
		}
		p.Text(0, terminal.Bad, fmt.Sprintf("%d of %s %s should be", wrong, terminal.Count(t.Nodes, "node"), verb))
	}
	var states []string
	for _, s := range States() {
		if n := t.States[s]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, s))
		}
	}
	rows := []terminal.Row{
		terminal.Texts("nodes:", strings.Join(states, ", ")),
		terminal.Texts("sessions:", fmt.Sprintf("%d of %d up", t.Up, t.Expected)),
		terminal.Texts("confd:", versions(t.Programs)),
		terminal.Texts("BIRD:", versions(t.BIRDs)),
		terminal.Texts("asked:", fmt.Sprintf("%s, for %.1f s", v.At.Format(time.DateTime), v.TookSeconds)),
	}
	p.Table(2, rows)
}

// versions are those that most nodes have first.
func versions(m map[string]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), strings.Compare(a, b))
	})
	var list []string
	for _, name := range names[:min(len(names), mostNames)] {
		list = append(list, fmt.Sprintf("%s (%d)", cmp.Or(name, "?"), m[name]))
	}
	if len(list) == 0 {
		return "not known"
	}
	return strings.Join(list, ", ") + more(len(names)-mostNames)
}

func (v *View) changes(p *terminal.Page) {
	if len(v.Changes) == 0 {
		return
	}
	p.Blank()
	p.Text(0, terminal.Title, "Changes that are held back (confd approve --all-nodes)")
	for _, c := range v.Changes[:min(len(v.Changes), mostChanges)] {
		c.Text(p, 2)
	}
	if n := len(v.Changes) - mostChanges; n > 0 {
		p.Text(2, terminal.Plain, fmt.Sprintf("and %d more: each has its own ID", n))
	}
}

// Text writes a change for people.
func (c Change) Text(p *terminal.Page, indent int) {
	word := "held"
	if c.Trial {
		word = "undone after its trial"
	}
	p.Text(indent, terminal.Bad, fmt.Sprintf("%s: %s on %s (%s), since %s", c.ID, word, terminal.Count(len(c.Nodes), "node"), few(c.Nodes), c.Since.Local().Format(time.DateTime)))
	because := ""
	if len(c.Objects) > 0 {
		because = ", because of " + strings.Join(c.Objects[:min(len(c.Objects), mostNames)], "; ") + more(len(c.Objects)-mostNames)
	}
	p.Text(indent+2, terminal.Plain, fmt.Sprintf("%s would go in all%s. %s says: %s", terminal.Count(c.Lost, "session"), because, few(c.Nodes[:min(len(c.Nodes), 1)]), c.Why))
}

func (v *View) missed(p *terminal.Page) {
	if len(v.Missed) == 0 {
		return
	}
	p.Blank()
	p.Text(0, terminal.Title, "Peers that most nodes have no session with")
	var rows []terminal.Row
	for _, m := range v.Missed[:min(len(v.Missed), mostMissed)] {
		rows = append(rows, terminal.Texts(cmp.Or(m.PeerNode, "-"), m.Peer, terminal.Count(m.Nodes, "node")))
	}
	p.Table(2, rows)
	if n := len(v.Missed) - mostMissed; n > 0 {
		p.Text(2, terminal.Plain, fmt.Sprintf("and %s", terminal.Count(n, "more peer")))
	}
}

// line is a line of the table: the nodes with which the same is wrong.
type line struct{ nodes []Node }

// lines are those of the nodes that are shown: where there may be any number of lines,
// each node has one. Without a filter those are counted alone that are as they should be.
func (v *View) lines() []line {
	type key struct{ state, what string }
	at := map[key]int{}
	var lines []line
	for _, n := range v.Nodes {
		k := key{n.State, n.What}
		if n.State == Good && len(v.options.Filters) == 0 {
			continue
		}
		i, known := at[k]
		if !known || n.State == Good || v.options.Lines == 0 {
			i = len(lines)
			at[k] = i
			lines = append(lines, line{})
		}
		lines[i].nodes = append(lines[i].nodes, n)
	}
	if cmp.Or(v.options.Sort, SortState) == SortState { // of the same state, what most nodes have
		slices.SortStableFunc(lines, func(a, b line) int {
			return cmp.Or(compareStates(a.nodes[0], b.nodes[0]), cmp.Compare(len(b.nodes), len(a.nodes)))
		})
	}
	return lines
}

// counted is how many of the nodes have no line.
func (v *View) counted() int {
	if len(v.options.Filters) > 0 {
		return 0
	}
	return v.Totals.States[Good]
}

func (l line) row() terminal.Row {
	first := l.nodes[0]
	name, address, up, expected := first.Name, first.address(), 0, 0
	if len(l.nodes) > 1 {
		var names []string
		for _, n := range l.nodes {
			names = append(names, n.Name)
		}
		name, address = few(names), ""
	}
	for _, n := range l.nodes {
		if n.Summary != nil {
			up, expected = up+n.Summary.Up, expected+n.Summary.Expected
		}
	}
	sessions := fmt.Sprintf("%d/%d", up, expected)
	if first.Summary == nil {
		sessions = "?"
	}
	row := terminal.Texts(name, address, first.State, sessions, first.What)
	row[2].Look = lookOf(first.State)
	return row
}

func lookOf(state string) terminal.Look {
	switch state {
	case Good:
		return terminal.Good
	case SessionsDown, PeersAway, Warned:
		return terminal.Odd
	}
	return terminal.Bad
}

// few names the first of several.
func few(names []string) string {
	out := strings.Join(names[:min(len(names), mostNames)], ", ")
	if n := len(names) - mostNames; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}
