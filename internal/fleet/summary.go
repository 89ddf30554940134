// Package fleet shows how all nodes are at once: each node's program says in a few
// words how it stands (Summary), over HTTP, to whoever asks all of them (Ask), and
// what they say is put together (View): what is wrong first, the rest counted.
package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"confd/internal/status"
)

// Format is the format of the summaries that this program makes, and the newest that
// it reads. It grows where what a summary has means something else.
const Format = 1

// Summary is how one node's program, its BIRDs and their sessions are, in few words: a
// node of a mesh of thousands says as much as one of ten. It has no passwords in it.
// Its JSON names stay as they are.
type Summary struct {
	Format  int       `json:"format"`
	Node    string    `json:"node"`
	Program string    `json:"program"` // the version
	At      time.Time `json:"at"`      // when it was made, by the node's clock
	Started time.Time `json:"started,omitzero"`
	// StillSeconds is how long ago the loop turned last, where that is too long: the
	// program hangs, and the rest is old. 0: it turns.
	StillSeconds float64  `json:"still_seconds,omitempty"`
	Ready        bool     `json:"ready"`
	NotReady     []string `json:"not_ready,omitempty"`
	BIRDs        []BIRD   `json:"birds,omitempty"`
	// Up and Expected count the sessions that should be up, and are.
	Up       int `json:"sessions_up"`
	Expected int `json:"sessions_expected"`
	// Down are those that are not, MoreDown how many more there are.
	Down     []Session        `json:"down,omitempty"`
	MoreDown int              `json:"more_down,omitempty"`
	Held     []Held           `json:"held,omitempty"`
	Warnings []status.Warning `json:"warnings,omitempty"`
}

// BIRD is how one of a node's daemons is.
type BIRD struct {
	Name    string `json:"name"`
	State   string `json:"state"` // as in status.BIRD
	Version string `json:"version,omitempty"`
	// Bad: it cannot be asked, and should be there.
	Bad bool `json:"bad,omitempty"`
}

// Session is a session that is not up.
type Session struct {
	Peer     string `json:"peer"` // address
	PeerNode string `json:"peer_node,omitempty"`
	AS       uint32 `json:"as,omitempty"`
	State    string `json:"state"`
	Since    string `json:"since,omitempty"`   // as BIRD prints it
	Meaning  string `json:"meaning,omitempty"` // why it is not up, in words
}

// Held is a change that a node holds back.
type Held struct {
	ID      string    `json:"id"`
	Since   time.Time `json:"since"`
	Why     string    `json:"why"`
	Objects []string  `json:"objects,omitempty"` // the reason, the likely cause first
	Lost    int       `json:"lost,omitempty"`    // sessions that would go
	// Trial: it has failed its trial. Only on the node itself can that be approved.
	Trial bool `json:"trial,omitempty"`
}

// Bounds of a summary, in elements and bytes.
const (
	mostDown    = 100
	mostLines   = 10
	longestText = 300
	// mostSessions is more than any node has; who says so is not believed.
	mostSessions = 1_000_000
)

// Summarize puts a view of a node into few words.
func Summarize(v *status.View) *Summary {
	s := &Summary{Format: Format, At: v.At}
	if r := v.Report; r != nil {
		s.Node, s.Program, s.Started, s.Ready = r.Node, r.Program, r.Started, r.Ready
		s.NotReady = texts(r.NotReady)
		for _, h := range r.AllHeld() {
			s.Held = append(s.Held, Held{
				ID: h.Hash, Since: h.Since, Why: text(h.Why), Objects: texts(h.Objects), Lost: len(h.Lost), Trial: h.Trial,
			})
		}
	}
	for _, b := range v.BIRDs {
		s.BIRDs = append(s.BIRDs, BIRD{Name: b.Name, State: b.State, Version: b.Version, Bad: b.State != "up" && (b.Needed || b.State != "absent")})
	}
	s.sessions(v.Sessions)
	warnings := slices.Clone(v.Warnings)
	slices.SortStableFunc(warnings, func(a, b status.Warning) int { return rank(a) - rank(b) })
	for _, w := range warnings[:min(len(warnings), mostLines)] {
		s.Warnings = append(s.Warnings, status.Warning{Kind: w.Kind, Text: text(w.Text)})
	}
	return s
}

// aboutRoutes is the kind of warnings that something is wrong with routes.
const aboutRoutes = "routes"

// rank has those first.
func rank(w status.Warning) int {
	if w.Kind == aboutRoutes {
		return 0
	}
	return 1
}

// sessions counts those that should be up, and names those that are not.
func (s *Summary) sessions(list []status.Session) {
	for _, x := range list {
		switch {
		case !x.Required:
			continue
		case x.Up:
			s.Up++
		case len(s.Down) < mostDown:
			s.Down = append(s.Down, Session{
				Peer: x.Peer, PeerNode: x.PeerNode, AS: x.AS, State: x.State, Since: x.Since, Meaning: text(cmp.Or(x.Meaning, x.Info)),
			})
		default:
			s.MoreDown++
		}
		s.Expected++
	}
}

func texts(list []string) []string {
	list = slices.Clone(list[:min(len(list), mostLines)])
	for i := range list {
		list[i] = text(list[i])
	}
	return list
}

// text is bounded.
func text(s string) string {
	if len(s) > longestText {
		s = strings.ToValidUTF8(s[:longestText], "") + "..."
	}
	return s
}

