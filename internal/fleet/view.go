package fleet

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// View is how the fleet is. Its JSON names stay as they are.
type View struct {
	At          time.Time `json:"at"` // when the first node was asked
	TookSeconds float64   `json:"took_seconds"`
	// AllGood: each node answers, and is Good or has warnings alone.
	AllGood bool   `json:"all_good"`
	Totals  Totals `json:"totals"`
	// Changes are those that are held back, those first that most nodes hold.
	Changes []Change `json:"changes"`
	// Missed are the peers that more than one node has no session with, those first
	// that most have none with.
	Missed []Missed `json:"missed"`
	// Nodes are those that Options asked for, in its order.
	Nodes   []Node `json:"nodes"`
	options Options
}

// Totals are about all nodes of the datastore, shown or not.
type Totals struct {
	Nodes    int            `json:"nodes"`
	States   map[string]int `json:"states"`
	Up       int            `json:"sessions_up"`
	Expected int            `json:"sessions_expected"`
	Programs map[string]int `json:"programs"` // nodes by version
	BIRDs    map[string]int `json:"birds"`    // nodes by version
}

// Change is a change that nodes hold back.
type Change struct {
	ID    string    `json:"id"`
	Since time.Time `json:"since"` // the earliest
	Nodes []string  `json:"nodes"`
	// Lost is how many sessions would go, of all nodes.
	Lost int `json:"lost"`
	// Why is what one of the nodes says, Objects what any of them gives as the reason.
	Why     string   `json:"why"`
	Objects []string `json:"objects"`
	// Trial: it has failed its trial, and can be approved on each node alone.
	Trial bool `json:"trial,omitempty"`
}

// Missed is a peer that nodes have no session with.
type Missed struct {
	Peer     string `json:"peer"`
	PeerNode string `json:"peer_node,omitempty"`
	Nodes    int    `json:"nodes"`
}

// Options say which nodes are shown, and in which order.
type Options struct {
	Filters []Filter // all must hold
	Sort    string   // one of Orders; empty: SortState
	// Lines is how many lines of nodes the text has at most; 0: one for each node.
	Lines int
}

// What nodes are sorted by.
const (
	SortState    = "state"    // the worst first
	SortNode     = "node"     // by name
	SortSessions = "sessions" // those first that most are down of
	SortVersion  = "version"  // of the program
)

// Orders lists what nodes can be sorted by.
func Orders() []string { return []string{SortState, SortNode, SortSessions, SortVersion} }

// NewView puts together what nodes say that were asked from at until now.
func NewView(at time.Time, took time.Duration, nodes []Node, o Options) *View {
	v := &View{At: at, TookSeconds: took.Seconds(), options: o, AllGood: len(nodes) > 0}
	away(nodes)
	v.Totals = totals(nodes)
	for state, n := range v.Totals.States {
		if n > 0 && state != Good && state != Warned {
			v.AllGood = false
		}
	}
	v.Changes, v.Missed = Changes(nodes), missed(nodes)
	v.Nodes = []Node{}
	for _, n := range nodes {
		if !slices.ContainsFunc(o.Filters, func(f Filter) bool { return !f.holds(n) }) {
			v.Nodes = append(v.Nodes, n)
		}
	}
	slices.SortStableFunc(v.Nodes, func(a, b Node) int { return o.compare(a, b) })
	return v
}

// away tells nodes that are at fault from those that only miss others.
func away(nodes []Node) {
	gone := map[string]bool{}
	for _, n := range nodes {
		gone[n.Name] = n.State == Silent || n.State == NoBIRD
	}
	for i, n := range nodes {
		here := func(s Session) bool { return !gone[s.PeerNode] }
		if n.State == SessionsDown && n.Summary.MoreDown == 0 && !slices.ContainsFunc(n.Summary.Down, here) {
			nodes[i].State = PeersAway
		}
	}
}

func totals(nodes []Node) Totals {
	t := Totals{Nodes: len(nodes), States: map[string]int{}, Programs: map[string]int{}, BIRDs: map[string]int{}}
	for _, n := range nodes {
		t.States[n.State]++
		if n.Summary == nil {
			continue
		}
		t.Up += n.Summary.Up
		t.Expected += n.Summary.Expected
		t.Programs[n.Summary.Program]++
		if version := n.bird(); version != "" {
			t.BIRDs[version]++
		}
	}
	return t
}

// Changes are the changes that nodes hold back, those first that most nodes hold.
func Changes(nodes []Node) []Change {
	type key struct {
		id    string
		trial bool
	}
	found := map[key]*Change{}
	for _, n := range nodes {
		if n.Summary == nil {
			continue
		}
		for _, h := range n.Summary.Held {
			k := key{h.ID, h.Trial}
			if found[k] == nil {
				found[k] = &Change{ID: h.ID, Trial: h.Trial, Since: h.Since, Why: h.Why, Objects: []string{}}
			}
			found[k].add(n.Name, h)
		}
	}
	list := make([]Change, 0, len(found))
	for _, c := range found {
		slices.Sort(c.Objects)
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Change) int {
		return cmp.Or(cmp.Compare(len(b.Nodes), len(a.Nodes)), strings.Compare(a.ID, b.ID), strings.Compare(a.Why, b.Why))
	})
	return list
}

func (c *Change) add(node string, h Held) {
	c.Nodes = append(c.Nodes, node)
	c.Lost += max(h.Lost, 0)
	if h.Since.Before(c.Since) {
		c.Since = h.Since
	}
	for _, o := range h.Objects {
		if !slices.Contains(c.Objects, o) {
			c.Objects = append(c.Objects, o)
		}
	}
}

func missed(nodes []Node) []Missed {
	count := map[Missed]int{}
	for _, n := range nodes {
		if n.Summary == nil {
			continue
		}
		for _, s := range n.Summary.Down {
			count[Missed{Peer: s.Peer, PeerNode: s.PeerNode}]++
		}
	}
	list := []Missed{}
	for m, n := range count {
		if n > 1 {
			m.Nodes = n
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Missed) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), strings.Compare(a.PeerNode, b.PeerNode), strings.Compare(a.Peer, b.Peer))
	})
	return list
}

func (o Options) compare(a, b Node) int {
	byState := compareStates(a, b)
	byName := strings.Compare(a.Name, b.Name)
	switch o.Sort {
	case SortNode:
		return byName
	case SortSessions:
		return cmp.Or(cmp.Compare(b.down(), a.down()), byState, byName)
	case SortVersion:
		return cmp.Or(strings.Compare(a.program(), b.program()), byState, byName)
	}
	return cmp.Or(byState, byName)
}

// compareStates has the worse first.
func compareStates(a, b Node) int {
	return cmp.Compare(slices.Index(States(), a.State), slices.Index(States(), b.State))
}
