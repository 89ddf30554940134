package explain

import (
	"fmt"
	"net/netip"
	"slices"

	"confd/bgp"
)

// Route says what becomes of a route at a node.
func (a *Asker) Route(q RouteQuestion) (*RouteAnswer, error) {
	if a.state().Nodes[q.Node] == nil {
		return nil, &UnknownError{"Node", q.Node, a.meantNode(q.Node)}
	}
	cfg, err := a.compute(q.Node)
	if err != nil {
		return nil, err
	}
	r := routing{a: a, q: q, cfg: cfg, family: familyIn(cfg, q.Route.Net)}
	r.policies = a.policies(cfg, r.family)
	out := &RouteAnswer{Node: q.Node, Net: q.Route.Net}
	if out.Sources, err = r.sources(); err != nil {
		return nil, err
	}
	switch {
	case q.To != nil:
		out.Verdicts, err = r.exports(out.Sources[0], q.To, true)
	case q.From != nil:
		out.Verdicts, err = r.imports(out.Sources, q.From)
	case q.Kernel:
		out.Verdicts = []Verdict{r.kernel(out.Sources[0], true)}
	default:
		out.Verdicts, err = r.all(out.Sources)
	}
	if err == nil && a.Live != nil && q.Node == a.options.Node && a.Live.Routes != nil {
		out.BIRD = r.seen(out)
	}
	return out, err
}

// sources are the routes to the net that the node has; one at least, which may be
// nowhere.
func (r routing) sources() ([]Source, error) {
	if r.q.Given {
		route := r.q.Route
		s := Source{From: "given", Why: "as it was given", route: route}
		if route.Session != "" && r.q.From == nil {
			s.from = r.anyPeer()
		}
		s.Attributes = attributesOf(bgp.Outcome{Route: route})
		return []Source{s}, nil
	}
	net := r.q.Route.Net
	var out []Source
	for _, s := range r.family.Statics {
		if s.Net == net {
			out = append(out, Source{From: "static", Why: s.String() + ": " + s.Reason.Text, route: bgp.Route{Net: net}})
		}
	}
	owners := r.a.owners(net)
	for _, b := range owners {
		switch {
		case len(out) > 0 || b.Node != r.q.Node:
		case b.CIDR != net || net.IsSingleIP():
			out = append(out, Source{From: "workload", Why: fmt.Sprintf("if a workload of this node has it, the kernel's route to it: in block %s of this node", b.CIDR), route: bgp.Route{Net: net, Interface: "cali0"}})
		}
	}
	if len(out) == 0 && len(owners) > 0 && owners[0].Node != r.q.Node {
		heard, err := r.told(owners[0].Node, owners[0].CIDR)
		if err != nil {
			return nil, err
		}
		out = append(out, heard)
	}
	if len(out) == 0 {
		out = append(out, Source{From: "nowhere", Why: "no block, service or workload of the cluster makes it: taken as a route without attributes", route: r.q.Route})
	}
	for i := range out {
		out[i].Attributes = attributesOf(bgp.Outcome{Route: out[i].route})
	}
	return out, nil
}

// anyPeer is an external session by which a route may have come of which only that
// is known: of internal ones BGP passes on less.
func (r routing) anyPeer() *bgp.Session { return &bgp.Session{} }

// told is the route as its owner tells it: of a workload in a block, the block's.
func (r routing) told(owner string, block netip.Prefix) (Source, error) {
	route := bgp.Route{Net: block}
	what := fmt.Sprintf("block %s of node %s", block, owner)
	if r.a.state().Nodes[owner] == nil {
		return Source{From: "peer", Why: what, Refused: fmt.Sprintf("there is no node %q: nobody tells of it", owner), route: route}, nil
	}
	s, err := r.a.spreadOf(owner, route, r.q.Node)
	if err != nil {
		return Source{}, err
	}
	h := s.heard[r.q.Node]
	if h == nil {
		return Source{From: "peer", Why: what, Refused: s.whyNot(r.q.Node, r.q.Node), route: r.q.Route}, nil
	}
	out := Source{From: "peer", Why: what + ", by way of " + wayText(h.way), route: h.route, from: h.from}
	if h.from == nil { // it was looked at as one of its kind
		before := s.address(h.way[len(h.way)-2])
		if i := slices.IndexFunc(r.family.Sessions, func(x *bgp.Session) bool { return x.Neighbor == before }); i >= 0 {
			out.from = r.family.Sessions[i]
			h.route.Session = out.from.Name
			out.route = r.policies.TraceImport(out.from, h.route).Route
		}
	}
	if out.from != nil {
		out.Session = out.from.Name
	}
	out.route.Net = block
	return out, nil
}

