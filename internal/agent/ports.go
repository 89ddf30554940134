// Package agent is the loop that keeps this node's BIRD true to what the cluster
// says. One goroutine owns all that is known. It is told what happens (the
// datastore, BIRD, templates, a signal, the clock, and what came of what was to be
// done), passes that to small machines that have no clock and do nothing, and has
// their orders carried out: those about a set of files in that set's lane, one
// after the other, so that no BIRD and no command holds up another set or the loop.
//
// The way of a candidate through it is in conduct.go; what happens when BIRD
// refuses one is in refusal.go, when it is held in judge.go, when it runs on trial in
// trial.go. care.go looks after what runs, startup.go is about what lay on disk
// before.
package agent

import (
	"context"
	"net/netip"
	"os"
	"time"

	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/guard/recall"
	"confd/internal/inbox"
	"confd/internal/onlink"
	"confd/internal/report"
	"confd/internal/routes"
	"confd/reload"
	"confd/reload/control"
)

// Target is the files and the BIRD of one set: what package reload does with them.
// It is used by one goroutine.
type Target interface {
	Check(ctx context.Context, s reload.Set) error
	Apply(ctx context.Context, s reload.Set) (reload.Result, error)
	Reconfigure(ctx context.Context, s reload.Set) (reload.Result, error)
	Trial(ctx context.Context, s reload.Set) (reload.Result, error)
	Verify(ctx context.Context, s reload.Set) (reload.Drift, error)
	Boot(ctx context.Context, r reload.Record, d reload.Daemon) (reload.Result, error)
	Resume(ctx context.Context, r reload.Record, d reload.Daemon) (reload.Result, error)
	Ran(ctx context.Context, s reload.Set, err error) (reload.Result, error)
}

// World is what is around the loop: the node's BIRDs and their folder.
type World interface {
	// Find finds out which BIRD there is, and where.
	Find(ctx context.Context) (birds.Daemons, error)
	// Left reads what a program has left in BIRD's folder that ran here before.
	Left(folder string) Left
	// Target is what is done to a set of that name.
	Target(set string) Target
	// Survey lists the sessions that are established at a control socket; where whole
	// is set with their counts of routes, and the routes that BIRD has. Where only the
	// routes cannot be had the sessions come with the error.
	Survey(ctx context.Context, socket string, whole bool) ([]guard.Seen, []bgp.Route, error)
	// Deaf says which of these sessions, those that are established at a control socket,
	// have a neighbor that cannot send its routes again (true), and which one that can.
	Deaf(ctx context.Context, socket string, sessions []string) (map[string]bool, error)
	// Explain is what the BIRD of a control socket says of why a session is not up.
	Explain(ctx context.Context, socket, session string) (string, error)
	// Routes looks at the routes of the BIRD of a control socket, and at the kernel's.
	Routes(ctx context.Context, q RoutesQuestion) routes.Look
	// Remove takes older routes of BIRD's out of the kernel that stand beside those that
	// it wants now, to the nets of faults, where all is still so; and returns them.
	Remove(ctx context.Context, q RoutesQuestion, faults []routes.Fault) ([]routes.Entry, error)
	// Local are the addresses of this machine's interfaces, without those that mean
	// something on one link only, sorted; nil: not known. same says that the BIRDs of
	// control sockets see none but these.
	Local(ctx context.Context, sockets []string) (addresses []netip.Addr, same bool)
	// Remember writes down what a next program must know, in BIRD's folder.
	Remember(folder string, k Knowledge) error
	// Lock has BIRD's folder for this program alone, until it ends.
	Lock(folder string) error
	// Watch sends an event whenever the BIRD of a control socket comes or goes,
	// until ctx ends.
	Watch(ctx context.Context, socket string, out chan<- control.Event)
	// Networks has the BIRD of a control socket keep the IPv6 networks of interfaces
	// whose names match BIRD's patterns, and says what was done for that.
	Networks(ctx context.Context, socket string, patterns []string) ([]onlink.Change, error)
	// Listen has a BIRD take up the sessions again that it could not listen for, where
	// the way is free. siblings are the sockets of all of the node's BIRDs, at says where
	// it listens for a session; false: that is not one of ours.
	Listen(ctx context.Context, socket string, siblings []string, at func(session string) (netip.AddrPort, bool)) (Heard, error)
	// Run runs reload commands.
	Run(ctx context.Context, commands []string) error
	// Approved says whether what has that token was approved in BIRD's folder, and
	// Forget takes all approvals away.
	Approved(folder, token string) bool
	Forget(folder string)
}

