package metrics

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"confd/internal/cached"
	"confd/internal/report"
	"confd/reload/control"
)

// How long BIRD's answer is kept, and how long it may take. The limit is well
// below the 10 s in which a scrape must be over.
const (
	keepSessions = 5 * time.Second
	askLimit     = 2 * time.Second
)

// sessions says, when it is asked, how BIRD's sessions are.
type sessions struct {
	gauges
	report     func() *report.Report
	perSession bool
	log        *slog.Logger
	limit      time.Duration // for BIRD's answer
	answers    cached.Answer[[]answer]
}

// answer is what one BIRD said.
type answer struct {
	set  string
	up   bool
	bird []session
}

// session is one BGP session that BIRD has.
type session struct {
	control.SessionState
	family, kind, state string
	peer, peerNode, as  string
}

// labels are those of a session's own metrics.
func (s session) labels(more ...string) []string {
	return append([]string{s.Name, s.family, s.kind, s.peer, s.peerNode, s.as}, more...)
}

func newSessions(o Options, defs definitions) *sessions {
	s := &sessions{report: o.Report, perSession: o.PerSession, log: o.Log, limit: askLimit}
	names := []string{"confd_bird_up", "confd_sessions"}
	if o.PerSession {
		names = append(names, "confd_session_up", "confd_session_state_changed_timestamp_seconds", "confd_session_routes")
	}
	s.gauges = defs.gauges(names...)
	s.answers = cached.Answer[[]answer]{Keep: keepSessions, Ask: s.askAll}
	return s
}

// Collect is the other half of a prometheus.Collector.
func (s *sessions) Collect(ch chan<- prometheus.Metric) {
	send := send(s.sender(ch))
	answers := s.answers.Get()
	for _, a := range answers {
		send("confd_bird_up", number(a.up), a.set)
		if s.perSession {
			for _, b := range a.bird {
				send.session(b)
			}
		}
	}
	send.sessions(answers)
}

// session sends what is known of one session.
func (send send) session(b session) {
	send("confd_session_up", number(b.Established()), b.labels()...)
	if !b.SinceTime.IsZero() {
		send("confd_session_state_changed_timestamp_seconds", float64(b.SinceTime.UnixMilli())/1000, b.labels()...)
	}
	if !b.Established() {
		return
	}
	imported, exported := 0, 0
	for _, r := range b.Routes {
		imported += r.Imported
		exported += r.Exported
	}
	send("confd_session_routes", float64(imported), b.labels("imported")...)
	send("confd_session_routes", float64(exported), b.labels("exported")...)
}

// sessions sends all states of each family and kind that there is a session of.
func (send send) sessions(answers []answer) {
	type group struct{ family, kind string }
	count := map[group]map[string]int{}
	for _, a := range answers {
		for _, b := range a.bird {
			g := group{b.family, b.kind}
			if count[g] == nil {
				count[g] = map[string]int{}
			}
			count[g][b.state]++
		}
	}
	for g, states := range count {
		for _, state := range []string{stateEstablished, stateConnecting, stateIdle, stateDown} {
			send("confd_sessions", float64(states[state]), state, g.family, g.kind)
		}
	}
}

// askAll asks the BIRD of each set of the newest report, all at once.
func (s *sessions) askAll() []answer {
	r := s.report()
	if r == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	known := map[string]report.Session{}
	for _, session := range r.Sessions {
		known[session.Name] = session
	}
	sets := slices.DeleteFunc(slices.Clone(r.Sets), func(set report.Set) bool { return set.Socket == "" })
	answers := make([]answer, len(sets))
	var wg sync.WaitGroup
	for i, set := range sets {
		wg.Go(func() { answers[i] = s.ask(ctx, set, known) })
	}
	wg.Wait()
	return slices.DeleteFunc(answers, func(a answer) bool { return !a.up && !needed(a.set, r) })
}

// needed says whether somebody misses the BIRD of a set: an IPv6 daemon without
// sessions need not be there.
func needed(set string, r *report.Report) bool {
	isIPv6 := func(s report.Session) bool { return s.Family == 6 }
	isAbsent := func(s report.Set) bool { return s.Name == set && s.State == "absent" }
	return set != "bird6" || slices.ContainsFunc(r.Sessions, isIPv6) || !slices.ContainsFunc(r.Sets, isAbsent)
}

func (s *sessions) ask(ctx context.Context, set report.Set, known map[string]report.Session) answer {
	states, err := askBIRD(ctx, set.Socket, s.perSession)
	if err != nil {
		s.log.Debug("BIRD was asked for its sessions, for metrics", "set", set.Name, "error", err)
		return answer{set: set.Name}
	}
	a := answer{set: set.Name, up: true}
	for _, state := range states {
		a.bird = append(a.bird, describe(state, known))
	}
	return a
}

// askBIRD asks for the sessions; details cost BIRD ten times as much.
func askBIRD(ctx context.Context, socket string, details bool) ([]control.SessionState, error) {
	c, err := control.Dial(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if details {
		return c.Sessions(ctx)
	}
	return c.SessionsBrief(ctx)
}

// describe says what a session is: as the report knows it, or else as its name
// says.
func describe(b control.SessionState, known map[string]report.Session) session {
	s := session{SessionState: b, state: stateOf(b.State, b.BGPState), as: asText(b.NeighborAS)}
	if b.Neighbor.IsValid() {
		s.peer = b.Neighbor.String()
	}
	if k, ok := known[b.Name]; ok {
		s.family, s.kind = strconv.Itoa(k.Family), kindOf(k.Kind)
		s.peer, s.peerNode, s.as = k.Neighbor, k.PeerNode, asText(k.AS)
	} else {
		s.family, s.kind = fromName(b.Name)
	}
	return s
}

// asText is an AS number as text; empty where it is not known.
func asText(as uint32) string {
	if as == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(as), 10)
}

// The states that BGP's are summed up in.
const (
	stateEstablished = "established"
	stateConnecting  = "connecting"
	stateIdle        = "idle"
	stateDown        = "down"
)

// stateOf sums up the state of the protocol, and what BGP says of itself.
func stateOf(protocol, bgp string) string {
	switch bgp {
	case "Established":
		return stateEstablished
	case "Connect", "Active", "OpenSent", "OpenConfirm", "Passive":
		return stateConnecting
	case "Idle":
		return stateIdle
	}
	if protocol == "start" {
		return stateConnecting
	}
	return stateDown
}

// fromName guesses family and kind from a name such as Mesh_10_0_0_2: an IPv4
// address is four numbers there.
func fromName(name string) (family, kind string) {
	family, kind = "6", "other"
	rest := name
	for _, k := range kinds() {
		if after, ok := strings.CutPrefix(name, k+"_"); ok {
			rest, kind = after, kindOf(k)
		}
	}
	rest, _, _ = strings.Cut(rest, "_port_")
	words := strings.Split(rest, "_")
	notNumber := func(w string) bool { _, err := strconv.ParseUint(w, 10, 8); return err != nil }
	if kind == "other" || len(words) == 4 && !slices.ContainsFunc(words, notNumber) {
		family = "4"
	}
	return family, kind
}