// whyNot says where the route is lost that a node does not have, which is called who.
func (s *spread) whyNot(node, who string) string {
	same := func(x hop) bool { return x.to == node }
	if s.target == "" { // one of each kind stands for all
		kind := s.alike().KindOf(node)
		same = func(x hop) bool { return s.alike().KindOf(x.to) == kind }
	}
	for _, x := range s.refused {
		switch {
		case !same(x):
		case !x.told:
			return fmt.Sprintf("%s does not tell %s of it: %s", x.from, who, x.why)
		default:
			return fmt.Sprintf("%s tells of it, and is not believed: %s", x.from, x.why)
		}
	}
	for _, x := range s.refused {
		if s.passes(x.to) && s.hasSessions(node) {
			return fmt.Sprintf("it does not get as far: %s does not tell %s of it, or is not believed: %s", x.from, x.to, x.why)
		}
	}
	return "no chain of sessions leads from the block's node to " + who
}

func wayText(way []string) string {
	if len(way) == 2 {
		return "its session with " + way[0]
	}
	text := way[len(way)-2]
	for i := len(way) - 3; i > 0; i-- {
		text += ", which has it from " + way[i]
	}
	return text
}

// with are the family's sessions with a party.
func (r routing) with(p *Party) ([]*bgp.Session, error) {
	var out []*bgp.Session
	for _, s := range r.family.Sessions {
		if p.has(s.Neighbor) {
			out = append(out, s)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("node %s has no IPv%d session with %s (confd explain session %s %s says why)", r.q.Node, r.family.Version, p.Name(), r.q.Node, p.Name())
	}
	return out, nil
}

func (r routing) exports(source Source, to *Party, steps bool) ([]Verdict, error) {
	sessions, err := r.with(to)
	if err != nil {
		return nil, err
	}
	var out []Verdict
	for _, s := range sessions {
		out = append(out, r.export(source, s, steps))
	}
	return out, nil
}

func (r routing) export(source Source, s *bgp.Session, steps bool) Verdict {
	route := source.route
	if source.from != nil && route.Session == "" {
		route.Session = source.from.Name
	}
	v := verdictOf("export", r.policies.TraceExport(s, route, source.from), steps)
	v.Session, v.Peer, v.Route = s.Name, peerText(s), source.From
	if source.Refused != "" {
		v.Accepted, v.Why = false, "the node does not have it: "+source.Refused
	}
	return v
}

func peerText(s *bgp.Session) string {
	if s.PeerNode != "" {
		return s.PeerNode
	}
	return s.Neighbor.String()
}

// imports says what sessions with a peer make of the route.
func (r routing) imports(sources []Source, from *Party) ([]Verdict, error) {
	sessions, err := r.with(from)
	if err != nil {
		return nil, err
	}
	route := r.q.Route
	for _, s := range sources {
		if s.From == "peer" && !r.q.Given && s.Refused == "" {
			route = s.route
		}
	}
	var out []Verdict
	for _, s := range sessions {
		route.Session = s.Name
		v := verdictOf("import", r.policies.TraceImport(s, route), true)
		v.Session, v.Peer = s.Name, peerText(s)
		out = append(out, v)
	}
	return out, nil
}

func (r routing) kernel(source Source, steps bool) Verdict {
	route := source.route
	if source.from != nil {
		route.Session = source.from.Name
	}
	v := verdictOf("kernel", r.policies.TraceKernel(route), steps)
	v.Route = source.From
	if source.Refused != "" {
		v.Accepted, v.Why = false, "the node does not have it: "+source.Refused
	}
	return v
}

// all says in short what becomes of the first source: in the kernel, and in each
// session; those of which the same becomes are one.
func (r routing) all(sources []Source) ([]Verdict, error) {
	out := []Verdict{}
	if sources[0].Refused != "" {
		return out, nil
	}
	if sources[0].From != "workload" { // the kernel has it already
		out = append(out, r.kernel(sources[0], false))
	}
	index := map[string]int{}
	count := map[string]int{}
	for _, s := range r.family.Sessions {
		v := r.export(sources[0], s, false)
		key := fmt.Sprint(v.Accepted, v.Why, v.Attributes)
		if count[key]++; count[key] == 1 {
			index[key] = len(out)
			out = append(out, v)
		}
	}
	for key, i := range index {
		if n := count[key]; n > 1 {
			out[i].Peer = fmt.Sprintf("%s and %d more", out[i].Peer, n-1)
		}
	}
	return out, nil
}

// SessionsWith are the names of a node's sessions of a family with a party.
func (a *Asker) SessionsWith(node string, version int, p Party) []string {
	cfg, err := a.compute(node)
	if err != nil {
		return nil
	}
	f := &cfg.IPv4
	if version == 6 {
		f = &cfg.IPv6
	}
	var names []string
	for i := range f.Sessions {
		if p.has(f.Sessions[i].Neighbor) {
			names = append(names, f.Sessions[i].Name)
		}
	}
	return names
}
