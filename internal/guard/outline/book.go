package outline

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// Book finds the sessions of an outline.
type Book struct {
	// Lines are sorted by family and name; last is where one was found last by these.
	Lines []*Line
	last  int
	// The others have places in lines. They are made when a session is not found by its
	// name.
	byNeighbor map[netip.Addr][]int
	byNode     map[lineKey]int
	// byObject has the session of each BGPPeer at a router: it asks for one.
	byObject map[objectKey]int
}

// lineKey is a name in one family.
type lineKey struct {
	family int
	name   string
}

// compare puts a line before or behind the key.
func (k lineKey) compare(l *Line) int {
	return cmp.Or(cmp.Compare(l.Family, k.family), strings.Compare(l.Name, k.name))
}

// objectKey is an object in one family.
type objectKey struct {
	family int
	object backends.Key
}

// BookOf is the book of an outline. Its lines are the outline's own, but where these
// are in another order, as what was seen of sessions is.
func BookOf(o *Outline) *Book {
	lines := o.Lines
	if !slices.IsSortedFunc(lines, Compare) {
		lines = slices.SortedStableFunc(slices.Values(lines), Compare)
	}
	return &Book{Lines: lines}
}

// Nowhere is the place of a line that is not there.
const Nowhere = -1

// Named is the place of the session of a name. Who asks for many mostly does so in
// their order: it is looked first where the last one was, and behind it.
func (b *Book) Named(family int, name string) int {
	key := lineKey{family, name}
	for i := b.last; i < min(b.last+2, len(b.Lines)); i++ {
		if b.Lines[i].Name == name && b.Lines[i].Family == family {
			b.last = i
			return i
		}
	}
	i, found := slices.BinarySearchFunc(b.Lines, key, func(l *Line, k lineKey) int { return k.compare(l) })
	if !found {
		return Nowhere
	}
	b.last = i
	return i
}

// Line is the line at a place; nil: there is none.
func (b *Book) Line(place int) *Line {
	if place == Nowhere {
		return nil
	}
	return b.Lines[place]
}

// index makes the other ways to find a session.
func (b *Book) index() {
	if b.byNeighbor != nil {
		return
	}
	b.byNeighbor, b.byNode, b.byObject = make(map[netip.Addr][]int, len(b.Lines)), map[lineKey]int{}, map[objectKey]int{}
	for i, l := range b.Lines {
		b.byNeighbor[l.Neighbor] = append(b.byNeighbor[l.Neighbor], i)
		node := lineKey{l.Family, l.Node}
		if _, known := b.byNode[node]; l.Node == "" {
			b.byObject[objectKey{l.Family, l.Object}] = i
		} else if !known {
			b.byNode[node] = i
		}
	}
}

// At says whether there is a session with that neighbor.
func (b *Book) At(neighbor netip.Addr) bool {
	b.index()
	return len(b.byNeighbor[neighbor]) > 0
}

// Find returns the place of what l is in the book: the session of its name; or that
// with its neighbor and port, a node's whatever the port, since it speaks BGP once; or
// that with the node that was behind it, or of the BGPPeer that asked for it. It is
// Nowhere where it is not there any more.
func (b *Book) Find(l *Line) int {
	if i := b.Named(l.Family, l.Name); i != Nowhere {
		return i
	}
	b.index()
	for _, i := range b.byNeighbor[l.Neighbor] {
		if l.Port == 0 || l.Port == b.Lines[i].Port || b.Lines[i].Node != "" {
			return i
		}
	}
	i, found := b.byNode[lineKey{l.Family, l.Node}]
	if l.Node == "" {
		i, found = b.byObject[objectKey{l.Family, l.Object}]
	}
	if !found {
		return Nowhere
	}
	return i
}

// Fate is what becomes of a session.
type Fate int

// What becomes of a session.
const (
	Kept    Fate = iota
	Remade       // BIRD makes it anew, on other terms or under another name
	Removed      // it is gone
)

// FateOf is what becomes of l where the book's outline runs, and what it is there.
func (b *Book) FateOf(l *Line) (Fate, *Line) {
	found := b.Line(b.Find(l))
	switch {
	case found == nil:
		return Removed, nil
	case found == l || found.Name == l.Name && (!l.Terms.Known() || found.Terms == l.Terms && found.Port == l.Port):
		return Kept, found
	}
	return Remade, found
}

// Compare orders sessions as outlines have them.
func Compare(a, b *Line) int { return lineKey{b.Family, b.Name}.compare(a) }
