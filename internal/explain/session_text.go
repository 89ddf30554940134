package explain

import (
	"fmt"
	"strings"

	"confd/internal/terminal"
)

// Text writes the answer for people.
func (s *SessionAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, fmt.Sprintf("Sessions between %s and %s", partyText(s.A), partyText(s.B)))
	if len(s.Sessions) == 0 {
		p.Text(0, terminal.Bad, "There is none: nothing asks for it.")
	}
	for _, pair := range s.Sessions {
		p.Blank()
		pair.text(p, s.B)
	}
	for _, absent := range s.Absent {
		p.Blank()
		absent.text(p)
	}
	if len(s.LeftOut) == 0 {
		return
	}
	p.Blank()
	p.Text(0, terminal.Odd, "Left out, for faults of their own:")
	for _, m := range s.LeftOut {
		p.Text(2, terminal.Plain, m.Object+": "+strings.Join(m.Why, "; "))
	}
}

func partyText(p Party) string {
	if p.Node == "" {
		return p.Name() + " (outside of the cluster)"
	}
	text := fmt.Sprintf("%s (%s, AS %d", p.Node, addressesText(p), p.AS)
	if p.ClusterID.IsValid() {
		text += ", route reflector of cluster " + p.ClusterID.String()
	}
	return text + ")"
}

func (pair Pair) text(p *terminal.Page, peer Party) {
	look, verdict := terminal.Good, "both nodes have it, and the two ends fit"
	switch {
	case pair.OneSided:
		look, verdict = terminal.Bad, "only "+pair.Ends[0].Node+" has it: it cannot come up"
	case len(pair.Conflicts) > 0:
		look, verdict = terminal.Bad, "both nodes have it, and it cannot come up"
	case len(pair.Ends) == 1:
		look, verdict = terminal.Plain, pair.Ends[0].Node+" has it; what "+peer.Name()+" has is not known here"
	}
	p.Text(0, look, fmt.Sprintf("IPv%d: %s", pair.Family, verdict))
	for _, c := range pair.Conflicts {
		p.Text(2, terminal.Bad, "! "+c)
	}
	for _, e := range pair.Ends {
		e.text(p)
	}
}

func (e End) text(p *terminal.Page) {
	p.Blank()
	direction := ""
	if e.Reverse {
		direction = ", in reverse"
	}
	p.Text(2, terminal.Title, fmt.Sprintf("%s: %s, by %s%s", e.Node, e.Session, e.Object, direction))
	if e.Live != nil {
		e.Live.text(p)
	}
	for _, step := range e.Chain {
		p.Text(4, terminal.Plain, "- "+step)
	}
	for _, l := range e.Losers {
		p.Text(4, terminal.Odd, fmt.Sprintf("- %s asked for it, too, and lost: %s", l.Object, l.Why))
	}
	rows := []terminal.Row{terminal.Texts("OPTION", "VALUE", "FROM").In(terminal.Faint)}
	for _, o := range e.Options {
		rows = append(rows, terminal.Texts(o.Name, o.Value, o.From))
	}
	p.Table(4, rows)
}

func (l *LiveSession) text(p *terminal.Page) {
	look, text := terminal.Bad, "BIRD: "+l.State
	if l.Up {
		look = terminal.Good
	}
	if l.Since != "" {
		text += " since " + l.Since
	}
	if l.Info != "" {
		text += ", " + strings.TrimSpace(l.Info)
	}
	p.Text(4, look, text)
	if l.Meaning != "" && !l.Up {
		p.Text(4, terminal.Odd, l.Meaning)
	}
}

func (a Absence) text(p *terminal.Page) {
	family := ""
	if a.Family != 0 {
		family = fmt.Sprintf("IPv%d ", a.Family)
	}
	p.Text(0, terminal.Title, fmt.Sprintf("Why %s has no %ssession with %s", a.Node, family, a.Peer))
	for _, why := range a.Mesh {
		p.Text(2, terminal.Plain, "- the mesh: "+why)
	}
	if len(a.Misses) == 0 {
		p.Text(2, terminal.Plain, "- there is no BGPPeer at all")
	}
	for _, m := range a.Misses {
		look := terminal.Plain
		if m.Sides > 0 {
			look = terminal.Odd
		}
		p.Text(2, look, "- "+m.Object+":")
		for _, why := range m.Why {
			p.Text(4, terminal.Plain, why)
		}
	}
	if a.More > 0 {
		p.Text(2, terminal.Faint, fmt.Sprintf("and %s more, further off", terminal.Count(a.More, "BGPPeer")))
	}
}
