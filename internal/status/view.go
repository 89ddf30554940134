package status

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"confd/internal/report"
	"confd/reload/control"
)

// View is how things stand. Its JSON names stay as they are.
type View struct {
	At time.Time `json:"at"`
	// AllUp: BIRD runs, every session that should be up is, and nothing is known to be
	// wrong with routes. Where there is a report that cannot be read nobody knows which
	// these are.
	AllUp bool `json:"all_up"`
	// Program is running, not seen (it ended, or runs in another container), or
	// no report.
	Program  string    `json:"program"`
	BIRDs    []BIRD    `json:"birds"`
	Sessions []Session `json:"sessions"` // by family, then by address
	Warnings []Warning `json:"warnings"`
	// Report is what the program last said of itself; nil: nothing.
	Report *report.Report `json:"report,omitempty"`
}

// What View.Program can be.
const (
	ProgramRuns    = "running"
	ProgramNotSeen = "not seen"
	NoReport       = "no report"
)

// BIRD is how one of the daemons is.
type BIRD struct {
	Name   string `json:"name"`
	Socket string `json:"socket"`
	// State is up, absent (it is not running), hung (it does not answer), or
	// unreachable (Error says why).
	State string `json:"state"`
	Error string `json:"error,omitempty"`
	// Needed: there are sessions that it should have.
	Needed       bool      `json:"needed"`
	Version      string    `json:"version,omitempty"`
	Doing        string    `json:"doing,omitempty"` // in BIRD's words, where it does not just run
	RouterID     string    `json:"router_id,omitempty"`
	Rebooted     time.Time `json:"rebooted,omitzero"`
	Reconfigured time.Time `json:"reconfigured,omitzero"`
	// InStep: what it runs is what it should run, as far as the report says.
	InStep bool `json:"in_step"`
}

// Session is how one session is.
type Session struct {
	Name     string `json:"name"`
	BIRD     string `json:"bird"` // that has it, or should have
	Family   int    `json:"family"`
	Kind     string `json:"kind"`      // Mesh, Global, Node, Local_Workload, or empty
	PeerType string `json:"peer_type"` // the same in words
	Peer     string `json:"peer"`      // address
	Port     uint16 `json:"port,omitempty"`
	AS       uint32 `json:"as,omitempty"`
	LocalAS  uint32 `json:"local_as,omitempty"`
	PeerNode string `json:"peer_node,omitempty"`
	Object   string `json:"object,omitempty"` // that asks for it
	Why      string `json:"why,omitempty"`
	// Expected: the program's configuration has it. Foreign: BIRD has it from
	// somewhere else. Required: AllUp needs it.
	Expected bool `json:"expected"`
	Foreign  bool `json:"foreign"`
	Required bool `json:"required"`
	Up       bool `json:"up"`
	// State is BIRD's (up, start, down, ...), or missing, or unknown where BIRD
	// cannot be asked.
	State     string `json:"state"`
	BGPState  string `json:"bgp_state,omitempty"`
	Since     string `json:"since,omitempty"` // as BIRD prints it
	Info      string `json:"info,omitempty"`
	LastError string `json:"last_error,omitempty"`
	Message   string `json:"message,omitempty"` // of the peer's operator
	Meaning   string `json:"meaning,omitempty"` // in words, why it is not up
	// Wrong is what is wrong with its routes, or keeps it down on this side.
	Wrong  []string `json:"wrong,omitempty"`
	Source string   `json:"source,omitempty"`
	PeerID string   `json:"peer_id,omitempty"` // router ID
	// Seconds.
	HoldTime      float64  `json:"hold_time,omitempty"`
	KeepaliveTime float64  `json:"keepalive_time,omitempty"`
	Routes        []Routes `json:"routes,omitempty"`
}

// Routes counts the routes of one address family.
type Routes struct {
	Family    string `json:"family"`
	Imported  int    `json:"imported"`
	Exported  int    `json:"exported"`
	Preferred int    `json:"preferred"`
	Filtered  int    `json:"filtered"`
}

