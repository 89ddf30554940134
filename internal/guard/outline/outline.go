// Package outline has what a configuration comes to, as far as outages go, and finds in
// one what became of a session of another.
// Package outline has what a configuration comes to, as far as outages go, and finds in
// one what became of the sessions of another.
package outline

import (
	"cmp"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
)

// Outline is what a configuration comes to, as far as outages go: sessions and
// their terms, and what peers are told. It has no secrets in it, and is what is
// kept of configurations that do not run any more. Nobody changes one.
type Outline struct {
	// Lines are the sessions, IPv4 first, then by name.
	Lines []*Line `json:"lines,omitempty"`
	// Told are the routes of this node's own that at least one session tells its
	// peer of, by family and net.
	Told []Told `json:"told,omitempty"`
	// Addresses are the node's, IPv4 and IPv6; not valid: it has none.
	Addresses [2]netip.Addr `json:"addresses"`
	// Reflector: the node is a route reflector.
	Reflector bool `json:"reflector,omitempty"`
}

// Line is one session. Nobody changes one.
type Line struct {
	Name     string          `json:"name"`
	Family   int             `json:"family,omitempty"` // 4 or 6; 0: not known
	Kind     bgp.SessionKind `json:"kind,omitempty"`   // empty: none of the model's
	Neighbor netip.Addr      `json:"neighbor,omitzero"`
	Port     uint16          `json:"port,omitempty"` // the neighbor's; 0: not known
	// Node is the cluster's node behind it, and Reflector whether it is a route
	// reflector whose routes the session carries.
	Node      string `json:"node,omitempty"`
	Reflector bool   `json:"reflector,omitempty"`
	// Object asks for the session.
	Object backends.Key `json:"object,omitzero"`
	Terms  Terms        `json:"terms,omitzero"`
	// Closed: its filters take no route, whatever it is. Silent: they tell none.
	Closed bool `json:"closed,omitempty"`
	Silent bool `json:"silent,omitempty"`
}

// Terms are what both ends of a session must agree upon besides the neighbor's
// address and port, and what it hangs on at this end: where they change, BIRD makes
// the session anew, and whether it comes up again is to be seen. The zero value is:
// not known.
type Terms struct {
	Source   netip.Addr `json:"source,omitzero"`
	Listen   uint16     `json:"listen,omitempty"` // this node's port
	AS       uint32     `json:"as,omitempty"`     // the neighbor's
	LocalAS  uint32     `json:"local_as,omitempty"`
	TTLHops  uint8      `json:"ttl_hops,omitempty"`
	Password string     `json:"password,omitempty"` // what Salt makes of it; empty: none
}

// Told is a route that peers are told of.
type Told struct {
	Net    netip.Prefix `json:"net"`
	Object backends.Key `json:"object"` // why the node has the route
}

// Of is the outline of a configuration.
func Of(c *bgp.Config, salt Salt) *Outline { return outlineWith(c, linesOf(c, salt, [2]linesBefore{})) }

// Next is the outline of a configuration that comes after another one, of which o is.
// Its lines are o's where all that they come from is the same.
func (o *Outline) Next(was, is *bgp.Config, salt Salt) *Outline {
	four, six := was.IPv4.Sessions, was.IPv6.Sessions
	switch {
	case was.IPv4.ListenPort != is.IPv4.ListenPort || was.IPv6.ListenPort != is.IPv6.ListenPort || !slices.Equal(was.Filters, is.Filters):
		return Of(is, salt)
	case bgp.SameList(four, is.IPv4.Sessions) && bgp.SameList(six, is.IPv6.Sessions):
		return outlineWith(is, o.Lines)
	}
	before := [2]linesBefore{{four, o.Lines[:len(four)]}, {six, o.Lines[len(four):]}}
	return outlineWith(is, linesOf(is, salt, before))
}

// linesBefore are the lines of a family's sessions in another configuration.
type linesBefore struct {
	sessions []*bgp.Session
	lines    []*Line
}

// of is the line of a session that was there already; nil: it was not. They are asked for
// in their order.
func (b *linesBefore) of(s *bgp.Session) *Line {
	for len(b.sessions) > 0 && b.sessions[0] != s && b.sessions[0].Name <= s.Name {
		b.sessions, b.lines = b.sessions[1:], b.lines[1:]
	}
	if len(b.sessions) == 0 || b.sessions[0] != s {
		return nil
	}
	l := b.lines[0]
	b.sessions, b.lines = b.sessions[1:], b.lines[1:]
	return l
}

// linesOf are the lines of a configuration, of which some are known from before, by
// family.
func linesOf(c *bgp.Config, salt Salt, before [2]linesBefore) []*Line {
	lines := make([]*Line, 0, len(c.IPv4.Sessions)+len(c.IPv6.Sessions))
	passwords := map[string]string{}
	password, is := "", salt.Of("") // of the session before: mostly the same
	for i, f := range c.Families() {
		p := bgp.PoliciesOf(c, f)
		for _, s := range f.Sessions {
			if l := before[i].of(s); l != nil {
				lines = append(lines, l)
				continue
			}
			if s.Password != password {
				if _, ok := passwords[s.Password]; !ok {
					passwords[s.Password] = salt.Of(s.Password)
				}
				password, is = s.Password, passwords[s.Password]
			}
			l := lineOf(f, s, is)
			l.Closed, l.Silent = p.TakesNothing(s), p.TellsNothing(s)
			lines = append(lines, l)
		}
	}
	return lines
}

// outlineWith is the outline of a configuration whose lines are known.
func outlineWith(c *bgp.Config, lines []*Line) *Outline {
	out := &Outline{Lines: lines, Reflector: c.ClusterID.IsValid()}
	for i, f := range c.Families() {
		out.Addresses[i] = f.Address
		out.Told = append(out.Told, told(f, bgp.PoliciesOf(c, f))...)
	}
	return out
}

const bgpPort = 179

func lineOf(f *bgp.Family, s *bgp.Session, password string) *Line {
	return &Line{
		Name: s.Name, Family: f.Version, Kind: s.Kind, Neighbor: s.Neighbor, Port: cmp.Or(s.Port, bgpPort), Node: s.PeerNode,
		Reflector: s.Internal && s.PeerClusterID.IsValid(), Object: s.Reason.Object,
		Terms: Terms{
			Source: s.Source, Listen: cmp.Or(f.ListenPort, bgpPort),
			AS: s.AS, LocalAS: s.LocalAS, TTLHops: s.TTLHops, Password: password,
		},
	}
}

// told are the routes of the node's own that some session tells its peer of: one
// that is no local workload's.
func told(f *bgp.Family, p bgp.Policies) []Told {
	var out []Told
	sessions := Tellers(f)
	for _, r := range f.Statics {
		route := bgp.Route{Net: r.Net}
		if !r.Via.IsValid() && slices.ContainsFunc(sessions, func(s *bgp.Session) bool { return p.Tells(s, route, nil) }) {
			out = append(out, Told{r.Net, r.Reason.Object})
		}
	}
	return out
}

// Tellers are sessions of the family, one for each way in which routes are told.
func Tellers(f *bgp.Family) []*bgp.Session {
	var out []*bgp.Session
	for _, s := range f.Sessions {
		same := func(o *bgp.Session) bool {
			return o.Internal == s.Internal && o.RRClient == s.RRClient && slices.Equal(o.Export, s.Export)
		}
		if s.Kind != bgp.LocalWorkloadSession && !slices.ContainsFunc(out, same) {
			out = append(out, s)
		}
	}
	return out
}

// Known says whether the terms are.
func (t Terms) Known() bool { return t.LocalAS != 0 }