// ids are what a change's ID looks like, in no more than longestID bytes: an annotation
// takes several of them.
var ids = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

const longestID = 100

// check says why nobody can go by a summary that came from elsewhere; nil: one can.
func (s *Summary) check() error {
	switch {
	case s.Format > Format:
		return fmt.Errorf("it answers in format %d, which is newer than this program", s.Format)
	case s.Format < 1:
		return errors.New("what answers there is not this program")
	case s.Up < 0 || s.MoreDown < 0 || s.Expected > mostSessions || s.Up+len(s.Down)+s.MoreDown != s.Expected:
		return errors.New("its answer makes no sense: the sessions do not add up")
	case slices.ContainsFunc(s.Held, func(h Held) bool {
		return len(h.ID) > longestID || !ids.MatchString(h.ID) || h.Lost < 0 || h.Lost > mostSessions
	}):
		return errors.New("its answer makes no sense: nothing held has such an ID, or costs so much")
	case len(s.BIRDs) > mostLines || len(s.Down) > mostDown || len(s.Held) > mostLines || len(s.Warnings) > mostLines || len(s.NotReady) > mostLines,
		slices.ContainsFunc(s.texts(), func(t string) bool { return len(t) > longestText+len("...") }):
		return errors.New("its answer makes no sense: it is too long")
	}
	return nil
}

// texts are all texts in a summary.
func (s *Summary) texts() []string {
	list := append([]string{s.Program}, s.NotReady...)
	for _, b := range s.BIRDs {
		list = append(list, b.Name, b.State, b.Version)
	}
	for _, x := range s.Down {
		list = append(list, x.Peer, x.PeerNode, x.State, x.Since, x.Meaning)
	}
	for _, h := range s.Held {
		list = append(append(list, h.Why), h.Objects...)
	}
	for _, w := range s.Warnings {
		list = append(list, w.Kind, w.Text)
	}
	return list
}

// What a node's state can be, the worst first.
const (
	Silent       = "silent"        // no answer
	Hangs        = "hangs"         // its program does
	NoBIRD       = "no BIRD"       // that answers
	Isolated     = "isolated"      // no session is up
	RoutesWrong  = "routes wrong"  // whatever sessions are
	HoldsBack    = "held"          // a change, or has undone one
	NotReady     = "not ready"     // for another reason
	SessionsDown = "sessions down" // some
	PeersAway    = "peers away"    // some, with nodes alone that are silent or have no BIRD
	Warned       = "warnings"      // in step, and something is to be looked at
	Good         = "good"
)

// States lists them in that order.
func States() []string {
	return []string{Silent, Hangs, NoBIRD, Isolated, RoutesWrong, HoldsBack, NotReady, SessionsDown, PeersAway, Warned, Good}
}

// State says how the node is, in a word, as far as that can be said of it alone: Silent
// and PeersAway are not among it.
func (s *Summary) State() string {
	switch {
	case s.StillSeconds > 0:
		return Hangs
	case slices.ContainsFunc(s.BIRDs, func(b BIRD) bool { return b.Bad }):
		return NoBIRD
	case s.Expected > 0 && s.Up == 0:
		return Isolated
	case slices.ContainsFunc(s.Warnings, func(w status.Warning) bool { return rank(w) == 0 }):
		return RoutesWrong
	case len(s.Held) > 0:
		return HoldsBack
	case !s.Ready:
		return NotReady
	case s.Up < s.Expected:
		return SessionsDown
	case len(s.Warnings) > 0:
		return Warned
	}
	return Good
}

// What says what is wrong, in a line; empty: nothing is. Nodes with which the same is
// wrong say the same.
func (s *Summary) What() string {
	switch s.State() {
	case Hangs:
		return fmt.Sprintf("its loop has not turned for %s; what it says is old", time.Duration(s.StillSeconds*float64(time.Second)).Round(time.Minute))
	case HoldsBack:
		var list []string
		for _, h := range s.Held {
			list = append(list, h.String())
		}
		return strings.Join(list, "; ")
	case NotReady:
		if len(s.NotReady) > 0 {
			return s.NotReady[0] + more(len(s.NotReady)-1)
		}
		return "it does not say why"
	case Isolated, SessionsDown:
		return s.down()
	case NoBIRD, RoutesWrong, Warned:
		if len(s.Warnings) > 0 {
			return s.Warnings[0].Text + more(len(s.Warnings)-1)
		}
		return "it does not say why"
	}
	return ""
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// String names the change by its ID and by what it comes from, which are the same on
// all nodes.
func (h Held) String() string {
	word := "held"
	if h.Trial {
		word = "undone after its trial"
	}
	because := h.Why
	if len(h.Objects) > 0 {
		because = h.Objects[0] + more(len(h.Objects)-1)
	}
	return word + " " + h.ID + ": " + because
}

// down names the peers of sessions that are down, of a single one with the reason.
func (s *Summary) down() string {
	const few = 3
	var names []string
	for _, x := range s.Down[:min(len(s.Down), few)] {
		names = append(names, x.peer())
	}
	out := "no session with " + strings.Join(names, ", ")
	if len(s.Down) == 1 && s.Down[0].Meaning != "" {
		return out + ": " + s.Down[0].Meaning
	}
	return out + more(s.Expected-s.Up-len(names))
}

// peer is the peer's node, where it is one, and its address.
func (x Session) peer() string {
	if x.PeerNode == "" {
		return x.Peer
	}
	return x.PeerNode + " (" + x.Peer + ")"
}
