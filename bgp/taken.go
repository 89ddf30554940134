package bgp

import (
	"cmp"
	"fmt"
	"net/netip"

	"confd/backends"
)

// bgpPort is where BGP listens where nobody says otherwise (RFC 4271).
const bgpPort = 179

// endpoint is what a session is known by.
type endpoint struct {
	address netip.Addr
	port    uint16
}

func endpointOf(s *Session) endpoint { return endpoint{s.Neighbor, cmp.Or(s.Port, bgpPort)} }

// take has a session's neighbor and port for it, and says whether they were free. Those
// of the mesh are: they come first, and their neighbors are all others.
func (c *computer) take(s *Session) bool {
	if s.Kind == MeshSession && c.meshed {
		return true
	}
	at := endpointOf(s)
	first := c.taken[at]
	if c.claimed != nil {
		c.claimed(s, first)
	}
	var winner backends.Key
	switch {
	case first != nil:
		winner = first.Reason.Object
	case c.meshHas(at):
		winner = c.defaults.ResourceKey()
	}
	if winner != (backends.Key{}) {
		if !s.Reason.Reverse && winner != s.Reason.Object {
			c.lost = append(c.lost, lostSession{s.Reason.Object, winner, s.Name})
		}
		return false
	}
	c.taken[at] = s
	for _, calls := range [][]FilterCall{s.Import, s.Export} {
		for _, call := range calls {
			c.filters[call.Filter] = true
		}
	}
	return true
}

// lostSession is a session that another object's has taken the place of.
type lostSession struct {
	loser, winner backends.Key
	name          string
}

// reportLost reports them: one line for each pair of objects.
func (c *computer) reportLost() {
	type pair struct{ loser, winner backends.Key }
	names := map[pair][]string{}
	for _, l := range c.lost {
		names[pair{l.loser, l.winner}] = append(names[pair{l.loser, l.winner}], l.name)
	}
	for p, sessions := range names {
		more := ""
		if len(sessions) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(sessions)-1)
		}
		c.problem(p.loser, CodeSessionTaken, true, "session %s%s is left out: %s has one with the same neighbor and port", sessions[0], more, p.winner)
	}
}
