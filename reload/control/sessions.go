package control

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Codes of the lines of "show protocols": a protocol's row, its details, and
// the answer where there is none.
const (
	codeProtocol     = 1002
	codeDetail       = 1006
	codeNoneMatching = 8003
)

// SessionState is what BIRD says of one of its BGP sessions. What it does not
// say, or says in a way that is not known, is zero. Texts are BIRD's; Message
// is the peer's, so escape it where it is shown.
type SessionState struct {
	Name string
	// State is the protocol's: up, start, stop, down; in BIRD 1 also feed and flush.
	State string
	// BGPState is Idle, Connect, Active, OpenSent, OpenConfirm, Established,
	// Close, Passive (waits for the peer to connect), or Down.
	BGPState string
	// Since is when State became so, as BIRD prints it: Status.Moment reads it.
	Since string
	// Info is the row's last column: the BGP state, and the last error.
	Info string
	// LastError is why the session ended, or does not come up, such as "BGP
	// Error: Hold timer expired".
	LastError string
	// Message is what the peer's operator had to say when the peer shut the
	// session down (RFC 9003).
	Message string

	// The rest is not in the brief list.

	// Neighbor has a zone where it is a link-local address.
	Neighbor netip.Addr
	// NeighborPort is 0 where BIRD does not say: 179.
	NeighborPort uint16
	NeighborAS   uint32
	LocalAS      uint32 // not from BIRD 1
	// NeighborID and Source are known once the peer has sent its OPEN.
	NeighborID netip.Addr
	Source     netip.Addr
	// HoldTime and KeepaliveTime are as agreed on with the peer; the Left ones
	// say how much is left of them.
	HoldTime, HoldLeft           time.Duration
	KeepaliveTime, KeepaliveLeft time.Duration
	// Routes are those of each address family, in BIRD's order.
	Routes []RouteCount
	// Awaited says that BIRD's recovery after a graceful restart waits for the
	// session.
	Awaited bool
	// NoRefresh says that the session is established with a neighbor that cannot send
	// its routes again (no route refresh, RFC 2918).
	NoRefresh bool
}

// Established says that the session is up, so that routes are exchanged.
func (s SessionState) Established() bool { return s.BGPState == established }

const established = "Established"

// RouteCount counts the routes of one address family in a session.
type RouteCount struct {
	// Family is ipv4, ipv6, or what else BIRD calls its channel.
	Family string
	// Imported are those taken from the peer, Preferred those of them that are
	// the best, Exported those that the peer is told, and Filtered those that the
	// import filter rejected but BIRD keeps.
	Imported, Exported, Preferred, Filtered int
}

// Sessions says how BIRD's BGP sessions are, in BIRD's order. Errors are those
// of Do, and that BIRD refuses the command.
func (c *Client) Sessions(ctx context.Context) ([]SessionState, error) {
	return c.sessions(ctx, "show protocols all")
}

// SessionsLike is Sessions of the protocols whose names match a pattern of BIRD's (*
// and ?); none is no error. A name of the model's, which has neither, is that protocol's.
func (c *Client) SessionsLike(ctx context.Context, pattern string) ([]SessionState, error) {
	if strings.ContainsAny(pattern, "\"\r\n") {
		return nil, fmt.Errorf("listing sessions: %q is no pattern", pattern)
	}
	return c.sessions(ctx, `show protocols all "`+pattern+`"`)
}

// SessionsBrief is Sessions at a tenth of the cost, for thousands of sessions:
// names, states, times, and last errors.
func (c *Client) SessionsBrief(ctx context.Context) ([]SessionState, error) {
	return c.sessions(ctx, "show protocols")
}

// Established are the names of the sessions that are up, in BIRD's order: what of the
// brief list matters most, at a part of its cost.
func (c *Client) Established(ctx context.Context) ([]string, error) {
	var names []string
	err := c.eachProtocol(ctx, "show protocols", func(code int, text []byte) {
		if code != codeProtocol || !bytes.Contains(text, []byte(established)) {
			return
		}
		if row, ok := cellsOf(text); ok && string(row.proto) == "BGP" && bgpStateOf(row) == established {
			names = append(names, string(row.name))
		}
	})
	return names, err
}

// GivenUp are the names of the sessions that BIRD has given up: see SessionState.GivenUp.
func (c *Client) GivenUp(ctx context.Context) ([]string, error) {
	var names []string
	err := c.eachProtocol(ctx, "show protocols", func(code int, text []byte) {
		if code != codeProtocol || !bytes.Contains(text, []byte(noSocket)) {
			return
		}
		if s := parseSessionRow(string(text)); s != nil && s.GivenUp() {
			names = append(names, strings.Clone(s.Name))
		}
	})
	return names, err
}

// eachProtocol passes on each line of what BIRD answers to a command that lists
// protocols; a text is that of the line only until the next one. With an error nothing
// that it passed on counts.
func (c *Client) eachProtocol(ctx context.Context, command string, each func(code int, text []byte)) error {
	if err := c.mayDo(command); err != nil {
		return err
	}
	var last Line
	err := c.talk(ctx, command, func() (err error) {
		last, err = eachText(c.br, maxReply, func(code int, text []byte) error {
			each(code, text)
			return nil
		})
		return err
	})
	if err == nil && last.Code >= 8000 && last.Code != codeNoneMatching {
		err = c.refusal(command, Reply{last.Code, []Line{last}})
	}
	return err
}

func (c *Client) sessions(ctx context.Context, command string) ([]SessionState, error) {
	reply, err := c.protocols(ctx, command)
	if err != nil {
		return nil, err
	}
	return parseSessions(reply), nil
}

// protocols is what BIRD answers to a command that lists protocols.
func (c *Client) protocols(ctx context.Context, command string) (Reply, error) {
	reply, err := c.Do(ctx, command)
	if err == nil && reply.Code >= 8000 && reply.Code != codeNoneMatching {
		err = c.refusal(command, reply)
	}
	return reply, err
}
