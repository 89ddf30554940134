// Package recall has what the judgement goes by last from the end of one program to the
// start of the next: what ran, what it was made from, and what was established. It makes
// one Memory of another by what changed, so that little is written.
package recall

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"confd/backends"
	"confd/internal/clock"
	"confd/internal/guard"
	"confd/internal/guard/outline"
)

// Memory is what a program that starts must know of the one before, to judge
// changes as if there had been no end: what ran, what it was made from, and what
// was established. There are no secrets in it, but salted. It is written as JSON.
type Memory struct {
	Node string `json:"node"`
	// At is until when it was so.
	At        time.Time           `json:"at"`
	Hash      string              `json:"hash"` // of the files that ran
	Outline   *outline.Outline    `json:"outline"`
	History   guard.History       `json:"history,omitzero"`
	Seen      []guard.Seen        `json:"seen,omitempty"`
	Announced guard.Announcements `json:"announced,omitempty"`
	Objects   Objects             `json:"objects,omitzero"`
}

// Objects are those of a state that a judgement asks about, sorted by name. The
// values of Secrets are salted.
type Objects struct {
	Nodes             []*backends.Node             `json:"nodes,omitempty"`
	BGPConfigurations []*backends.BGPConfiguration `json:"bgp_configurations,omitempty"`
	BGPPeers          []*backends.BGPPeer          `json:"bgp_peers,omitempty"`
	BGPFilters        []*backends.BGPFilter        `json:"bgp_filters,omitempty"`
	IPPools           []*backends.IPPool           `json:"ip_pools,omitempty"`
	BlockAffinities   []*backends.BlockAffinity    `json:"block_affinities,omitempty"` // this node's
	Secrets           []*backends.Secret           `json:"secrets,omitempty"`
}

// Remember is what is to be remembered while q.Running runs: nil where that is not
// known.
func Remember(q guard.Question) *Memory {
	outline := q.Running.OutlineWith(q.Salt)
	if outline == nil || q.Running.State == nil {
		return nil
	}
	m := &Memory{Node: q.Options.Node, At: q.Now, Hash: q.Running.Hash, Outline: outline, Announced: q.Announced}
	m.Objects = objectsOf(q.Running.State, q.Options.Node, q.Salt)
	if past, ok := q.Oldest(); ok {
		m.History.Past = []guard.Past{past.Moved(func(t time.Time) time.Time { return clock.At(t, q.Now) })}
	}
	for _, s := range q.Seen {
		if s.Established {
			s.Last = time.Time{} // which is At
		}
		if s.Established || q.Within(s.Last) {
			s.Last = clock.At(s.Last, q.Now)
			m.Seen = append(m.Seen, s)
		}
	}
	slices.SortStableFunc(m.Seen, func(a, b guard.Seen) int { return compareSeen(&a, &b) })
	return m
}

func objectsOf(s *backends.State, node string, salt outline.Salt) Objects {
	o := Objects{
		Nodes: sorted(s.Nodes), BGPConfigurations: sorted(s.BGPConfigurations), BGPPeers: sorted(s.BGPPeers),
		BGPFilters: sorted(s.BGPFilters), IPPools: sorted(s.IPPools),
	}
	o.BlockAffinities = slices.DeleteFunc(sorted(s.BlockAffinities), func(a *backends.BlockAffinity) bool { return a.Node != node })
	for _, key := range slices.SortedFunc(maps.Keys(s.Secrets), backends.Key.Compare) {
		o.Secrets = append(o.Secrets, salt.Secret(s.Secrets[key]))
	}
	return o
}

// sorted are the resources of a table that has them by name, in that order.
func sorted[R backends.Resource](table map[string]R) []R {
	list := make([]R, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		list = append(list, table[name])
	}
	return list
}

