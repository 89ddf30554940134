package guard

import (
	"fmt"
	"net/netip"
	"slices"

	"confd/bgp"
)

// finding is one reason to hold a candidate.
type finding struct {
	why string
	// lost are the sessions, routes the nets of the routes that it is about.
	lost, remade, routes []string
	// ofRoutes: it is about routes, not only about sessions; kept: some of them are of
	// sessions that are kept.
	ofRoutes, kept bool
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

// findings are the reasons to hold the candidate, the most general one first.
func (j *judgement) findings() []finding {
	j.look()
	var list []finding
	add := func(f finding, ok bool) {
		if ok {
			list = append(list, f)
		}
	}
	add(j.doubtful())
	for i := range 2 {
		add(j.homelessFamily(i))
	}
	for _, g := range groups() {
		add(j.tooMuch(g))
	}
	for _, family := range []int{4, 6} {
		add(j.allThatAreUp(family))
	}
	for _, family := range []int{4, 6} {
		add(j.nothingTold(family))
		add(j.nothingTaken(family))
	}
	return list
}

// tally is how many sessions count, and what becomes of them.
type tally struct {
	counted int
	// step: some of those that are lost the candidate itself takes away; before:
	// others went earlier.
	step, before bool
	// renamed: it is a single session that is lost, and it comes back by itself.
	renamed      bool
	lost, remade []string
}

func (j *judgement) tally(member func(session) bool) tally {
	var t tally
	for _, s := range j.sessions {
		if !member(s) {
			continue
		}
		t.counted++
		if !s.lost() {
			continue
		}
		t.lost = append(t.lost, s.Name)
		t.renamed = s.renamed && len(t.lost) == 1
		if s.fate == remade {
			t.remade = append(t.remade, s.Name)
		}
		t.step, t.before = t.step || s.step, t.before || !s.step
	}
	return t
}

// tooMuch says that more than half are lost, and two at least, or all: but not a
// single one that has another name in the end, and nothing else.
func (t tally) tooMuch() bool {
	lost := len(t.lost)
	return t.step && lost > 0 && !t.renamed && (lost == t.counted || lost > 1 && 2*lost > t.counted)
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
	return finding{why: why, lost: t.lost, remade: t.remade}
}

// tooMuch judges the sessions of a group: those that are about to come up count as
// well.
func (j *judgement) tooMuch(g group) (finding, bool) {
	t := j.tally(g.members)
	t.counted += j.coming(g.members)
	if !t.tooMuch() {
		return finding{}, false
	}
	f := t.finding("established " + g.name + "sessions")
	if t.before {
		f.why += fmt.Sprintf(", with what changed in the %g minutes before", j.q.window().Minutes())
	}
	return f, true
}

// allThatAreUp judges what is established at this moment, where others of the
// family are down.
func (j *judgement) allThatAreUp(family int) (finding, bool) {
	t := j.tally(func(s session) bool { return s.up && s.Family == family })
	t.counted += j.coming(func(s session) bool { return s.Family == family })
	if !t.step || t.renamed || len(t.lost) == 0 || len(t.lost) < t.counted {
		return finding{}, false
	}
	return t.finding(fmt.Sprintf("IPv%d sessions that are up now", family)), true
}

// coming counts sessions that stay and are about to come up, as a BIRD was started
// a moment ago.
func (j *judgement) coming(member func(session) bool) int {
	if !j.q.within(j.q.Booted) {
		return 0
	}
	if j.comingUp == nil {
		j.comingUp = j.staying()
	}
	n := 0
	for _, s := range j.comingUp {
		if member(s) {
			n++
		}
	}
	return n
}

// staying are the sessions that are not established, and that the candidate keeps.
func (j *judgement) staying() []session {
	list := make([]session, 0, len(j.then.lines))
	for i := range j.then.lines {
		l := &j.then.lines[i]
		if j.established(l.Name) || l.Kind == "" || l.Kind == bgp.LocalWorkloadSession {
			continue
		}
		if f, _ := j.fateOf(l); f == kept && !j.gone(l) {
			list = append(list, session{Line: l})
		}
	}
	return list
}

// doubtful holds whatever is removed, where the datastore's content is doubtful.
func (j *judgement) doubtful() (finding, bool) {
	if j.q.Doubt == "" {
		return finding{}, false
	}
	t := j.tally(func(s session) bool { return s.step })
	t.counted = len(j.sessions)
	f := t.finding("established sessions")
	f.routes = j.untold()
	switch {
	case len(t.lost) > 0:
	case len(f.routes) > 0:
		f.ofRoutes = true
		f.why = fmt.Sprintf("it would take back routes that peers are told: %d", len(f.routes))
	default:
		return finding{}, false
	}
	f.why = j.q.Doubt + ": " + f.why
	return f, true
}

// homelessFamily holds a new address of this node that is on none of its
// interfaces, where that costs a session.
func (j *judgement) homelessFamily(i int) (finding, bool) {
	a := j.is.Addresses[i]
	if !j.homeless(a) || a == j.was.Addresses[i] {
		return finding{}, false
	}
	family := []int{4, 6}[i]
	t := j.tally(func(s session) bool { return s.step && s.Family == family })
	if len(t.lost) == 0 {
		return finding{}, false
	}
	t.counted = j.tally(func(s session) bool { return s.Family == family }).counted
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

// homeless says that an address is known to be on no interface.
func (j *judgement) homeless(a netip.Addr) bool {
	return a.IsValid() && j.q.Local != nil && !slices.Contains(j.q.Local, a)
}