// RoutesQuestion is what is asked of routes.
type RoutesQuestion struct {
	Socket string
	Want   routes.Want
	// Whole lists are read in any case; else where the signature is another than Before.
	Whole  bool
	Before routes.Signature
	// Turn counts looks: not every one asks the same sessions what they are told; but
	// those of Again each one does.
	Turn  int
	Again []string
}

// Left is what lies in BIRD's folder at a start.
type Left struct {
	Report  *report.Report // of the program that ran here before; nil: none
	Records []reload.Record
	Knowledge
	Err error // why some of it could not be read
}

// Knowledge is what a program knows that the next one must.
type Knowledge struct {
	Memory *recall.Memory         `json:"memory"` // nil: none
	Salt   outline.Salt           `json:"salt"`   // of Memory
	Stores map[string]inbox.Store `json:"stores,omitempty"`
	Disk   string                 `json:"disk"` // names the sets that lie on disk for BIRDs, of which Memory is
}

// Children are the BIRDs that the program runs itself.
type Children interface {
	// Prepare has them ready, whose control sockets these are.
	Prepare(sockets []string) error
	// InPlace says that the files are there of the BIRDs with these sockets; without
	// any, of all.
	InPlace(sockets ...string)
	// Has says whether the BIRD of a socket is one of them.
	Has(socket string) bool
	// Signal passes a signal on.
	Signal(s os.Signal)
}

// Action is what is done to a set.
type Action string

// The actions.
const (
	Check       Action = "check"       // stage it, and check it as a whole
	Apply       Action = "apply"       // install it where it is not, and have BIRD read it
	Reconfigure Action = "reconfigure" // have BIRD read what is on disk
	Look        Action = "look"        // at how its trial goes
	Verify      Action = "verify"      // look whether all is as it was left
	Mend        Action = "mend"        // put right what is not
	Boot        Action = "boot"        // have BIRD use what lay on disk before
	Resume      Action = "resume"      // go on with a trial from before
	Ran         Action = "ran"         // note that its reload commands have run
)

// Reason is what an order is for, and so who is told what came of it.
type Reason string

// The reasons.
const (
	ForRollout Reason = "rollout"
	ForTrial   Reason = "trial"
	ForCare    Reason = "care"
	ForRetell  Reason = "retell"
	ForStart   Reason = "start"
	ForReturn  Reason = "return"
	ForCommand Reason = "command"
)

// Order is something to be done to a set.
type Order struct {
	Action Action
	For    Reason
	Set    reload.Set
	// Tell has Apply tell BIRD also where nothing is to be installed. Again: the set
	// should be in place already.
	Tell, Again bool
	// Found is what Mend puts right.
	Found reload.Drift
	// Loud: that Mend fails is news.
	Loud bool
	// Record and Daemon are for Boot and Resume.
	Record reload.Record
	Daemon reload.Daemon
	// Err is how reload commands went, for Ran.
	Err error
}

// Done is what came of an Order.
type Done struct {
	Order
	Result reload.Result
	Drift  reload.Drift
	Err    error
}

// tick is how often the loop turns where nothing happens: it looks at a trial, at
// what was approved, and whether all is as it was left.
const tick = 250 * time.Millisecond
