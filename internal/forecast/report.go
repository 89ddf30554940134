package forecast

import (
	"fmt"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/doctor"
)

// What Sessions.How can be.
const (
	Added      = "added"
	Removed    = "removed"
	Remade     = "remade"
	Refiltered = "refiltered"
)

// Question is what would be changed.
type Question struct {
	// Before and After are the states of the cluster. Nobody changes them.
	Before, After *backends.State
	// Options are those of the node that asks.
	Options bgp.Options
	BIRD    int // major version
	Now     time.Time
	// Deaf says of which sessions of the node that asks the neighbor is known to be
	// unable to send its routes again (true), or able; nil: nothing is known.
	Deaf map[string]bool
}

// Reasked are the sessions of the node that asks whose import filter would be another:
// the Report is better with Deaf of these.
func (q Question) Reasked() []string {
	was, errWas := bgp.Compute(q.Before, q.Options)
	is, errIs := bgp.Compute(q.After, q.Options)
	if errWas != nil || errIs != nil { // it is on one side alone
		return nil
	}
	return bgp.Compare(was, is, q.BIRD).Reasked
}

// Report is what the change would do.
type Report struct {
	// Objects are those that differ, one line each.
	Objects []string `json:"objects"`
	Nodes   int      `json:"nodes"`   // before and after
	Changed int      `json:"changed"` // of them
	// Groups are nodes of which the same becomes, the worst first.
	Groups []Group `json:"groups"`
	Totals Totals  `json:"totals"`
	// Findings are what confd doctor would find after the change, and does not before;
	// Cured is how many it would be the other way round.
	Findings []doctor.Finding `json:"findings"`
	Cured    int              `json:"cured"`
}

// Totals add up the nodes' ends of sessions, and routes.
type Totals struct {
	Added      int `json:"sessions_added"`
	Removed    int `json:"sessions_removed"`
	Remade     int `json:"sessions_remade"`
	Refiltered int `json:"sessions_refiltered"`
	RoutesLost int `json:"routes_lost"` // that peers were told of, and would not be
	Isolated   int `json:"isolated_nodes"`
	Held       int `json:"held_nodes"`
}

func (t *Totals) add(g Group) {
	t.Added += g.count(Added)
	t.Removed += g.count(Removed)
	t.Remade += g.count(Remade)
	t.Refiltered += g.count(Refiltered)
	t.RoutesLost += len(g.RoutesLost)
	if g.Isolated {
		t.Isolated++
	}
	if g.Held {
		t.Held++
	}
}

// Group is nodes of which the same becomes.
type Group struct {
	// Kind is changed, added or removed.
	Kind  string   `json:"kind"`
	Nodes []string `json:"nodes"`
	// Sessions are those of each of the nodes to which something happens, as the first
	// of the nodes has them.
	Sessions []Sessions `json:"sessions"`
	// RoutesLost are routes that the nodes' peers were told of, and would not be.
	RoutesLost []string `json:"routes_lost,omitempty"`
	// Isolated: the nodes have sessions, and would have none.
	Isolated bool `json:"isolated"`
	// Held: the guard would hold the change back; Why says why.
	Held bool   `json:"held"`
	Why  string `json:"why,omitempty"`
	// Settings and Kernel are what else differs.
	Settings []string `json:"settings,omitempty"`
	Kernel   bool     `json:"kernel,omitempty"`
}

// badness orders groups.
func (g Group) badness() int {
	switch {
	case g.Isolated:
		return 4
	case g.Held:
		return 3
	case g.count(Removed) > 0 || len(g.RoutesLost) > 0:
		return 2
	case g.count(Remade) > 0:
		return 1
	}
	return 0
}

func (g Group) count(how string) int {
	n := 0
	for _, s := range g.Sessions {
		if s.How == how {
			n += s.Count
		}
	}
	return n
}

// key is the same for nodes of which the same becomes.
func (g Group) key() string {
	text := fmt.Sprint(g.Kind, g.Isolated, g.Held, g.Settings, g.Kernel, len(g.RoutesLost) > 0)
	for _, s := range g.Sessions {
		text += fmt.Sprint("|", s.How, s.Object, s.Count, s.Gone, s.Reasked)
	}
	return text
}

// Sessions are sessions of a node to which the same happens, because of one object.
type Sessions struct {
	// How is added, removed, remade or refiltered.
	How    string   `json:"how"`
	Object string   `json:"object"`
	Count  int      `json:"count"`
	Names  []string `json:"names"` // the first ones
	// Gone: of those that are removed, how many lead to nodes that would be gone.
	Gone int `json:"gone,omitempty"`
	// Reasked: of those that are refiltered, how many neighbors are asked for their
	// routes again, of which it is not known whether they can send them: the sessions of
	// those that cannot are remade.
	Reasked int `json:"reasked,omitempty"`
}