// Check says what a Memory that was read has null where something must be. There may
// be no Memory.
func (m *Memory) Check() error {
	if m == nil {
		return nil
	}
	outlines := []*outline.Outline{m.Outline}
	for i, p := range m.History.Past {
		if p.Outline == nil {
			return fmt.Errorf("history: item %d has no outline", i)
		}
		outlines = append(outlines, p.Outline)
	}
	for _, o := range outlines {
		if o == nil {
			continue // nothing is known
		}
		if err := noNull("lines", o.Lines); err != nil {
			return err
		}
	}
	o := m.Objects
	return cmp.Or(
		noNull("nodes", o.Nodes), noNull("bgp_configurations", o.BGPConfigurations), noNull("bgp_peers", o.BGPPeers),
		noNull("bgp_filters", o.BGPFilters), noNull("ip_pools", o.IPPools), noNull("block_affinities", o.BlockAffinities),
		noNull("secrets", o.Secrets),
	)
}

func noNull[T any](what string, list []*T) error {
	if i := slices.Index(list, nil); i >= 0 {
		return fmt.Errorf("%s: item %d is null", what, i)
	}
	return nil
}

// Recalled is what a Memory comes to for a Question.
type Recalled struct {
	Running   guard.Side // its Config is not known, its Sets are for the caller to fill in
	History   guard.History
	Seen      []guard.Seen
	Announced guard.Announcements
}

// Recall is what was remembered, at the time when the program began to watch BIRD:
// the time in which nobody did does not count. What is the same in the state of
// now is the same resource there. A Memory of another node is none: false.
func (m *Memory) Recall(node string, now *backends.State, began time.Time, salt outline.Salt) (Recalled, bool) {
	if m == nil || m.Node != node || m.Outline == nil {
		return Recalled{}, false
	}
	r := Recalled{Running: guard.Side{Outline: m.Outline, Hash: m.Hash, State: m.Objects.state(now, salt)}, Announced: m.Announced}
	then := func(t time.Time) time.Time { return began.Add(t.Sub(m.At)) }
	for _, p := range m.History.Past {
		r.History.Past = append(r.History.Past, p.Moved(then))
	}
	for _, s := range m.Seen {
		if s.Established {
			s.Last = m.At
		}
		s.Established, s.Last = false, then(s.Last)
		r.Seen = append(r.Seen, s)
	}
	return r, true
}

// state makes a state of the objects.
func (o Objects) state(now *backends.State, salt outline.Salt) *backends.State {
	s := backends.NewState()
	take(s, now, o.Nodes)
	take(s, now, o.BGPConfigurations)
	take(s, now, o.BGPPeers)
	take(s, now, o.BGPFilters)
	take(s, now, o.IPPools)
	take(s, now, o.BlockAffinities)
	for _, secret := range o.Secrets {
		is, ok := now.Secrets[secret.ResourceKey()]
		if ok && maps.Equal(salt.Secret(is).Data, secret.Data) {
			secret = is
		}
		s.Apply(backends.Event{Key: secret.ResourceKey(), Resource: secret})
	}
	return s
}

// take applies resources to s: those of now, where they are the same.
func take[R backends.Resource](s, now *backends.State, list []R) {
	for _, r := range list {
		e := backends.Event{Key: r.ResourceKey(), Resource: r}
		if is, ok := now.Get(e.Key); ok && reflect.DeepEqual(is, backends.Resource(r)) {
			e.Resource = is
		}
		s.Apply(e)
	}
}

// Since are the objects that differ between what ran and another state, of the kinds
// that are remembered, sorted.
func (r Recalled) Since(node string, now *backends.State) []backends.Key {
	was := r.Running.State
	keys := guard.Differing(guard.ChangedObjects(was, now), was.BlockAffinities, ownAffinities(now, node))
	slices.SortFunc(keys, backends.Key.Compare)
	return keys
}

func ownAffinities(s *backends.State, node string) map[string]*backends.BlockAffinity {
	own := maps.Clone(s.BlockAffinities)
	maps.DeleteFunc(own, func(_ string, a *backends.BlockAffinity) bool { return a.Node != node })
	return own
}

// compareSeen orders what was seen by set and name.
func compareSeen(a, b *guard.Seen) int {
	return cmp.Or(strings.Compare(a.Set, b.Set), strings.Compare(a.Name, b.Name))
}
