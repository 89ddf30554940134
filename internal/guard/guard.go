// Package guard is the judgement on a candidate: may it go live, and which
// sessions must stay up while it is on trial.
//
// It is pure. All that it goes by comes in as a Question, the time too, and a
// Verdict comes out; nothing is read or kept, and there are no errors: what is not
// known is part of the question.
//
// What is judged are outcomes: which sessions that were established within the
// last minutes would be gone or made anew, and which routes, although what is
// behind them is still there. What changed, and how, matters only for giving
// things their names.
package guard

import (
	"net/netip"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
)

// DefaultWindow is for how long what was counts: sessions that were established,
// and configurations that ran.
const DefaultWindow = 5 * time.Minute

// Question is what the judgement goes by.
type Question struct {
	// Options name this node, and are what its configurations are computed with.
	Options bgp.Options
	Now     time.Time
	BIRD    int           // its major version
	Window  time.Duration // 0: DefaultWindow
	Salt    Salt
	// Running is what BIRD has confirmed; nil: not known. Where only its text is
	// (it was there before this program), its other fields are zero.
	Running *Side
	// Candidate is what is judged: its Config and State are known.
	Candidate Side
	// OtherTemplates is set where the two were made with different templates: what
	// differs then is told from their texts.
	OtherTemplates bool
	// History are the configurations that ran before Running.
	History History
	// Seen is what is known of the sessions of all BIRDs: those that are
	// established, and those that were within the window at least.
	Seen []Seen
	// Booted is when a BIRD was started last; zero: not known. For the length of the
	// window after that, sessions that have not come up yet count as well.
	Booted time.Time
	// Routes are those that BIRD has; nil: not known. They cost something to ask
	// for, and matter only where the Verdict says NeedRoutes.
	Routes []bgp.Route
	// Local are the addresses of this machine's interfaces; nil: not known.
	Local []netip.Addr
	// Deaf says of which sessions the neighbor is known to be unable to send its routes
	// again (true), or able. Where the Verdict says Ask it matters of these.
	Deaf map[string]bool
	// Doubt says, in words, why the datastore's content is doubtful as a whole: its
	// revision went back, or it is another cluster's. Then whatever is removed is
	// held. Empty: it is not.
	Doubt string
	// Held is what is held back now, or was when the program ended that ran here
	// before; nil: nothing. The sessions that it takes away, and that the candidate
	// does, count as established for as long: that they are down is no approval.
	Held *Held
	// Approved are the IDs of holds that somebody has approved on this node.
	Approved []string
	// Announced are the announcements that were read lately: also those of objects
	// that are gone.
	Announced Announcements
}

// Side is a configuration of this node, and what it was made from. Nobody
// changes what it points to.
type Side struct {
	Config *bgp.Config
	// State is what Config was computed from, or would be: of several states that
	// make the same, the last one.
	State *backends.State
	// Outline is Config's; nil: not made yet.
	Outline *Outline
	// Hash names the files: where it is the same, they are.
	Hash string
	// Sets are the files' text. It is looked at only where nothing else tells what
	// differs; nil: not known.
	Sets []birdtext.Set
}

// outline is the side's, made where it is not yet; nil: nothing is known.
func (s *Side) outline(salt Salt) *Outline {
	switch {
	case s == nil || s.Outline == nil && s.Config == nil:
		return nil
	case s.Outline == nil:
		return OutlineOf(s.Config, salt)
	}
	return s.Outline
}

// Seen is what is known of one session.
type Seen struct {
	// Name is BIRD's protocol, Set the set of files of the BIRD that has it.
	Name string `json:"name"`
	Set  string `json:"set,omitempty"`
	// Established: it is now.
	Established bool `json:"established,omitempty"`
	// Last is when it was last seen so; it does not matter where it is now. A Memory
	// does not say it then: it was until the Memory's time.
	Last time.Time `json:"last,omitzero"`
	// Neighbor is only needed of sessions that have not been made by this program.
	Neighbor netip.Addr `json:"neighbor,omitzero"`
	// Counts are its routes now, or when it was last established; nil: not known.
	Counts *Counts `json:"counts,omitempty"`
}

// Counts are the routes of a session.
type Counts struct {
	Imported int `json:"imported"` // taken from the peer
	Exported int `json:"exported"` // that the peer is told
}

// Held is a candidate that is held back.
type Held struct {
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
	// Announced are objects whose changes would have it held, but for what their
	// annotations say.
	Announced []backends.Key
	// ID names what is held. It comes from the objects that are the reason, and is
	// the same on every node that they have the same effect on, as far as can be.
	ID string
	// Why says in one line what the candidate would do, Objects what changed and is
	// the reason, the likely cause first, one line each.
	Why     string
	Objects []string
	// Lost are the sessions that count as established and would be gone or made
	// anew, sorted; Remade are those of them that would be made anew.
	Lost, Remade []string
	// Pardoned are the sessions and routes that go with an approval or by an
	// announcement: they do not count in what is judged later (History.Replaced).
	Pardoned []string
	// NeedRoutes: with Question.Routes, and the counts and neighbors of sessions, which
	// cost as much, the judgement may be another one. Ask again.
	NeedRoutes bool
	// Ask are established sessions whose import filter becomes another: BIRD makes them
	// anew where Question.Deaf says that the neighbor cannot send its routes again.
	Ask []string
	// Ended are those of them that it makes anew.
	Ended []string
	// Notes are what the operator should know besides, a line each.
	Notes []string
	// Outline is the candidate's, to be kept with it; nil where it is what runs and
	// that has none.
	Outline *Outline
	// Changes are what the candidate does differently, as far as Question.Deaf tells;
	// Known says whether that is known of all sets.
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
	// must be again when the trial ends. Not among them are those whose loss is
	// announced or approved: their other ends may change later.
	Return []string
}

// Judge judges q.Candidate.
func Judge(q Question) Verdict {
	if q.Running != nil && q.Running.Hash == q.Candidate.Hash {
		return Verdict{Same: true, Outline: q.Running.Outline}
	}
	v := Verdict{Outline: q.outlineOf(), Watch: map[string]Watch{}}
	q.changes(&v)
	j := q.judgement(q.Candidate.Config, q.Candidate.State, v.Outline, v.Changes)
	q.hold(&v, j)
	q.excuse(&v, j)
	return v
}

// window is for how long what was counts.
func (q Question) window() time.Duration {
	if q.Window > 0 {
		return q.Window
	}
	return DefaultWindow
}

// within says whether something counts that was so last at a time.
func (q Question) within(last time.Time) bool {
	return !last.IsZero() && q.Now.Sub(last) < q.window()
}
