package agent

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"confd/bgp"
	"confd/internal/known"
	"confd/internal/outcome"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/reload"
)

// watchEvery is how often it is looked how sessions are while a change's outcome is
// not known yet.
const watchEvery = 5 * time.Second

// aftermath watches what became of changes: which sessions they have not left up.
type aftermath struct {
	*desk
	watch outcome.Watch
	jobs  jobs
}

// applied notes that BIRD uses a candidate in the place of before, nil where that is
// not known; up are the sessions that were established, by set.
func (m *aftermath) applied(now time.Time, c, before *plan.Candidate, up map[string][]string) {
	wanted := map[string][]string{}
	for _, s := range c.Sets {
		if s.Daemon != nil {
			wanted[s.Name] = sessionNames(c, s)
		}
	}
	if before != nil && !sameSessions(before.Config, c.Config) {
		up = renamed(up, before.Config, c.Config)
	}
	change := outcome.Change{Hash: c.Hash, Revision: c.Revision, Because: keyTexts(c.Changed), At: now}
	m.watch.Applied(change, up, wanted)
}

func sameSessions(a, b *bgp.Config) bool {
	return bgp.SameList(a.IPv4.Sessions, b.IPv4.Sessions) && bgp.SameList(a.IPv6.Sessions, b.IPv6.Sessions)
}

// sessionNames are the sessions of a set's BIRD, but for those of local workloads,
// which come and go.
func sessionNames(c *plan.Candidate, s reload.Set) []string {
	var names []string
	for _, f := range c.Config.Families() {
		if c.Birds.Version.Major == 1 && f.Version != known.FamilyOf(s.Name, c.Config).Version {
			continue
		}
		names = slices.Grow(names, len(f.Sessions))
		for _, s := range f.Sessions {
			if s.Kind != bgp.LocalWorkloadSession {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// renamed are sessions of before by the names that those with the same neighbors have
// in after.
func renamed(up map[string][]string, before, after *bgp.Config) map[string][]string {
	var names map[netip.Addr]string // of those in after, by neighbor
	out := map[string][]string{}
	for set, list := range up {
		for _, name := range list {
			if was := sessionOf(before, name); was != nil && sessionOf(after, name) == nil {
				if names == nil {
					names = namesByNeighbor(after)
				}
				name = cmp.Or(names[was.Neighbor], name)
			}
			out[set] = append(out[set], name)
		}
	}
	return out
}

// sessionOf is the session of a name; nil: there is none.
func sessionOf(c *bgp.Config, name string) *bgp.Session {
	return cmp.Or(bgp.SessionNamed(&c.IPv4, name), bgp.SessionNamed(&c.IPv6, name))
}

func namesByNeighbor(c *bgp.Config) map[netip.Addr]string {
	names := map[netip.Addr]string{}
	for _, f := range c.Families() {
		for i := range f.Sessions {
			names[f.Sessions[i].Neighbor] = f.Sessions[i].Name
		}
	}
	return names
}

// seen looks at what a survey has shown.
func (m *aftermath) seen(now time.Time, s surveyed) {
	for set, sessions := range s.sessions {
		var up []string
		for _, one := range sessions {
			up = append(up, one.Name)
		}
		lost, back := m.watch.Seen(now, set, up)
		m.news = m.news || len(lost)+len(back) > 0
		m.lost(set, lost)
		for _, session := range back {
			m.log.Info("a session is up again that a change had not left up", "session", session.Name, "change", session.Change.Hash)
		}
	}
}

// lost says which sessions are lost, a line for each change, and asks BIRD why.
func (m *aftermath) lost(set string, lost []outcome.Session) {
	for len(lost) > 0 {
		change := lost[0].Change
		var names []string
		for _, s := range lost {
			if s.Change.At.Equal(change.At) {
				names = append(names, s.Name)
			}
		}
		m.log.Error("a change has not left up what was up before", "set", set, "sessions", few(names), "change", change.Hash,
			"at", change.At.Format(time.RFC3339), "because", few(change.Because))
		if s, ok := find(m.runs.InUse(), set); ok && hasDaemon(s) {
			m.jobs.explain(s, names)
		}
		lost = slices.DeleteFunc(lost, func(s outcome.Session) bool { return s.Change.At.Equal(change.At) })
	}
}

// explained has what BIRD says of lost sessions.
func (m *aftermath) explained(e explained) {
	m.watch.Says(e.set, e.words)
	m.news = true
	for name, text := range e.words {
		m.log.Error("what BIRD says of a session that is lost", "session", name, "says", text)
	}
}

// report are the sessions that are lost.
func (m *aftermath) report() []report.Lost {
	var list []report.Lost
	for _, s := range m.watch.Lost() {
		list = append(list, report.Lost{Name: s.Name, Set: s.Set, Change: s.Change.Hash, At: s.Change.At, Because: s.Change.Because, Says: s.Says})
	}
	return list
}
