package bgp

import (
	"net/netip"
	"slices"
)

// sharedNeighbors reports those of a family's sessions that wait for a neighbor to
// connect with which there is another session, on another port. BIRD knows by the
// address alone whose a connection is, and gives them all to one of the sessions: in
// BIRD 1 and 2 the first by name, in BIRD 3 the one that it knew first.
func (c *computer) sharedNeighbors(sessions []*Session) {
	for _, group := range sharing(sessions) {
		// The first is the one that is not complained of: nobody can take a session of the
		// mesh out alone.
		if i := slices.IndexFunc(group, func(s *Session) bool { return s.Kind == MeshSession }); i > 0 {
			group[0], group[i] = group[i], group[0]
		}
		waiting := slices.DeleteFunc(slices.Clone(group), func(s *Session) bool { return !s.Passive })
		if len(waiting) == 1 {
			c.mayWaitInVain(waiting[0], group)
		}
		for i, s := range waiting {
			if first := waiting[0]; i > 0 {
				c.problem(s.Reason.Object, CodeSharedNeighbor, false, "session %s waits for %s to connect, as session %s (%s) does on another port: BIRD gives all its connections to one of them, so only one can be up",
					s.Name, s.Neighbor, first.Name, first.Reason.Object)
			}
		}
	}
}

// mayWaitInVain reports the one session of a group that waits for its neighbor.
func (c *computer) mayWaitInVain(s *Session, group []*Session) {
	other := group[0]
	if other == s {
		other = group[1]
	}
	object := s.Reason.Object
	if s.Kind == MeshSession {
		object = other.Reason.Object
	}
	c.problem(object, CodeSharedNeighbor, false, "session %s waits for %s to connect, and BIRD may take its connections for those of session %s (%s), on another port: then it cannot come up",
		s.Name, s.Neighbor, other.Name, other.Reason.Object)
}

// sharing are the sessions with neighbors with which there are several, those with each
// neighbor together, in the order of sessions.
func sharing(sessions []*Session) map[netip.Addr][]*Session {
	count := map[netip.Addr]int{}
	for _, s := range sessions {
		if s.Kind != MeshSession { // those are with others each, and many
			count[s.Neighbor]++
		}
	}
	if len(count) == 0 {
		return nil
	}
	for _, s := range sessions {
		if n := count[s.Neighbor]; n > 0 && s.Kind == MeshSession {
			count[s.Neighbor] = n + 1
		}
	}
	out := map[netip.Addr][]*Session{}
	for _, s := range sessions {
		if count[s.Neighbor] > 1 {
			out[s.Neighbor] = append(out[s.Neighbor], s)
		}
	}
	return out
}
