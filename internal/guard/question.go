package guard

import (
	"net/netip"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
	"confd/internal/guard/outline"
)

// Question is what the judgement goes by.
type Question struct {
	// Options name this node, and are what its configurations are computed with.
	Options bgp.Options
	Now     time.Time
	BIRD    int           // its major version
	Window  time.Duration // 0: DefaultWindow
	Salt    outline.Salt
	// Running is what BIRD has confirmed; nil: not known. Where only its text is
	// (it was there before this program), its other fields are zero.
	Running *Side
	// Candidate is what is judged: its Config and State are known.
	Candidate Side
	// OtherTemplates is set where the two were made with different templates: what
	// differs then is told from their texts.
	OtherTemplates bool
	// Untried says that there will be no trial of the candidate, so that the verdict need
	// not say what one would go by.
	Untried bool
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

// window is for how long what was counts.
func (q Question) window() time.Duration {
	if q.Window > 0 {
		return q.Window
	}
	return DefaultWindow
}

// Within says whether something counts that was so last at a time.
func (q Question) Within(last time.Time) bool {
	return !last.IsZero() && q.Now.Sub(last) < q.window()
}

// stateBefore is the state that what runs was made from; nil: not known.
func (q Question) stateBefore() *backends.State {
	if q.Running == nil {
		return nil
	}
	return q.Running.State
}

// outlineOf is the candidate's outline. Its lines are those of what runs where all that
// they come from is the same.
func (q Question) outlineOf() *outline.Outline {
	is, was := q.Candidate, q.Running
	if is.Outline != nil || was == nil || was.Outline == nil || was.Config == nil {
		return is.OutlineWith(q.Salt)
	}
	return was.Outline.Next(was.Config, is.Config, q.Salt)
}

// Oldest is the oldest configuration that still counts; false: none does.
func (q Question) Oldest() (Past, bool) {
	for _, p := range q.History.Past {
		if q.Within(p.Until) {
			return p, true
		}
	}
	return Past{}, false
}

// Side is a configuration of this node, and what it was made from. Nobody
// changes what it points to.
type Side struct {
	Config *bgp.Config
	// State is what Config was computed from, or would be: of several states that
	// make the same, the last one.
	State *backends.State
	// Outline is Config's; nil: not made yet.
	Outline *outline.Outline
	// Hash names the files: where it is the same, they are.
	Hash string
	// Sets are the files' text. It is looked at only where nothing else tells what
	// differs; nil: not known.
	Sets []birdtext.Set
}

// OutlineWith is the side's outline, made where it is not yet; nil: nothing is known.
func (s *Side) OutlineWith(salt outline.Salt) *outline.Outline {
	switch {
	case s == nil || s.Outline == nil && s.Config == nil:
		return nil
	case s.Outline == nil:
		return outline.Of(s.Config, salt)
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