// States that BIRD has no word for.
const (
	missing = "missing"
	unknown = "unknown"
)

// observed is all that a View is made from.
type observed struct {
	now         time.Time
	report      *report.Report
	reportError error
	programSeen bool
	birds       []daemon
}

// daemon is what one BIRD said; err: it could not be asked.
type daemon struct {
	name, socket string
	status       control.Status
	sessions     []control.SessionState
	err          error
}

// view puts together what is and what should be.
func (o observed) view() *View {
	v := &View{At: o.now, Program: NoReport, Report: o.report, BIRDs: []BIRD{}, Sessions: []Session{}, Warnings: []Warning{}}
	if o.report != nil {
		v.Program = ProgramNotSeen
		if o.programSeen {
			v.Program = ProgramRuns
		}
	}
	v.Sessions = append(v.Sessions, o.sessions()...)
	for _, d := range o.birds {
		v.BIRDs = append(v.BIRDs, o.bird(d, v.Sessions))
	}
	o.faulty(v.Sessions)
	v.AllUp = o.reportError == nil && allUp(v) && o.routesRight()
	v.Warnings = append(v.Warnings, o.warnings(v)...)
	return v
}

func allUp(v *View) bool {
	some := false
	for _, b := range v.BIRDs {
		some = some || b.State == "up"
		if b.State != "up" && (b.Needed || b.State != "absent") {
			return false
		}
	}
	return some && !slices.ContainsFunc(v.Sessions, func(s Session) bool { return s.Required && !s.Up })
}

// knowsSessions says whether the report tells which sessions there should be:
// before something was confirmed it does not.
func (o observed) knowsSessions() bool {
	if o.report == nil {
		return false
	}
	confirmed := slices.ContainsFunc(o.report.Sets, func(s report.Set) bool { return s.Confirmed != "" })
	return len(o.report.Sessions) > 0 || confirmed && o.report.Stale == nil
}

func (o observed) sessions() []Session {
	type key struct{ bird, name string }
	found := map[key]control.SessionState{}
	for _, d := range o.birds {
		for _, s := range d.sessions {
			found[key{d.name, s.Name}] = s
		}
	}
	var list []Session
	if o.knowsSessions() {
		for _, want := range o.report.Sessions {
			s := o.absentSession(want)
			for _, d := range o.birds {
				if has, ok := found[key{d.name, want.Name}]; ok {
					// BIRD 1.6 does not say the port, and a brief list neither of them.
					has.NeighborPort, has.NeighborAS = cmp.Or(has.NeighborPort, want.Port), cmp.Or(has.NeighborAS, want.AS)
					has.Neighbor = cmp.Or(has.Neighbor, addr(want.Neighbor))
					s = fromBIRD(d.name, has)
					delete(found, key{d.name, want.Name})
				}
			}
			list = append(list, s.expected(want))
		}
	}
	for k, has := range found {
		has.NeighborPort = cmp.Or(has.NeighborPort, portInName(has.Name))
		s := fromBIRD(k.bird, has)
		s.Foreign = o.knowsSessions()
		s.Required = !s.Foreign && s.Kind != localWorkload
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), addr(a.Peer).Compare(addr(b.Peer)),
			strings.Compare(a.Name, b.Name), strings.Compare(a.BIRD, b.BIRD))
	})
	return list
}

// addr is not valid, and so comes first, where text is no address.
func addr(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}

// absentSession is for a session that BIRD does not have, or cannot be asked for.
func (o observed) absentSession(want report.Session) Session {
	s := Session{State: missing, Info: "BIRD does not have it"}
	for _, d := range o.birds {
		if !d.serves(want.Family, len(o.birds)) {
			continue
		}
		s.BIRD = d.name
		if d.err != nil {
			s.State, s.Info = unknown, d.name+" "+stateWord(d.err)
		}
	}
	return s
}

// serves says whether the daemon is the one for sessions of that family.
func (d daemon) serves(family, daemons int) bool {
	return daemons == 1 || (d.name == "bird6") == (family == 6)
}

