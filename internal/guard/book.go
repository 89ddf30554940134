package guard

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"confd/backends"
)

// book finds the sessions of an outline.
type book struct {
	// lines are sorted by family and name; last is where one was found last by these.
	lines []Line
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

// bookOf is the book of an outline. Its lines are the outline's own, but where these
// are in another order, as what was seen of sessions is.
func bookOf(o *Outline) *book {
	lines := o.Lines
	inOrder := func(a, b Line) int { return lineKey{b.Family, b.Name}.compare(&a) }
	if !slices.IsSortedFunc(lines, inOrder) {
		lines = slices.SortedStableFunc(slices.Values(lines), inOrder)
	}
	return &book{lines: lines}
}

// nowhere is the place of a line that is not there.
const nowhere = -1

// named is the place of the session of a name. Who asks for many mostly does so in
// their order: it is looked first where the last one was, and behind it.
func (b *book) named(family int, name string) int {
	key := lineKey{family, name}
	for i := b.last; i < min(b.last+2, len(b.lines)); i++ {
		if b.lines[i].Name == name && b.lines[i].Family == family {
			b.last = i
			return i
		}
	}
	i, found := slices.BinarySearchFunc(b.lines, key, func(l Line, k lineKey) int { return k.compare(&l) })
	if !found {
		return nowhere
	}
	b.last = i
	return i
}

// line is the line at a place; nil: there is none.
func (b *book) line(place int) *Line {
	if place == nowhere {
		return nil
	}
	return &b.lines[place]
}

// index makes the other ways to find a session.
func (b *book) index() {
	if b.byNeighbor != nil {
		return
	}
	b.byNeighbor, b.byNode, b.byObject = make(map[netip.Addr][]int, len(b.lines)), map[lineKey]int{}, map[objectKey]int{}
	for i := range b.lines {
		l := &b.lines[i]
		b.byNeighbor[l.Neighbor] = append(b.byNeighbor[l.Neighbor], i)
		node := lineKey{l.Family, l.Node}
		if _, known := b.byNode[node]; l.Node == "" {
			b.byObject[objectKey{l.Family, l.Object}] = i
		} else if !known {
			b.byNode[node] = i
		}
	}
}

// at says whether there is a session with that neighbor.
func (b *book) at(neighbor netip.Addr) bool {
	b.index()
	return len(b.byNeighbor[neighbor]) > 0
}

// find returns the place of what l is in the book: the session of its name; or that
// with its neighbor and port, a node's whatever the port, since it speaks BGP once; or
// that with the node that was behind it, or of the BGPPeer that asked for it. It is
// nowhere where it is not there any more.
func (b *book) find(l *Line) int {
	if i := b.named(l.Family, l.Name); i != nowhere {
		return i
	}
	b.index()
	for _, i := range b.byNeighbor[l.Neighbor] {
		if l.Port == 0 || l.Port == b.lines[i].Port || b.lines[i].Node != "" {
			return i
		}
	}
	i, found := b.byNode[lineKey{l.Family, l.Node}]
	if l.Node == "" {
		i, found = b.byObject[objectKey{l.Family, l.Object}]
	}
	if !found {
		return nowhere
	}
	return i
}

// fate is what becomes of a session.
type fate int

const (
	kept    fate = iota
	remade       // BIRD makes it anew, on other terms or under another name
	removed      // it is gone
)

// fateOf is what becomes of l where the book's outline runs, and what it is there.
func (b *book) fateOf(l *Line) (fate, *Line) {
	found := b.line(b.find(l))
	switch {
	case found == nil:
		return removed, nil
	case found.Name == l.Name && (!l.Terms.known() || found.Terms == l.Terms && found.Port == l.Port):
		return kept, found
	}
	return remade, found
}
