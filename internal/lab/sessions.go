package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/reload/control"
)

// Sessions are the BGP sessions of the host's BIRDs, by name.
func (h *Host) Sessions() (map[string]control.SessionState, error) {
	sessions := map[string]control.SessionState{}
	err := h.ask(func(ctx context.Context, c *control.Client) error {
		list, err := c.Sessions(ctx)
		for _, s := range list {
			sessions[s.Name] = s
		}
		return err
	})
	return sessions, err
}

// wantSessions says what keeps the host from having these sessions, all
// established, and no others.
func (h *Host) wantSessions(names []string) error {
	sessions, err := h.Sessions()
	if err != nil {
		return err
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(sessions)) {
		switch s := sessions[name]; {
		case !slices.Contains(names, name):
			wrong = append(wrong, name+" should not be there")
		case !s.Established():
			wrong = append(wrong, fmt.Sprintf("%s is %s (%s)", name, s.BGPState, s.LastError))
		}
	}
	for _, name := range names {
		if _, ok := sessions[name]; !ok {
			wrong = append(wrong, name+" is missing")
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s: %s", h.Name, strings.Join(wrong, ", "))
	}
	return nil
}

// AwaitSessions waits until the host has these sessions, all established, and no
// others.
func (h *Host) AwaitSessions(names ...string) {
	h.lab.tb.Helper()
	h.lab.Await("sessions of "+h.Name, func() error { return h.wantSessions(names) })
}

// AwaitMesh waits until each of the hosts has an established session with each
// other one, in each family that both have, and no other session.
func (l *Lab) AwaitMesh(hosts ...*Host) {
	l.tb.Helper()
	for _, h := range hosts {
		h.AwaitSessions(h.SessionsWith("Mesh", hosts...)...)
	}
}

// AwaitReflectors waits until each of the clients has an established session with
// each reflector, and each reflector with all others, and there is no other session.
func (l *Lab) AwaitReflectors(reflectors, clients []*Host) {
	l.tb.Helper()
	for _, c := range clients {
		c.AwaitSessions(c.SessionsWith("Node", reflectors...)...)
	}
	for _, r := range reflectors {
		r.AwaitSessions(r.SessionsWith("Node", slices.Concat(reflectors, clients)...)...)
	}
}

// AwaitDown waits until none of the sessions is established.
func (h *Host) AwaitDown(names ...string) {
	h.lab.tb.Helper()
	h.lab.Await("sessions of "+h.Name+" to end", func() error {
		sessions, err := h.Sessions()
		for _, name := range names {
			if sessions[name].Established() {
				return fmt.Errorf("%s is established", name)
			}
		}
		return err
	})
}

// SessionsWith are the names of the host's sessions with the others, "Mesh" or
// "Node", in each family that both have.
func (h *Host) SessionsWith(kind string, others ...*Host) []string {
	var names []string
	for _, o := range others {
		if o == h {
			continue
		}
		if h.Node.IPv4.IsValid() && o.Node.IPv4.IsValid() {
			names = append(names, SessionName(kind, o.Node.IPv4.Addr().String()))
		}
		if h.Node.IPv6.IsValid() && o.Node.IPv6.IsValid() {
			names = append(names, SessionName(kind, o.Node.IPv6.Addr().String()))
		}
	}
	return names
}

// AwaitPeerAS waits until each of the host's sessions is with this AS, and
// established.
func (h *Host) AwaitPeerAS(as uint32) {
	h.lab.tb.Helper()
	h.lab.Await(fmt.Sprintf("sessions of %s with AS %d", h.Name, as), func() error {
		sessions, err := h.Sessions()
		for name, s := range sessions {
			if s.NeighborAS != as || !s.Established() {
				return fmt.Errorf("%s is with AS %d and %s", name, s.NeighborAS, s.BGPState)
			}
		}
		return err
	})
}

// SessionName is what a session with that address is called: kind is Mesh, Node
// or Global.
func SessionName(kind, address string) string {
	return kind + "_" + strings.NewReplacer(".", "_", ":", "_").Replace(address)
}

// Moment is the state of all sessions of a lab at one time.
type Moment struct {
	lab      *Lab
	sessions map[*Host]map[string]control.SessionState
	// connections tell a session from a later one: times of BIRD's do not, as they waver
	// (BIRD 1 prints seconds), and a session can be up again in less.
	connections map[*Host]map[ends][]connection
}

// Moment records all sessions that are established now.
func (l *Lab) Moment() *Moment {
	l.tb.Helper()
	m := &Moment{l, map[*Host]map[string]control.SessionState{}, map[*Host]map[ends][]connection{}}
	for _, h := range l.Hosts {
		sessions, err := h.Sessions()
		if err == nil {
			m.connections[h], err = h.connections()
		}
		if err != nil {
			l.tb.Fatal(err)
		}
		maps.DeleteFunc(sessions, func(_ string, s control.SessionState) bool { return !s.Established() })
		m.sessions[h] = sessions
	}
	return m
}

// IsAnother says whether a session that was established then has been up anew since.
func (m *Moment) IsAnother(h *Host, session string) (bool, error) {
	sessions, err := h.Sessions()
	if err != nil {
		return false, err
	}
	open, err := h.connections()
	is := sessions[session]
	return is.Established() && m.isAnother(h, m.sessions[h][session], is, open), err
}

// isAnother says whether a session, now with connections open, is not the one that it
// was. Where none was known for sure (another port, or two sessions between the same
// addresses) it goes by BIRD's times, to 2 seconds.
func (m *Moment) isAnother(h *Host, was, is control.SessionState, open map[ends][]connection) bool {
	e := ends{was.Source.WithZone(""), was.Neighbor.WithZone("")}
	if before := m.connections[h][e]; len(before) == 1 {
		return !slices.Contains(open[e], before[0])
	}
	return !is.SameSince(was, 0)
}

// NoFlap fails the test where a session that was established then is not, or has
// been down in between. Those of which concerned says so may have been: the change
// was about them.
func (m *Moment) NoFlap(concerned func(h *Host, session string) bool) {
	m.lab.tb.Helper()
	for h, before := range m.sessions {
		now, err := h.Sessions()
		if err != nil {
			m.lab.tb.Error(err)
		}
		open, err := h.connections()
		if err != nil {
			m.lab.tb.Error(err)
		}
		for name, was := range before {
			if concerned != nil && concerned(h, name) {
				continue
			}
			if is, ok := now[name]; !ok || !is.Established() || m.isAnother(h, was, is, open) {
				m.lab.tb.Errorf("%s: session %s flapped: established since %s, now %s since %s (%s)", h.Name, name, was.Since, is.BGPState, is.Since, is.LastError)
			}
		}
	}
}
