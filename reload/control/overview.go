package control

import (
	"context"
	"net/netip"
	"strings"
)

// Overview is what BIRD says of all its protocols.
type Overview struct {
	Sessions []SessionState
	// Others are the protocols that are no sessions, in BIRD's order.
	Others []ProtocolState
}

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

// Overview says how BIRD's protocols are, with their counts of routes. Errors are
// those of Sessions.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	reply, err := c.protocols(ctx, "show protocols all")
	if err != nil {
		return Overview{}, err
	}
	return Overview{Sessions: parseSessions(reply), Others: parseOthers(reply)}, nil
}

// parseOthers reads the rows of protocols that are not BGP's, and their counts.
func parseOthers(reply Reply) []ProtocolState {
	var list []ProtocolState
	open, channel := false, ""
	for _, line := range reply.Lines {
		if line.Code == codeProtocol {
			row, ok := ParseRow(line.Text)
			open, channel = ok && row.Proto != "BGP", ""
			if open {
				list = append(list, ProtocolState{Name: row.Name, Kind: row.Proto, State: row.State})
			}
			continue
		}
		if line.Code != codeDetail || !open {
			continue
		}
		text := strings.TrimSpace(line.Text)
		if name, ok := strings.CutPrefix(text, "Channel "); ok {
			channel = name
		}
		list[len(list)-1].detail(channel, text)
	}
	return list
}

// detail reads one line of a protocol's details.
func (p *ProtocolState) detail(channel, text string) {
	key, value, _ := strings.Cut(text, ":")
	switch key {
	case "Routes":
		p.Routes = append(p.Routes, routeCount(channel, strings.TrimSpace(value)))
	case "GR recovery":
		p.Waiting = p.Waiting || strings.Contains(value, "waiting")
	}
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
