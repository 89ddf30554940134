package status

import (
	"fmt"
	"strings"

	"confd/reload/control"
)

// ErrorText is what one of BIRD's last errors means. In Words, {peer} is the
// peer's address, {port} its port, {as} its AS number as it is configured here,
// and {local} this node's AS number.
type ErrorText struct{ BIRD, Words string }

// noAnswer is also what a session without an error suffers from.
const noAnswer = "no answer from {peer}: the peer or the way there is down, a firewall drops TCP port {port}, or the passwords differ (a wrong password gets no answer)"

// ErrorTexts lists the last errors of BIRD 1.6, 2 and 3 that have a meaning of
// their own. "BGP Error" is what this node found and told the peer, "Received"
// what the peer found.
func ErrorTexts() []ErrorText {
	return []ErrorText{
		{"Socket: Connection refused", "nobody listens at {peer} on port {port}: BIRD is not running there, its session is switched off, or it listens on another address or port"},
		{"Socket: Connection timed out", noAnswer},
		{"Socket: No route to host", "{peer} cannot be reached: nothing on its network has that address, or a router or firewall refuses"},
		{"Socket: Network is unreachable", "this node has no route to {peer}"},
		{"Socket: Connection reset by peer", "the peer ends the connection at once: it has no session with this node's address, or it waits after an error (such as a wrong AS number); its log says which"},
		{"Socket: Connection closed", "the peer closed the connection: it was stopped, has no session with this node's address, or waits after an error (such as a wrong AS number); its log says which. BIRD says so, too, where it could not open the connection itself: where that is known, it is said instead"},
		{"Socket: Cannot assign requested address", "this node does not have the address that the session is to come from"},
		{"Socket: Invalid argument", "this node's kernel has a blackhole route to {peer}, or the session's source address does not fit"},
		{"Socket: Operation not permitted", "this node's own firewall does not let the connection out"},
		{"Socket: Permission denied", "this node's own firewall or security policy does not let the connection out"},

		{"BGP Error: Hold timer expired", "nothing was heard from the peer for the whole hold time: it or the link died, or one of the two had no time for BGP"},
		{"BGP Error: Send hold timer expired", "the peer took no data for too long: it hangs, or the link loses large packets"},
		{"BGP Error: Bad peer AS", "wrong AS number: the peer's is not {as}, which is expected here"},
		{"BGP Error: Bad BGP identifier", "the peer's router ID is the same as this node's, or not valid"},
		{"BGP Error: Authentication failure", "the peer did not authenticate as it should"},
		{"BGP Error: Unacceptable hold time", "the peer asks for a hold time that is not allowed here"},
		{"BGP Error: Required capability missing", "the peer lacks a BGP capability that the session needs"},
		{"BGP Error: No supported AFI/SAFI", "the peer does not speak any of the session's address families"},
		{"BGP Error: Role mismatch", "the BGP roles of the two sides do not fit"},

		{"Received: Hold timer expired", "the peer heard nothing from this node for the whole hold time: the link died, or one of the two had no time for BGP"},
		{"Received: Bad peer AS", "wrong AS number: the peer expects another one than this node's ({local})"},
		{"Received: Bad BGP identifier", "this node's router ID is the same as the peer's, or the peer takes it for invalid"},
		{"Received: Authentication failure", "the peer says that this node did not authenticate as it should"},
		{"Received: Unacceptable hold time", "the peer does not allow the hold time that is set here"},
		{"Received: No supported AFI/SAFI", "the peer does not speak any of the session's address families"},
		{"Received: Maximum number of prefixes reached", "the peer takes fewer routes than this node tells it"},
		{"Received: Administrative shutdown", "the session was switched off at the peer, or BIRD was stopped there"},
		{"Received: Peer de-configured", "the peer's configuration has no session with this node any more"},
		{"Received: Administrative reset", "the session was restarted at the peer"},
		{"Received: Connection rejected", "the peer takes no connection now: the session is switched off there, or still starting or ending"},
		{"Received: Other configuration change", "the peer's configuration changed; the session starts anew"},
		{"Received: Connection collision resolution", "both sides connected at the same time, and one connection was given up: no fault, unless it stays"},
		{"Received: Out of Resources", "the peer is short of memory or of another resource"},

		{"Error: Neighbor lost", "the network interface or address of this node through which {peer} was reached is gone"},
		{"Error: Link down", "the network interface to {peer} is down"},
		{"Error: BFD session down", "BFD found that {peer} is not reached any more"},
		{"Error: Invalid next hop", "BIRD has no address of its own that it could give the peer as next hop"},
		{"Error: Kernel MD5 auth failed", "this node's kernel did not take the session's password: it lacks TCP MD5"},
		{"Error: No listening socket", "BIRD cannot listen on its BGP port: another program has it, or BIRD may not"},
		{"Automatic shutdown: Route limit exceeded", "the peer told more routes than the session's limit, so BIRD switched the session off: `birdc enable` starts it again"},
	}
}

// Meaning says in words why a session is not up; empty where it is, and where
// nothing can be said.
func Meaning(s control.SessionState) string {
	if s.Established() {
		return ""
	}
	words := stateWords(s.BGPState)
	if s.LastError != "" {
		words = errorWords(s.LastError)
	}
	words = fill(words, s)
	if s.Message != "" {
		words += fmt.Sprintf("; the peer's operator says %q", s.Message)
	}
	return words
}

func errorWords(lastError string) string {
	for _, e := range ErrorTexts() {
		if e.BIRD == lastError {
			return e.Words
		}
	}
	// Any other text can come after a known start.
	class, text, _ := strings.Cut(lastError, ": ")
	switch class {
	case "BGP Error":
		return "this node ended the session, because of what the peer sent: " + text
	case "Received":
		return "the peer ended the session: " + text
	case "Socket":
		return "the connection to {peer} failed: " + text
	}
	return ""
}

// stateWords is for sessions without an error.
func stateWords(state string) string {
	switch state {
	case "Down":
		return "switched off: by `birdc disable`, or in the configuration"
	case "Passive":
		return "waits for the peer to connect"
	case "Idle":
		return "does not try yet: BIRD has just started, or {peer} is on no network of this node"
	case "Connect":
		return noAnswer
	case "Active":
		return "about to connect"
	case "OpenSent":
		return "connected, but the peer has not introduced itself yet"
	case "OpenConfirm":
		return "coming up"
	case "Close":
		return "going down"
	}
	return ""
}

func fill(words string, s control.SessionState) string {
	peer, port, as, local := "the peer", "179", "the one", "not known"
	if s.Neighbor.IsValid() {
		peer = s.Neighbor.String()
	}
	if s.NeighborPort != 0 {
		port = fmt.Sprint(s.NeighborPort)
	}
	if s.NeighborAS != 0 {
		as = fmt.Sprint(s.NeighborAS)
	}
	if s.LocalAS != 0 {
		local = fmt.Sprint(s.LocalAS)
	}
	return strings.NewReplacer("{peer}", peer, "{port}", port, "{as}", as, "{local}", local).Replace(words)
}
