package control

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseSessions reads the rows of BGP protocols, and their details.
func parseSessions(reply Reply) []SessionState {
	list := make([]SessionState, 0, reply.rows())
	var session *sessionParser // of the row that details belong to; nil: no BGP
	finish := func() {
		if session != nil {
			list = append(list, session.finished())
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
func (s *sessionParser) finished() SessionState {
	s.NoRefresh = s.opened && !s.refresh
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
