package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"confd/bgp"
	"confd/internal/terminal"
)

// NodeAnswer says what a node is to speak, and why.
type NodeAnswer struct {
	Party
	ASFrom       string            `json:"as_from"`
	RouterID     string            `json:"router_id"`
	RouterIDFrom string            `json:"router_id_from"`
	Labels       map[string]string `json:"labels,omitempty"`
	// Alike is how many nodes have sessions as this one, itself among them.
	Alike int `json:"alike"`
	// Sessions are those of each object that asks for some.
	Sessions []NodeSessions `json:"sessions"`
	// Routes are those that it announces by itself, or needs.
	Routes   []NodeRoute `json:"routes"`
	Problems []string    `json:"problems"`
	// Up is how many sessions BIRD has up; nil: nobody knows.
	Up *int `json:"up,omitempty"`
}

// NodeSessions are sessions that one object asks for.
type NodeSessions struct {
	Object   string   `json:"object"`
	Family   int      `json:"family"`
	Reverse  bool     `json:"reverse"`
	Internal bool     `json:"internal"`
	Client   bool     `json:"route_reflector_client"`
	Peers    []string `json:"peers"` // the first ones
	Count    int      `json:"count"`
	Import   []string `json:"import,omitempty"`
	Export   []string `json:"export,omitempty"`
}

// NodeRoute is a route of a node's own.
type NodeRoute struct {
	Route string `json:"route"`
	Why   string `json:"why"`
}

// Node explains a node.
func (a *Asker) Node(name string) (*NodeAnswer, error) {
	n := a.state().Nodes[name]
	if n == nil {
		return nil, &UnknownError{"Node", name, a.meantNode(name)}
	}
	cfg, err := a.compute(name)
	if err != nil {
		return nil, err
	}
	out := &NodeAnswer{
		Party: a.partyOf(n), ASFrom: a.originOfAS(n), RouterID: cfg.RouterID.String(), RouterIDFrom: cfg.RouterIDFrom, Labels: n.Labels,
		Sessions: []NodeSessions{}, Routes: []NodeRoute{}, Problems: []string{},
	}
	alike := a.others.Alike()
	out.Alike = len(alike.Kinds[alike.KindOf(name)])
	for _, f := range cfg.Families() {
		out.Sessions = append(out.Sessions, sessionsOf(f)...)
		for _, s := range f.Statics {
			out.Routes = append(out.Routes, NodeRoute{s.String(), s.Reason.Text})
		}
	}
	for _, p := range cfg.Problems {
		out.Problems = append(out.Problems, p.Object.String()+": "+p.Text)
	}
	if a.Live != nil && name == a.options.Node {
		up := 0
		for _, s := range a.Live.Sessions {
			if s.Up {
				up++
			}
		}
		out.Up = &up
	}
	return out, nil
}

// sessionsOf puts the sessions together that one object asks for, on the same terms.
func sessionsOf(f *bgp.Family) []NodeSessions {
	groups := map[string]*NodeSessions{}
	for _, s := range f.Sessions {
		g := NodeSessions{
			Object: s.Reason.Object.String(), Family: f.Version, Reverse: s.Reason.Reverse, Internal: s.Internal, Client: s.RRClient,
			Import: callNames(s.Import), Export: callNames(s.Export),
		}
		key := fmt.Sprint(g)
		if groups[key] == nil {
			groups[key] = &g
		}
		if g := groups[key]; len(g.Peers) < fewNames {
			g.Peers = append(g.Peers, peerText(s))
		}
		groups[key].Count++
	}
	var out []NodeSessions
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, *groups[key])
	}
	return out
}

func callNames(calls []bgp.FilterCall) []string {
	var names []string
	for _, c := range calls {
		names = append(names, c.Filter)
	}
	return names
}

// Text writes the answer for people.
func (n *NodeAnswer) Text(p *terminal.Page) {
	p.Text(0, terminal.Title, "Node "+n.Party.Node)
	rows := []terminal.Row{
		terminal.Texts("addresses", addressesText(n.Party)),
		terminal.Texts("AS number", fmt.Sprintf("%d (%s)", n.AS, n.ASFrom)),
		terminal.Texts("router ID", fmt.Sprintf("%s (%s)", n.RouterID, n.RouterIDFrom)),
	}
	if n.ClusterID.IsValid() {
		rows = append(rows, terminal.Texts("route reflector", "of cluster "+n.ClusterID.String()))
	}
	if len(n.Labels) > 0 {
		rows = append(rows, terminal.Texts("labels", labelList(n.Labels)))
	}
	rows = append(rows, terminal.Texts("alike", terminal.Count(n.Alike, "node")+" with sessions as this one has them"))
	if n.Up != nil {
		rows = append(rows, terminal.Texts("BIRD", terminal.Count(*n.Up, "session")+" up"))
	}
	p.Table(2, rows)
	p.Blank()
	n.sessions(p)
	p.Blank()
	n.routes(p)
	if len(n.Problems) > 0 {
		p.Blank()
	}
	for _, text := range n.Problems {
		p.Text(0, terminal.Odd, "! "+text)
	}
}

func labelList(labels map[string]string) string {
	var parts []string
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, l+"="+labels[l])
	}
	return strings.Join(parts, ", ")
}

func (n *NodeAnswer) sessions(p *terminal.Page) {
	if len(n.Sessions) == 0 {
		p.Text(0, terminal.Bad, "It has no session at all.")
		return
	}
	rows := []terminal.Row{terminal.Texts("SESSIONS", "FAMILY", "KIND", "BY", "WITH", "FILTERS").In(terminal.Faint)}
	for _, s := range n.Sessions {
		kind := "external"
		switch {
		case s.Client:
			kind = "reflected"
		case s.Internal:
			kind = "internal"
		}
		by := s.Object
		if s.Reverse {
			by += ", in reverse"
		}
		with := strings.Join(s.Peers, ", ")
		if more := s.Count - len(s.Peers); more > 0 {
			with += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, terminal.Texts(strconv.Itoa(s.Count), fmt.Sprintf("IPv%d", s.Family), kind, by, with, filtersText(s)))
	}
	p.Table(0, rows)
}

func filtersText(s NodeSessions) string {
	var parts []string
	if len(s.Import) > 0 {
		parts = append(parts, "import "+strings.Join(s.Import, " "))
	}
	if len(s.Export) > 0 {
		parts = append(parts, "export "+strings.Join(s.Export, " "))
	}
	return strings.Join(parts, "; ")
}

func (n *NodeAnswer) routes(p *terminal.Page) {
	if len(n.Routes) == 0 {
		p.Text(0, terminal.Odd, "It announces nothing of its own.")
		return
	}
	const most = 20
	rows := []terminal.Row{terminal.Texts("ROUTE", "BECAUSE").In(terminal.Faint)}
	for _, r := range n.Routes[:min(len(n.Routes), most)] {
		rows = append(rows, terminal.Texts(r.Route, cmp.Or(r.Why, "-")))
	}
	p.Table(0, rows)
	if more := len(n.Routes) - most; more > 0 {
		p.Text(0, terminal.Faint, fmt.Sprintf("and %d more", more))
	}
}
