package guard

import (
	"slices"
	"strings"

	"confd/bgp"
	"confd/internal/guard/outline"
)

// register finds what was seen of a session.
type register struct {
	list []Seen // sorted by name, each once
	last int    // where one was found last
	none Seen
}

// registerOf is the register of what was seen. Of a session that was seen twice, as by
// this program and the one before, what counts is that it is established; or else when
// it was last.
func registerOf(seen []Seen) *register {
	byName := func(a, b Seen) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(seen, byName) {
		seen = slices.SortedStableFunc(slices.Values(seen), byName)
	}
	list := make([]Seen, 0, len(seen))
	for _, s := range seen {
		switch end := len(list) - 1; {
		case end < 0 || list[end].Name != s.Name:
			list = append(list, s)
		case !list[end].Established && !list[end].Last.After(s.Last):
			list[end] = s
		}
	}
	return &register{list: list}
}

// of is what was seen of a session; the zero value where nothing was. It is asked as a
// book is.
func (r *register) of(name string) *Seen {
	if i, found := r.place(name); found {
		return &r.list[i]
	}
	return &r.none
}

func (r *register) place(name string) (int, bool) {
	for i := r.last; i < min(r.last+2, len(r.list)); i++ {
		if r.list[i].Name == name {
			r.last = i
			return i, true
		}
	}
	i, found := slices.BinarySearchFunc(r.list, name, func(s Seen, name string) int { return strings.Compare(s.Name, name) })
	if found {
		r.last = i
	}
	return i, found
}

// without are the sessions that none of the books has of the model's, by name.
func (r *register) without(books ...*outline.Book) []Seen {
	has := make([]bool, len(r.list))
	for k, b := range books {
		if k > 0 && b == books[k-1] {
			continue
		}
		for _, l := range b.Lines {
			if place, found := r.place(l.Name); found && l.Kind != "" {
				has[place] = true
			}
		}
	}
	var out []Seen
	for i, s := range r.list {
		if !has[i] {
			out = append(out, s)
		}
	}
	return out
}

// lineOfSeen is a session of which nothing is known but what was seen of it. Its
// name tells more, where it is one of the model's.
func lineOfSeen(s Seen) *outline.Line {
	l := &outline.Line{Name: s.Name, Neighbor: s.Neighbor}
	if kind, neighbor, port, ok := bgp.ParseSessionName(s.Name); ok {
		l.Kind, l.Neighbor, l.Port = kind, neighbor, port
	}
	if l.Neighbor.IsValid() {
		l.Family = bgp.VersionOf(l.Neighbor)
	}
	return l
}
