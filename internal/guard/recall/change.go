package recall

import (
	"cmp"
	"errors"
	"net/netip"
	"time"

	"confd/backends"
	"confd/internal/edits"
	"confd/internal/guard"
	"confd/internal/guard/outline"
)

// Change makes one Memory of another one. Nearly all of a Memory are sessions and
// Nodes, which stay as they are where a cluster is large. It is written as JSON.
type Change struct {
	At        time.Time               `json:"at"`
	Hash      string                  `json:"hash"`
	Outline   outlineChange           `json:"outline"`
	Past      []pastChange            `json:"past,omitempty"`
	Seen      edits.Edits[guard.Seen] `json:"seen,omitzero"`
	Announced guard.Announcements     `json:"announced,omitempty"`
	Objects   objectsChange           `json:"objects,omitzero"`
}

// outlineChange makes an Outline of another one.
type outlineChange struct {
	Lines     edits.Edits[*outline.Line] `json:"lines,omitzero"`
	Told      []outline.Told             `json:"told,omitempty"`
	Addresses [2]netip.Addr              `json:"addresses"`
	Reflector bool                       `json:"reflector,omitempty"`
}

// pastChange is a Past whose Outline is made of that of what runs.
type pastChange struct {
	guard.Past               // but for its Outline
	Outline    outlineChange `json:"outline"`
}

type objectsChange struct {
	Nodes             edits.Edits[*backends.Node]             `json:"nodes,omitzero"`
	BGPConfigurations edits.Edits[*backends.BGPConfiguration] `json:"bgp_configurations,omitzero"`
	BGPPeers          edits.Edits[*backends.BGPPeer]          `json:"bgp_peers,omitzero"`
	BGPFilters        edits.Edits[*backends.BGPFilter]        `json:"bgp_filters,omitzero"`
	IPPools           edits.Edits[*backends.IPPool]           `json:"ip_pools,omitzero"`
	BlockAffinities   edits.Edits[*backends.BlockAffinity]    `json:"block_affinities,omitzero"`
	Secrets           edits.Edits[*backends.Secret]           `json:"secrets,omitzero"`
}

// Since is what makes m of another Memory of the same node.
func (m *Memory) Since(base *Memory) Change {
	c := Change{
		At: m.At, Hash: m.Hash, Announced: m.Announced, Outline: outlineSince(base.Outline, m.Outline),
		Seen: edits.Between(base.Seen, m.Seen, compareSeen, sameSeen),
		Objects: objectsChange{
			Nodes:             resourceEdits(base.Objects.Nodes, m.Objects.Nodes),
			BGPConfigurations: resourceEdits(base.Objects.BGPConfigurations, m.Objects.BGPConfigurations),
			BGPPeers:          resourceEdits(base.Objects.BGPPeers, m.Objects.BGPPeers),
			BGPFilters:        resourceEdits(base.Objects.BGPFilters, m.Objects.BGPFilters),
			IPPools:           resourceEdits(base.Objects.IPPools, m.Objects.IPPools),
			BlockAffinities:   resourceEdits(base.Objects.BlockAffinities, m.Objects.BlockAffinities),
			Secrets:           resourceEdits(base.Objects.Secrets, m.Objects.Secrets),
		},
	}
	for _, p := range m.History.Past {
		c.Past = append(c.Past, pastChange{p, outlineSince(base.Outline, p.Outline)})
	}
	return c
}

// With is the Memory that a change makes of m. The error says that the change is not one
// of m.
func (m *Memory) With(c Change) (*Memory, error) {
	if m.Outline == nil {
		return nil, errors.New("there is nothing to change")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	out := &Memory{Node: m.Node, At: c.At, Hash: c.Hash, Announced: c.Announced}
	var err error
	note := func(e error) { err = cmp.Or(err, e) }
	changed := func(c outlineChange) *outline.Outline {
		o, e := c.of(m.Outline)
		note(e)
		return o
	}
	out.Outline = changed(c.Outline)
	for _, p := range c.Past {
		p.Past.Outline = changed(p.Outline)
		out.History.Past = append(out.History.Past, p.Past)
	}
	var e error
	out.Seen, e = c.Seen.Of(m.Seen, compareSeen)
	note(e)
	was, is := &m.Objects, &out.Objects
	note(takeEdits(&is.Nodes, was.Nodes, c.Objects.Nodes))
	note(takeEdits(&is.BGPConfigurations, was.BGPConfigurations, c.Objects.BGPConfigurations))
	note(takeEdits(&is.BGPPeers, was.BGPPeers, c.Objects.BGPPeers))
	note(takeEdits(&is.BGPFilters, was.BGPFilters, c.Objects.BGPFilters))
	note(takeEdits(&is.IPPools, was.IPPools, c.Objects.IPPools))
	note(takeEdits(&is.BlockAffinities, was.BlockAffinities, c.Objects.BlockAffinities))
	note(takeEdits(&is.Secrets, was.Secrets, c.Objects.Secrets))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// check says what was read is null where something must be.
func (c Change) check() error {
	for _, p := range c.Past {
		if err := noNull("lines", p.Outline.Lines.Put); err != nil {
			return err
		}
	}
	return cmp.Or(noNull("lines", c.Outline.Lines.Put), c.Objects.check())
}

func (c objectsChange) check() error {
	return cmp.Or(
		noNull("nodes", c.Nodes.Put), noNull("bgp_configurations", c.BGPConfigurations.Put), noNull("bgp_peers", c.BGPPeers.Put),
		noNull("bgp_filters", c.BGPFilters.Put), noNull("ip_pools", c.IPPools.Put), noNull("block_affinities", c.BlockAffinities.Put),
		noNull("secrets", c.Secrets.Put),
	)
}

func compareLines(a, b **outline.Line) int { return outline.Compare(*a, *b) }

func outlineSince(base, o *outline.Outline) outlineChange {
	lines := edits.Between(base.Lines, o.Lines, compareLines, func(a, b **outline.Line) bool { return *a == *b || **a == **b })
	return outlineChange{lines, o.Told, o.Addresses, o.Reflector}
}

func (c outlineChange) of(base *outline.Outline) (*outline.Outline, error) {
	lines, err := c.Lines.Of(base.Lines, compareLines)
	return &outline.Outline{Lines: lines, Told: c.Told, Addresses: c.Addresses, Reflector: c.Reflector}, err
}

func sameSeen(a, b *guard.Seen) bool {
	return a.Established == b.Established && a.Last.Equal(b.Last) && a.Neighbor == b.Neighbor &&
		(a.Counts == b.Counts || a.Counts != nil && b.Counts != nil && *a.Counts == *b.Counts)
}

// resourceEdits are the edits of resources, which never change: the same one is the same
// pointer.
func resourceEdits[R interface {
	comparable
	backends.Resource
}](old, new []R) edits.Edits[R] {
	return edits.Between(old, new, compareResources[R], func(a, b *R) bool { return *a == *b })
}

func compareResources[R backends.Resource](a, b *R) int {
	return (*a).ResourceKey().Compare((*b).ResourceKey())
}

func takeEdits[R backends.Resource](into *[]R, old []R, e edits.Edits[R]) (err error) {
	*into, err = e.Of(old, compareResources[R])
	return err
}
