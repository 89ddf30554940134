// Package guard is the judgement on a candidate: may it go live, and which
// sessions must stay up while it is on trial.
//
// It is pure. All that it goes by comes in as a Question, the time too, and a
// Verdict comes out; nothing is read or kept, and there are no errors: what is not
// known is part of the question.
package guard

import (
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
)

// DefaultWindow is for how long a session counts as established after it was.
const DefaultWindow = 5 * time.Minute

// Question is what the judgement goes by.
type Question struct {
	// Node is this node's name in Calico, Now the time, BIRD its major version.
	Node string
	Now  time.Time
	BIRD int
	// Window is for how long a session counts as established after it was; 0:
	// DefaultWindow.
	Window time.Duration
	// Running is what BIRD has confirmed; nil: not known. Where only its text is
	// (it was there before this program), its Config and State are nil.
	Running *Side
	// Candidate is what is judged: its Config and State are known.
	Candidate Side
	// OtherTemplates is set where the two were made with different templates: what
	// differs then is told from their texts.
	OtherTemplates bool
	// Seen is what is known of the sessions of all BIRDs: those that are
	// established, and those that were within the window at least.
	Seen []Seen
	// Held is what is held back now, or was when the program ended that ran here
	// before; nil: nothing. The sessions that it takes away count as established
	// for as long as it is: that they are down is no approval.
	Held *Held
	// Approved are the IDs of holds that somebody has approved.
	Approved []string
}

// Side is a configuration of this node, and what it was made from. Nobody
// changes what it points to.
type Side struct {
	Config *bgp.Config
	State  *backends.State
	// Hash names the files: where it is the same, they are.
	Hash string
	// Sets are the files' text. It is looked at only where nothing else tells what
	// differs; nil: not known.
	Sets []birdtext.Set
}

// Seen is what is known of one session.
type Seen struct {
	// Name is BIRD's protocol, Set the set of files of the BIRD that has it.
	Name, Set string
	// Established: it is now.
	Established bool
	// Last is when it was last seen so; it does not matter where it is now.
	Last time.Time
}

// Held is a candidate that is held back.
type Held struct {
	ID   string
	Lost []string // Verdict.Lost
}

// Verdict is the judgement.
type Verdict struct {
	// Same: the candidate is what runs. There is nothing to judge, or to watch.
	Same bool
	// Held: it must not go live, unless somebody approves ID.
	Held bool
	// Approved: it would be held, but for that.
	Approved bool
	// ID names what is held: the same loss has the same ID, whatever else changes.
	ID string
	// Why says in one line what the candidate would do, Objects what changed and
	// may be the reason, the likely cause first, one line each.
	Why     string
	Objects []string
	// Lost are the sessions that count as established and would be gone, sorted.
	Lost []string
	// Changes are what the candidate does differently, Known whether that is known
	// of all sets.
	Changes bgp.Changes
	Known   bool
	// Watch says, by set, what a trial of the candidate goes by. A set that is
	// missing cannot be tried: nobody knows what was there before.
	Watch map[string]Watch
}

// Watch are the sessions of one set that a trial is judged on.
type Watch struct {
	// Stay are the sessions that the candidate leaves as they are and can bring
	// down all the same (bgp.Touched): they are established, and must stay up.
	Stay []string
	// Return are the sessions that it remakes by intent: they are established, and
	// must be again when the trial ends.
	Return []string
}

// Judge judges q.Candidate.
func Judge(q Question) Verdict {
	if q.Running != nil && q.Running.Hash == q.Candidate.Hash {
		return Verdict{Same: true}
	}
	v := Verdict{Watch: map[string]Watch{}}
	q.changes(&v)
	q.hold(&v)
	return v
}

// window is for how long a session counts as established after it was.
func (q Question) window() time.Duration {
	if q.Window > 0 {
		return q.Window
	}
	return DefaultWindow
}

// counts says whether a session counts as established.
func (q Question) counts(s Seen) bool {
	return s.Established || !s.Last.IsZero() && q.Now.Sub(s.Last) < q.window()
}
