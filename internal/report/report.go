// Package report is what the running program says of itself: for confd status,
// for readiness, and for metrics. The loop makes a new Report whenever something
// in it changes; nobody changes one that was made.
//
// The newest lies as a file in BIRD's folder, with one for its sessions, and so does, as an empty file whose
// name says it all, the approval of what is held. The folder may belong to the user
// that BIRD runs as, who can put there what he likes: links are not followed,
// nothing is opened that could block, and a report is read as one that may be forged,
// but for the program's own (ReadOwn).
package report

import (
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Format is the format of reports that this program writes. It grows where what a report
// has means something else. A file may be of the format after it: see file.go.
const Format = 1

// Report is where the program stands. It has no passwords in it.
type Report struct {
	Format  int       `json:"format"`  // Write fills it in
	Program string    `json:"program"` // the version
	Node    string    `json:"node"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"` // when the report was made

	// Ready is set where every source is in step and BIRD has confirmed every
	// set; NotReady says what is missing, a line each.
	Ready    bool     `json:"ready"`
	NotReady []string `json:"not_ready,omitempty"`

	BIRD    string   `json:"bird,omitempty"` // version that is written for; empty: not known yet
	Sources []Source `json:"sources"`
	Sets    []Set    `json:"sets,omitempty"`
	// Routes are how the routes of each BIRD are; none: nobody looks.
	Routes []Routes `json:"routes,omitempty"`

	// Pending is when the oldest change arrived that is not live yet; zero: all are.
	Pending time.Time `json:"pending,omitzero"`
	// Waiting and Failure say why, where that is so.
	Waiting string `json:"waiting,omitempty"`
	Failure string `json:"failure,omitempty"`
	// Held is a configuration that was kept back; nil: none is.
	Held *Held `json:"held,omitempty"`
	// Tried is what has failed its trial, where that is held besides; nil: nothing is.
	Tried *Held `json:"tried,omitempty"`
	// Lost are sessions that were up before a change, should be up after it, and are
	// not.
	Lost []Lost `json:"lost,omitempty"`
	// Stale is set while BIRD runs on what lay on disk when the program was started.
	Stale *Stale `json:"stale,omitempty"`
	// Templates is what is wrong with changed templates; the old ones are in use.
	Templates string `json:"templates,omitempty"`

	// Problems are what is wrong with objects, sorted. Quarantined are those
	// that BIRD's check refused, and that are left out therefore.
	Problems    []Problem `json:"problems,omitempty"`
	Quarantined []Problem `json:"quarantined,omitempty"`
	// Sessions are those of the configuration that is live, IPv4 first, then by name.
	Sessions []Session `json:"sessions,omitempty"`
	// Blocks are the IPAM blocks of this node.
	Blocks []string `json:"blocks,omitempty"`
	// Full are the pools that run out of blocks, and Borrowed how many addresses this
	// node's workloads have in blocks of other nodes, where the program reads the use of
	// pools.
	Full     []Pool `json:"full,omitempty"`
	Borrowed int    `json:"borrowed,omitempty"`
}

// Pool is an IPPool that runs out of blocks: Taken says how much of it is taken.
type Pool struct {
	Name  string `json:"name"`
	Taken string `json:"taken"`
}

// Says says whether r says what other does, but for when that was, and of which revision.
func (r *Report) Says(other *Report) bool { return reflect.DeepEqual(r.undated(), other.undated()) }

// undated is the report without what changes where nothing else does.
func (r *Report) undated() *Report {
	out := *r
	out.At = time.Time{}
	out.Sources, out.Sets, out.Routes = slices.Clone(r.Sources), slices.Clone(r.Sets), slices.Clone(r.Routes)
	for i := range out.Sources {
		out.Sources[i].Revision = ""
		if s := out.Sources[i].Server; s != nil {
			server := *s
			server.LagSeconds = 0
			out.Sources[i].Server = &server
		}
	}
	for i := range out.Sets {
		out.Sets[i].Revision = ""
	}
	for i := range out.Routes {
		out.Routes[i].At = time.Time{}
	}
	return &out
}

// AllHeld are the changes that are held back, Held first; none where nothing is.
func (r *Report) AllHeld() []*Held {
	return slices.DeleteFunc([]*Held{r.Held, r.Tried}, func(h *Held) bool { return h == nil })
}

// GoesLive says that a change has arrived, no longer than that ago, which nothing keeps
// from going live.
func (r *Report) GoesLive(within time.Duration) bool {
	return !r.Pending.IsZero() && r.At.Sub(r.Pending) < within && r.Waiting == "" && r.Failure == "" && len(r.AllHeld()) == 0
}

// Source is where a source of the cluster's state stands.
type Source struct {
	Name     string    `json:"name"` // etcd, kubernetes, typha, file, workload
	InSync   bool      `json:"in_sync"`
	Since    time.Time `json:"since,omitzero"` // when InSync became so
	Revision string    `json:"revision,omitempty"`
	Error    string    `json:"error,omitempty"`
	// Server is what it reads through; nil: nothing, or it is connected to none.
	Server *Server `json:"server,omitempty"`
}

// Server is a server between a source and its datastore, such as Typha's.
type Server struct {
	Address string    `json:"address"`
	Version string    `json:"version,omitempty"` // as it says itself; empty: it does not
	Since   time.Time `json:"since"`             // when we were connected to it
	// LagSeconds is how much later than it was written its last sign of life came,
	// as far as the clocks of both machines agree.
	LagSeconds float64 `json:"lag_seconds,omitempty"`
}

// String is the server with its version, when we were connected, and its lag.
func (s *Server) String() string {
	if s == nil {
		return ""
	}
	text := s.Address
	if s.Version != "" {
		text += " (" + s.Version + ")"
	}
	text += " since " + s.Since.Format(time.RFC3339)
	if s.LagSeconds > 0 {
		text += fmt.Sprintf(", %.0f s behind", s.LagSeconds)
	}
	return text
}

// Set is where the files of one BIRD stand.
type Set struct {
	Name   string   `json:"name"` // bird, bird6
	Files  []string `json:"files"`
	Socket string   `json:"socket,omitempty"`
	// State is that of BIRD: up, absent (no socket), hung (it takes connections
	// and does not answer), busy (a reconfiguration is under way), restarting,
	// unknown.
	State   string `json:"state"`
	Version string `json:"version,omitempty"` // of the BIRD that runs
	// The hashes of the files: as rendered last, as installed (checked and on
	// disk), and as BIRD has confirmed. In step, the three are the same.
	Rendered  string `json:"rendered,omitempty"`
	Installed string `json:"installed,omitempty"`
	Confirmed string `json:"confirmed,omitempty"`
	// Revision is the datastore's that Confirmed was made from, ConfirmedAt when
	// BIRD confirmed it.
	Revision    string    `json:"revision,omitempty"`
	ConfirmedAt time.Time `json:"confirmed_at,omitzero"`
	// Reconfigured and Rebooted are BIRD's own times of that moment.
	Reconfigured time.Time `json:"reconfigured,omitzero"`
	Rebooted     time.Time `json:"rebooted,omitzero"`
	// TrialEnds is set while the set runs on trial (--guard).
	TrialEnds time.Time `json:"trial_ends,omitzero"`
	// RestartNeeded are settings that BIRD takes only when it starts, in words.
	RestartNeeded []string `json:"restart_needed,omitempty"`
	// Started is what BIRD listened on when it started; nil: not known.
	Started *Listening `json:"started,omitempty"`
	// GivenUp are sessions that BIRD could not listen for; nil: there are none.
	GivenUp *GivenUp `json:"given_up,omitempty"`
	// Error is what went wrong with the set last; empty where it is in step.
	Error string `json:"error,omitempty"`
	// Drifts counts how often something was found changed and put right.
	Drifts int `json:"drifts,omitempty"`
}

// GivenUp are sessions that BIRD has switched off since it could not listen for them.
type GivenUp struct {
	Sessions []string `json:"sessions"`
	Port     uint16   `json:"port"`
	By       string   `json:"by,omitempty"` // who has the port; empty: nobody is seen to
}

// Listening is where a BIRD listens.
type Listening struct {
	Port    uint16 `json:"port,omitempty"`    // 0: 179
	Address string `json:"address,omitempty"` // empty: all
}

// Held is a configuration that was kept back.
type Held struct {
	Hash string `json:"hash"` // of what is held
	// Token names this very hold, which an approval does, too: the same may be held
	// again later, and is another hold then (NewToken).
	Token string    `json:"token,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"` // zero: until it is approved, or the input changes
	Why   string    `json:"why"`
	// Lost are the sessions that are established and would go; Objects are what
	// changed, the likely cause first.
	Lost    []string `json:"lost,omitempty"`
	Objects []string `json:"objects,omitempty"`
	// Notes are what the operator should know besides, a line each.
	Notes []string `json:"notes,omitempty"`
	// Trial is set where it has failed its trial; Failed are the objects that it came
	// from, as they were then.
	Trial  bool      `json:"trial,omitempty"`
	Failed []Version `json:"failed,omitempty"`
}

// Lost is a session that a change has not left up.
type Lost struct {
	Name    string    `json:"name"`
	Set     string    `json:"set"`
	Change  string    `json:"change"` // the hash of what was applied
	At      time.Time `json:"at"`     // when it was
	Because []string  `json:"because,omitempty"`
	Says    string    `json:"says,omitempty"` // what BIRD says of it
}

// Version is an object at some time.
type Version struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Hash      string `json:"hash,omitempty"` // empty: there was none
}

// Stale says how old what BIRD runs is, and why nothing newer does.
type Stale struct {
	Why       string    `json:"why,omitempty"`
	Confirmed time.Time `json:"confirmed"` // when BIRD confirmed it last
	Revision  string    `json:"revision,omitempty"`
}

// Problem is something wrong with an object.
type Problem struct {
	Object  string `json:"object"`
	Code    string `json:"code,omitempty"` // what this kind of problem is called
	Text    string `json:"text"`
	LeftOut bool   `json:"left_out,omitempty"`
	Stale   bool   `json:"stale,omitempty"` // an older version of it is in use than there is
	Place   string `json:"place,omitempty"` // FILE:LINE:COLUMN
}

// Session says why a session exists.
type Session struct {
	Name     string `json:"name"` // BIRD's protocol
	Family   int    `json:"family"`
	Kind     string `json:"kind"` // Mesh, Global, Node, Local_Workload
	Neighbor string `json:"neighbor"`
	Port     uint16 `json:"port,omitempty"`
	AS       uint32 `json:"as"`
	PeerNode string `json:"peer_node,omitempty"`
	Passive  bool   `json:"passive,omitempty"`
	Object   string `json:"object"` // that asks for it, such as BGPPeer rack-1
	Why      string `json:"why"`
}
