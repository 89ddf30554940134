package guard

import (
	"net/netip"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birdtext"
	"confd/internal/guard/outline"
)

// judgement is one look at a candidate.
type judgement struct {
	q Question
	// config and state are the candidate's, is its outline; was is what runs, as far
	// as it is known.
	config  *bgp.Config
	state   *backends.State
	was, is *outline.Outline
	changes bgp.Changes
	// restarted are those of the changes, where it matters which neighbors cannot send
	// their routes again.
	restarted map[string]bool
	// heldLost are sessions that count as established since what is held would take
	// them away.
	heldLost map[string]bool

	then, now *outline.Book // of was, and of is
	seen      *register
	// routes counts the routes that BIRD has by session; nil: not known.
	routes map[string]int
	// written are the sessions in the candidate's files, where the templates are
	// others or somebody asked; nil: not known.
	written map[string]bool
	// unwritten: the templates leave sessions out that the candidate asks for.
	unwritten bool
	cluster   *cluster
	differ    map[keyAspect]bool // objects that were looked at: whether they changed
	sessions  []session
	// needRoutes: with BIRD's routes the judgement may be another one.
	needRoutes bool
}

// session is one that counts, and what becomes of it.
type session struct {
	*outline.Line
	fate outline.Fate
	// step: it is this candidate that does it, not what went live before.
	step bool
	// up: it is established at this moment.
	up bool
	// renamed: it is remade on the same terms, mostly under another name.
	renamed bool
	// runs is what runs in its place by now; nil: nothing does.
	runs *outline.Line
	// is is the candidate's session; nil: there is none.
	is *outline.Line
	// imported are the routes that it has from its peer; -1: not known.
	imported int
}

// lost says whether the session is gone or made anew.
func (s session) lost() bool { return s.fate != outline.Kept }

// names are what it is known by: where this candidate takes it away, by what runs in its
// place, which may have another name since; once is the older one then.
func (s session) names() (name string, once []string) {
	if s.step && s.runs != nil && s.runs.Name != s.Name {
		return s.runs.Name, []string{s.Name}
	}
	return s.Name, nil
}

func (q Question) judgement(config *bgp.Config, state *backends.State, is *outline.Outline, changes bgp.Changes) *judgement {
	j := &judgement{
		q: q, config: config, state: state, is: is, was: q.Running.OutlineWith(q.Salt), changes: changes,
		now: outline.BookOf(is), seen: registerOf(q.Seen), routes: q.countRoutes(), cluster: newCluster(state), differ: map[keyAspect]bool{},
	}
	if len(q.Deaf) > 0 {
		j.restarted = setOf(changes.Restarted)
	}
	if j.was == nil {
		j.was = &outline.Outline{}
		for _, s := range j.seen.list {
			j.was.Lines = append(j.was.Lines, lineOfSeen(s))
		}
	}
	if q.Held != nil {
		j.heldLost = setOf(q.Held.Lost)
	}
	if q.OtherTemplates {
		j.written = birdtext.Sessions(q.Candidate.Sets)
	}
	if j.then = j.now; len(j.was.Lines) != len(is.Lines) || len(is.Lines) > 0 && &j.was.Lines[0] != &is.Lines[0] {
		j.then = outline.BookOf(j.was)
	}
	return j
}

// homeless says that an address is known not to be this machine's.
func (j *judgement) homeless(a netip.Addr) bool {
	return a.IsValid() && j.q.Local != nil && !bgp.OnMachine(a, j.q.Local)
}

// countRoutes counts the routes that BIRD has from peers, by session; nil: they are
// not known.
func (q Question) countRoutes() map[string]int {
	if q.Routes == nil {
		return nil
	}
	counts := map[string]int{}
	for _, r := range q.Routes {
		if r.Session != "" {
			counts[r.Session]++
		}
	}
	return counts
}
