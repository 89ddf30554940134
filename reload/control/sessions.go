package control

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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
	// Since is when State became so, as BIRD prints it; SinceTime is the same,
	// zero where BIRD was given a format that we do not know.
	Since     string
	SinceTime time.Time
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
	return parseSessions(reply, time.Now()), nil
}

// protocols is what BIRD answers to a command that lists protocols.
func (c *Client) protocols(ctx context.Context, command string) (Reply, error) {
	reply, err := c.Do(ctx, command)
	if err == nil && reply.Code >= 8000 && reply.Code != codeNoneMatching {
		err = c.refusal(command, reply)
	}
	return reply, err
}

// parseSessions reads the rows of BGP protocols, and their details. now is when
// the reply came.
func parseSessions(reply Reply, now time.Time) []SessionState {
	list := make([]SessionState, 0, reply.rows())
	var session *sessionParser // of the row that details belong to; nil: no BGP
	finish := func() {
		if session != nil {
			list = append(list, session.finished(now))
		}
	}
	for _, line := range reply.Lines {
		switch {
		case line.Code == codeProtocol:
			finish()
			session = parseSessionRow(line.Text)
		case line.Code == codeDetail && session != nil:
			session.detail(strings.TrimSpace(line.Text))
		}
	}
	finish()
	return list
}

// rows is how many protocols a reply is about.
func (r Reply) rows() (n int) {
	for _, line := range r.Lines {
		if line.Code == codeProtocol {
			n++
		}
	}
	return n
}

// sessionParser collects what BIRD says of a session.
type sessionParser struct {
	SessionState
	channel string // that the lines belong to; empty in BIRD 1
	// theirs: the lines are the neighbor's capabilities, not this side's. opened: what
	// both have agreed on is told; refresh: the neighbor can send its routes again.
	theirs, opened, refresh bool
}

// parseSessionRow reads a row; nil where it is not that of a BGP session.
func parseSessionRow(row string) *sessionParser {
	p, ok := ParseRow(row)
	if !ok || p.Proto != "BGP" {
		return nil
	}
	s := SessionState{Name: p.Name, State: p.State, Since: p.Since, Info: p.Info}
	at := wordAt(p.Info, isBGPState[string])
	switch {
	case at >= 0:
		s.BGPState, s.LastError, _ = strings.Cut(p.Info[at:], " ")
	case s.State == "down":
		s.BGPState = "Down"
		if at = wordAt(p.Info, isErrorClass); at >= 0 {
			s.LastError = p.Info[at:]
		} else if parseTime(s.Since).IsZero() {
			at = len(p.Info)
		}
	}
	if at > 0 { // the time is in a format of the user's own, of many words
		s.Since += " " + strings.TrimSpace(p.Info[:at])
		s.Info = p.Info[at:]
	}
	return &sessionParser{SessionState: s}
}

func isBGPState[T string | []byte](word T) bool { return bgpState(word) != "" }

// bgpState is the state of BGP that a word names; empty: none.
func bgpState[T string | []byte](word T) string {
	for _, state := range [...]string{"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", established, "Close", "Passive"} {
		if string(word) == state {
			return state
		}
	}
	return ""
}

// isErrorClass says that a last error begins here.
func isErrorClass(word string) bool {
	switch word {
	case "Error:", "Socket:", "Received:", "BGP", "Automatic":
		return true
	}
	return false
}