// fromBIRD is a session as BIRD has it.
func fromBIRD(bird string, s control.SessionState) Session {
	out := Session{
		Name: s.Name, BIRD: bird, Family: 4, Kind: kindOf(s.Name), Port: s.NeighborPort, AS: s.NeighborAS, LocalAS: s.LocalAS,
		Up: s.Established(), State: s.State, BGPState: s.BGPState, Since: s.Since, Info: s.Info,
		LastError: s.LastError, Message: s.Message, Meaning: Meaning(s),
		Peer: text(s.Neighbor), Source: text(s.Source), PeerID: text(s.NeighborID),
		HoldTime: s.HoldTime.Seconds(), KeepaliveTime: s.KeepaliveTime.Seconds(),
	}
	if s.Neighbor.Is6() || !s.Neighbor.IsValid() && bird == "bird6" {
		out.Family = 6
	}
	out.PeerType = peerType(out.Kind)
	for _, r := range s.Routes {
		out.Routes = append(out.Routes, Routes(r))
	}
	return out
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// expected adds what the report says of the session.
func (s Session) expected(want report.Session) Session {
	s.Name, s.Family, s.Kind = want.Name, want.Family, cmp.Or(want.Kind, kindOf(want.Name))
	s.Peer, s.Port, s.AS = want.Neighbor, cmp.Or(want.Port, s.Port), cmp.Or(s.AS, want.AS)
	s.PeerNode, s.Object, s.Why = want.PeerNode, want.Object, want.Why
	s.PeerType = peerType(s.Kind)
	s.Expected, s.Required = true, s.Kind != localWorkload
	return s
}

const localWorkload = "Local_Workload"

// kindOf reads the start of a session's name.
func kindOf(name string) string {
	for _, kind := range []string{"Mesh", "Global", "Node", localWorkload} {
		if strings.HasPrefix(name, kind+"_") {
			return kind
		}
	}
	return ""
}

// portInName reads the end of a session's name; 0: there is no port in it.
func portInName(name string) uint16 {
	_, text, _ := strings.Cut(name, "_port_")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(port)
}

// peerType is how calicoctl calls a kind of session.
func peerType(kind string) string {
	switch kind {
	case "Mesh":
		return "node-to-node mesh"
	case "Global":
		return "global"
	case "Node":
		return "node specific"
	case localWorkload:
		return "local workload"
	}
	return "other"
}

// bird says how a daemon is, given the sessions that there should be.
func (o observed) bird(d daemon, sessions []Session) BIRD {
	b := BIRD{Name: d.name, Socket: d.socket, State: state(d.err)}
	b.Needed = len(o.birds) == 1 || slices.ContainsFunc(sessions, func(s Session) bool {
		return s.Required && s.BIRD == d.name
	})
	if set := o.set(d.name); set != nil {
		b.InStep = set.Confirmed != "" && set.Confirmed == set.Installed && set.Confirmed == set.Rendered && o.report.Held == nil
	}
	if d.err != nil {
		b.Error = d.err.Error()
		return b
	}
	b.Version, b.RouterID = d.status.Version, text(d.status.RouterID)
	if d.status.InProgress() || d.status.ShuttingDown() {
		b.Doing = d.status.State
	}
	b.Rebooted, b.Reconfigured = d.status.LastReboot, d.status.LastReconfiguration
	return b
}

// set is what the report says of a daemon's files; nil where it says nothing.
func (o observed) set(name string) *report.Set {
	if o.report == nil {
		return nil
	}
	for i, s := range o.report.Sets {
		if s.Name == name {
			return &o.report.Sets[i]
		}
	}
	return nil
}

func state(err error) string {
	switch {
	case err == nil:
		return "up"
	case errors.Is(err, control.ErrNotRunning):
		return "absent"
	case errors.Is(err, control.ErrHung):
		return "hung"
	}
	return "unreachable"
}

// stateWord completes a sentence that starts with the daemon's name.
func stateWord(err error) string {
	switch state(err) {
	case "absent":
		return "is not running"
	case "hung":
		return "does not answer"
	}
	return "cannot be asked"
}
