package control

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
)

// Overview is what BIRD says of all its protocols, as far as routes go.
type Overview struct {
	Sessions []SessionRoutes
	// Others are the protocols that are no sessions, in BIRD's order.
	Others []ProtocolState
}

// SessionRoutes is what BIRD says of one of its BGP sessions: the fields are those of
// SessionState.
type SessionRoutes struct {
	Name, BGPState string
	Routes         []RouteCount
	Awaited        bool
}

// Established says that the session is up, so that routes are exchanged.
func (s *SessionRoutes) Established() bool { return s.BGPState == established }

// ProtocolState is what BIRD says of one of its protocols.
type ProtocolState struct {
	Name string
	// Kind is BIRD's word for what it is, such as Kernel, Static, Direct.
	Kind string
	// State is up, start, stop, down; in BIRD 1 also feed and flush.
	State string
	// Routes are those of each address family. BIRD 1 does not name its only one.
	Routes []RouteCount
	// Waiting says that it puts nothing out while BIRD recovers from a graceful restart.
	Waiting bool
}

// Overview says how BIRD's protocols are, with their counts of routes. sessions is about
// how many sessions there are, for which room is made; 0: that is not known. Errors are
// those of Sessions.
func (c *Client) Overview(ctx context.Context, sessions int) (Overview, error) {
	p := overviewParser{ends: make([]sessionEnd, 0, sessions)}
	p.out.Sessions = make([]SessionRoutes, 0, sessions)
	p.names.Grow(sessions * usualName)
	if err := c.eachProtocol(ctx, "show protocols all", p.line); err != nil {
		return Overview{}, err
	}
	return p.finished(), nil
}

// overviewParser reads what BIRD says of its protocols, a line at a time: of thousands of
// sessions that is megabytes, of which little is kept.
type overviewParser struct {
	out Overview
	// names are those of all sessions, one behind the other; ends has where each one's
	// name ends, and its counts in routes.
	names  strings.Builder
	ends   []sessionEnd
	routes []RouteCount
	// open is what the lines belong to, channel which of its channels (empty in BIRD 1),
	// neighbor the session's.
	open     protocolKind
	channel  string
	neighbor []byte
}

type sessionEnd struct{ name, routes int }

// usualName is how many bytes the name of a session mostly has, at most.
const usualName = 20

// protocolKind says what a line of the details belongs to.
type protocolKind int

const (
	noProtocol protocolKind = iota
	aSession
	another
)

func (p *overviewParser) line(code int, text []byte) {
	switch {
	case code == codeProtocol:
		p.row(text)
	case code == codeDetail && p.open != noProtocol:
		p.detail(trim(text))
	}
}

// row begins a protocol.
func (p *overviewParser) row(text []byte) {
	p.closed()
	p.open, p.channel, p.neighbor = noProtocol, "", p.neighbor[:0]
	c, ok := cellsOf(text)
	switch {
	case !ok:
	case string(c.proto) == "BGP":
		p.open = aSession
		p.out.Sessions = append(p.out.Sessions, SessionRoutes{BGPState: bgpStateOf(c)})
		p.names.Write(c.name)
		p.ends = append(p.ends, sessionEnd{p.names.Len(), len(p.routes)})
	default:
		p.open = another
		p.out.Others = append(p.out.Others, ProtocolState{Name: string(c.name), Kind: string(c.proto), State: string(c.state)})
	}
}

// detail reads one line of a protocol's details, and leaves out what it does not know.
func (p *overviewParser) detail(text []byte) {
	if len(text) == 0 || strings.IndexByte("BCGNR", text[0]) < 0 {
		return
	}
	if name, ok := bytes.CutPrefix(text, []byte("Channel ")); ok {
		p.channel = channelName(name)
		return
	}
	key, value, _ := bytes.Cut(text, []byte(":"))
	switch value = trim(value); string(key) {
	case "BGP state":
		if p.open == aSession {
			p.session().BGPState = stateText(value)
		}
	case "Neighbor address":
		p.neighbor = append(p.neighbor[:0], value...)
	case "GR recovery":
		p.recovery(value)
	case "Routes":
		p.counts(routeCount(p.channel, value))
	}
}

// session is the one that is open, and other the protocol that is.
func (p *overviewParser) session() *SessionRoutes { return &p.out.Sessions[len(p.out.Sessions)-1] }
func (p *overviewParser) other() *ProtocolState   { return &p.out.Others[len(p.out.Others)-1] }

func (p *overviewParser) recovery(value []byte) {
	if p.open == aSession {
		s := p.session()
		s.Awaited = s.Awaited || bytes.Contains(value, []byte("pending"))
		return
	}
	o := p.other()
	o.Waiting = o.Waiting || bytes.Contains(value, []byte("waiting"))
}

// counts adds counts to the protocol that is open.
func (p *overviewParser) counts(r RouteCount) {
	if p.open == another {
		o := p.other()
		o.Routes = append(o.Routes, r)
		return
	}
	p.routes = append(p.routes, r)
	p.ends[len(p.ends)-1].routes = len(p.routes)
}

// closed ends the session that is open. One of BIRD 1 is of its neighbor's family.
func (p *overviewParser) closed() {
	if p.open != aSession {
		return
	}
	begin := 0
	if n := len(p.ends); n > 1 {
		begin = p.ends[n-2].routes
	}
	for i := begin; i < len(p.routes); i++ {
		if p.routes[i].Family != "" {
			continue
		}
		if a, err := netip.ParseAddr(string(p.neighbor)); err == nil {
			p.routes[i].Family = familyOf(a)
		}
	}
}

// finished is the overview after all lines.
func (p *overviewParser) finished() Overview {
	p.closed()
	names := p.names.String()
	var begin sessionEnd
	for i, end := range p.ends {
		s := &p.out.Sessions[i]
		s.Name = names[begin.name:end.name]
		if end.routes > begin.routes {
			s.Routes = p.routes[begin.routes:end.routes:end.routes]
		}
		begin = end
	}
	return p.out
}

// channelName and stateText are texts of which nearly all are a few.
func channelName(name []byte) string {
	switch string(name) {
	case "ipv4":
		return "ipv4"
	case "ipv6":
		return "ipv6"
	}
	return string(name)
}

func stateText(text []byte) string {
	if state := bgpState(text); state != "" {
		return state
	}
	return string(text)
}

// Addresses are those of the interfaces that BIRD knows, without those that only
// have a meaning on one link.
func (c *Client) Addresses(ctx context.Context) ([]netip.Addr, error) {
	const command = "show interfaces summary"
	reply, err := c.Do(ctx, command)
	if err != nil {
		return nil, err
	}
	if reply.Code >= 8000 {
		return nil, c.refusal(command, reply)
	}
	var list []netip.Addr
	for _, line := range reply.Lines {
		for word := range strings.FieldsSeq(line.Text) {
			p, err := netip.ParsePrefix(word)
			if err == nil && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback() {
				list = append(list, p.Addr())
			}
		}
	}
	return list, nil
}