// detail reads one line of the details, and leaves out what it does not know.
func (s *sessionParser) detail(line string) {
	if channel, ok := strings.CutPrefix(line, "Channel "); ok {
		s.channel = channel
		return
	}
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "BGP state":
		s.BGPState = value
	case "Neighbor address":
		s.Neighbor, _ = netip.ParseAddr(value)
	case "Neighbor port":
		s.NeighborPort = uint16(number(value, 16))
	case "Neighbor AS":
		s.NeighborAS = uint32(number(value, 32))
	case "Local AS":
		s.LocalAS = uint32(number(value, 32))
	case "Local capabilities", "Neighbor capabilities":
		s.theirs = key == "Neighbor capabilities"
	case "Route refresh":
		s.refresh = s.refresh || s.theirs
	case "Neighbor caps": // of BIRD 1
		s.refresh = slices.Contains(strings.Fields(value), "refresh")
	case "Session":
		s.opened = true
	case "Neighbor ID":
		s.NeighborID, _ = netip.ParseAddr(value)
	case "Source address":
		s.Source, _ = netip.ParseAddr(value)
	case "Hold timer":
		s.HoldLeft, s.HoldTime = timer(value)
	case "Keepalive timer":
		s.KeepaliveLeft, s.KeepaliveTime = timer(value)
	case "Last error":
		s.LastError = value
	case "Message":
		s.Message = value
	case "GR recovery":
		s.Awaited = s.Awaited || strings.Contains(value, "pending")
	case "Routes":
		s.Routes = append(s.Routes, routeCount(s.channel, value))
	}
}

// finished is the session after all its lines.
func (s *sessionParser) finished(now time.Time) SessionState {
	s.SinceTime, s.NoRefresh = sinceTime(s.Since, now), s.opened && !s.refresh
	for i := range s.Routes {
		if s.Routes[i].Family == "" && s.Neighbor.IsValid() {
			s.Routes[i].Family = familyOf(s.Neighbor)
		}
	}
	return s.SessionState
}

// familyOf is the only family of a session of BIRD 1.
func familyOf(neighbor netip.Addr) string {
	if neighbor.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// number is 0 where text is no number of that many bits.
func number(text string, bits int) uint64 {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0
	}
	return n
}

// timer reads "LEFT/WHOLE", in seconds.
func timer(text string) (left, whole time.Duration) {
	l, w, _ := strings.Cut(text, "/")
	return seconds(l), seconds(w)
}

func seconds(text string) time.Duration {
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		return 0
	}
	return d
}

// routeCount reads "2 imported, 1 filtered, 3 exported, 0 preferred".
func routeCount[T string | []byte](channel string, text T) RouteCount {
	r := RouteCount{Family: channel}
	for rest := text; len(rest) > 0; {
		var count, what T
		count, rest = word(rest)
		what, rest = word(rest)
		if n := len(what); n > 0 && what[n-1] == ',' {
			what = what[:n-1]
		}
		n := int(number(string(count), 31))
		switch string(what) {
		case "imported":
			r.Imported = n
		case "exported":
			r.Exported = n
		case "preferred":
			r.Preferred = n
		case "filtered":
			r.Filtered = n
		}
	}
	return r
}

// sinceTime reads a time as BIRD prints it in its rows: with a date, or for the
// last day a time of the day alone, where BIRD's clock is not known to be another one.
func sinceTime(text string, now time.Time) time.Time {
	return Status{}.Moment(text, now)
}

// Timed says that Since is in a format that we know, so that it is another one
// after the session was down.
func (s SessionState) Timed() bool { return !parseTime(s.Since).IsZero() }

// sinceSlack is by how much one session's time may waver.
const sinceSlack = 2 * time.Second

// SameSince says that s has been in its state since the moment that before gives,
// where BIRD's clock was set by stepped meanwhile. It compares what BIRD prints:
// of a session that is a day old that is a date alone.
func (s SessionState) SameSince(before SessionState, stepped time.Duration) bool {
	return sameSince(before.Since, s.Since, stepped)
}

// sameSince says that two texts for when a session came up mean one moment. BIRD
// prints a session's age as a date alone once it is a day old.
func sameSince(was, is string, stepped time.Duration) bool {
	if was == is {
		return true
	}
	before, after := parseTime(was), parseTime(is)
	switch {
	case before.IsZero() || after.IsZero():
		return false
	case !strings.Contains(is, ":"):
		return true // a session that came up a moment ago has a time of the day
	}
	d := (after.Sub(before) - stepped).Abs()
	if before.Year() == 0 && after.Year() == 0 {
		d = min(d, 24*time.Hour-d)
	}
	return d <= sinceSlack
}
