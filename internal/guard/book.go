package guard

import (
	"net/netip"

	"confd/backends"
)

// book finds the sessions of an outline.
type book struct {
	lines  []Line
	byName map[lineKey]*Line
	// The others are made when a session is not found by its name.
	byNeighbor map[netip.Addr][]*Line
	byNode     map[lineKey]*Line
	// byObject has the session of each BGPPeer at a router: it asks for one.
	byObject map[objectKey]*Line
}

// lineKey is a name in one family.
type lineKey struct {
	family int
	name   string
}

// objectKey is an object in one family.
type objectKey struct {
	family int
	object backends.Key
}

func bookOf(o *Outline) *book {
	b := &book{lines: o.Lines, byName: make(map[lineKey]*Line, len(o.Lines))}
	for i := range o.Lines {
		l := &o.Lines[i]
		b.byName[lineKey{l.Family, l.Name}] = l
	}
	return b
}

// index makes the other ways to find a session.
func (b *book) index() {
	if b.byNeighbor != nil {
		return
	}
	b.byNeighbor, b.byNode, b.byObject = make(map[netip.Addr][]*Line, len(b.lines)), map[lineKey]*Line{}, map[objectKey]*Line{}
	for i := range b.lines {
		l := &b.lines[i]
		b.byNeighbor[l.Neighbor] = append(b.byNeighbor[l.Neighbor], l)
		switch node := (lineKey{l.Family, l.Node}); {
		case l.Node == "":
			b.byObject[objectKey{l.Family, l.Object}] = l
		case b.byNode[node] == nil:
			b.byNode[node] = l
		}
	}
}

// has says whether there is a session of that name, made by the model.
func (b *book) has(name string) bool {
	for _, family := range []int{4, 6} {
		if l := b.byName[lineKey{family, name}]; l != nil && l.Kind != "" {
			return true
		}
	}
	return false
}

// at says whether there is a session with that neighbor.
func (b *book) at(neighbor netip.Addr) bool {
	b.index()
	return len(b.byNeighbor[neighbor]) > 0
}

// find returns what l is in the book: the session of its name; or that with its
// neighbor and port, a node's whatever the port, since it speaks BGP once; or that
// with the node that was behind it, or of the BGPPeer that asked for it. nil: it is
// not there any more.
func (b *book) find(l Line) *Line {
	if found := b.byName[lineKey{l.Family, l.Name}]; found != nil {
		return found
	}
	b.index()
	for _, found := range b.byNeighbor[l.Neighbor] {
		if l.Port == 0 || l.Port == found.Port || found.Node != "" {
			return found
		}
	}
	if l.Node == "" {
		return b.byObject[objectKey{l.Family, l.Object}]
	}
	return b.byNode[lineKey{l.Family, l.Node}]
}

// fate is what becomes of a session.
type fate int

const (
	kept    fate = iota
	remade       // BIRD makes it anew, on other terms or under another name
	removed      // it is gone
)

// fateOf is what becomes of l where the book's outline runs, and what it is there.
func (b *book) fateOf(l Line) (fate, *Line) {
	found := b.find(l)
	switch {
	case found == nil:
		return removed, nil
	case found.Name == l.Name && (!l.Terms.known() || found.Terms == l.Terms && found.Port == l.Port):
		return kept, found
	}
	return remade, found
}
