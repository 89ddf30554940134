package guard

import (
	"fmt"
	"net/netip"

	"confd/bgp"
	"confd/internal/guard/outline"
)

// sessionLosses finds what a candidate takes away of sessions.
type sessionLosses struct {
	*judgement
	// comingUp are those that are about to, where a BIRD was started a moment ago; nil:
	// nobody has asked yet.
	comingUp []session
}

// tally is how many sessions count, and what becomes of them.
type tally struct {
	counted int
	// step: some of those that are lost the candidate itself takes away; before:
	// others went earlier.
	step, before bool
	// renamed: it is a single session that is lost, and it comes back by itself.
	renamed bool
	// lost and remade are their names, once older ones.
	lost, remade, once []string
}

// loses says that the candidate takes some away: but not a single one that has another
// name in the end, and nothing else.
func (t tally) loses() bool { return t.step && len(t.lost) > 0 && !t.renamed }

// tooMuch says that more than half are lost, and two at least, or all.
func (t tally) tooMuch() bool {
	lost := len(t.lost)
	return t.loses() && (lost == t.counted || lost > 1 && 2*lost > t.counted)
}

// finding says what becomes of the sessions; what is what they are.
func (t tally) finding(what string) finding {
	gone, remade := len(t.lost)-len(t.remade), len(t.remade)
	why := fmt.Sprintf("it would take away %d of %d %s", gone, t.counted, what)
	switch {
	case gone == 0:
		why = fmt.Sprintf("it would remake %d of %d %s", remade, t.counted, what)
	case remade > 0:
		why += fmt.Sprintf(", and remake %d", remade)
	}
	return finding{why: why, lost: t.lost, remade: t.remade, once: t.once}
}

func (l *sessionLosses) tally(member func(session) bool) tally {
	var t tally
	for _, s := range l.sessions {
		if !member(s) {
			continue
		}
		t.counted++
		if !s.lost() {
			continue
		}
		name, once := s.names()
		t.lost, t.once = append(t.lost, name), append(t.once, once...)
		t.renamed = s.renamed && len(t.lost) == 1
		if s.fate == outline.Remade {
			t.remade = append(t.remade, name)
		}
		t.step, t.before = t.step || s.step, t.before || !s.step
	}
	return t
}

// tooMuch judges the sessions of a group: those that are about to come up count as
// well.
func (l *sessionLosses) tooMuch(g group) (finding, bool) {
	t := l.tally(g.members)
	if !t.loses() { // whatever comes: that is not looked for among thousands
		return finding{}, false
	}
	t.counted += l.coming(g.members)
	if !t.tooMuch() {
		return finding{}, false
	}
	f := t.finding("established " + g.name + "sessions")
	if t.before {
		f.why += fmt.Sprintf(", with what changed in the %g minutes before", l.q.window().Minutes())
	}
	return f, true
}

// allThatAreUp judges what is established at this moment, where others of the
// family are down.
func (l *sessionLosses) allThatAreUp(family int) (finding, bool) {
	t := l.tally(func(s session) bool { return s.up && s.Family == family })
	if !t.loses() {
		return finding{}, false
	}
	t.counted += l.coming(func(s session) bool { return s.Family == family })
	if len(t.lost) < t.counted {
		return finding{}, false
	}
	return t.finding(fmt.Sprintf("IPv%d sessions that are up now", family)), true
}

// coming counts sessions that stay and are about to come up, as a BIRD was started
// a moment ago.
func (l *sessionLosses) coming(member func(session) bool) int {
	if !l.q.Within(l.q.Booted) {
		return 0
	}
	if l.comingUp == nil {
		l.comingUp = l.staying()
	}
	n := 0
	for _, s := range l.comingUp {
		if member(s) {
			n++
		}
	}
	return n
}

// staying are the sessions that are not established, and that the candidate keeps.
func (l *sessionLosses) staying() []session {
	list := make([]session, 0, len(l.then.Lines))
	for _, line := range l.then.Lines {
		if l.established(line.Name) || line.Kind == "" || line.Kind == bgp.LocalWorkloadSession {
			continue
		}
		if f, _ := l.fateOf(line); f == outline.Kept && !l.gone(line) {
			list = append(list, session{Line: line})
		}
	}
	return list
}

// doubtful holds whatever is removed, where the datastore's content is doubtful. untold
// are the routes that peers would not be told any more.
func (l *sessionLosses) doubtful(untold []string) (finding, bool) {
	if l.q.Doubt == "" {
		return finding{}, false
	}
	t := l.tally(func(s session) bool { return s.step })
	t.counted = len(l.sessions)
	f := t.finding("established sessions")
	f.routes = untold
	switch {
	case len(t.lost) > 0:
	case len(f.routes) > 0:
		f.ofRoutes = true
		f.why = fmt.Sprintf("it would take back routes that peers are told: %d", len(f.routes))
	default:
		return finding{}, false
	}
	f.why = l.q.Doubt + ": " + f.why
	return f, true
}

// homelessFamily holds a new address of this node that is on none of its
// interfaces, where that costs a session.
func (l *sessionLosses) homelessFamily(i int) (finding, bool) {
	a := l.is.Addresses[i]
	if !l.homeless(a) || a == l.was.Addresses[i] {
		return finding{}, false
	}
	family := []int{4, 6}[i]
	t := l.tally(func(s session) bool { return s.step && s.Family == family })
	if len(t.lost) == 0 {
		return finding{}, false
	}
	t.counted = l.tally(func(s session) bool { return s.Family == family }).counted
	f := t.finding(fmt.Sprintf("established IPv%d sessions", family))
	f.why = homelessText(a) + ": " + f.why
	return f, true
}

func homelessText(a netip.Addr) string {
	return fmt.Sprintf("no interface of this machine has the address %s, which its Node says is its own", a)
}

// homelessNotes say it in any case: without its address no session comes up.
func (j *judgement) homelessNotes() []string {
	var notes []string
	for _, a := range j.is.Addresses {
		if j.homeless(a) {
			notes = append(notes, homelessText(a))
		}
	}
	return notes
}

// group are sessions that are judged together.
type group struct {
	name    string // between "established" and "sessions"
	members func(session) bool
}

// groups are those that a loss is measured by: all, each family, each kind.
func groups() []group {
	list := []group{{"", func(session) bool { return true }}}
	for _, family := range []int{4, 6} {
		list = append(list, group{fmt.Sprintf("IPv%d ", family), func(s session) bool { return s.Family == family }})
	}
	for _, kind := range []bgp.SessionKind{bgp.MeshSession, bgp.GlobalSession, bgp.NodeSession} {
		list = append(list, group{string(kind) + " ", func(s session) bool { return s.Kind == kind }})
	}
	return list
}
