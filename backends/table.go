package backends

import (
	"iter"
	"reflect"
)

// tableParts is into how many parts a Table is divided. Thousands of resources make parts
// of some hundred, of which a change after a copy takes one along.
const tableParts = 64

// Table has resources by their keys, where there can be very many: a copy costs next to
// nothing, and a change after it a small part of the table. The zero value is empty. It
// may be read by several goroutines at once.
type Table[R any] struct {
	parts []tablePart[R] // none, or tableParts
	n     int
}

// tablePart are the resources whose keys fall into one part.
type tablePart[R any] struct {
	resources map[Key]R
	own       bool // no other table has the same map
}

// Get is the resource under a key; the zero value where there is none.
func (t Table[R]) Get(k Key) (r R, there bool) {
	if len(t.parts) == 0 {
		return r, false
	}
	r, there = t.parts[partOf(k)].resources[k]
	return r, there
}

// Len is how many resources there are.
func (t Table[R]) Len() int { return t.n }

// All are the resources, in no order.
func (t Table[R]) All() iter.Seq2[Key, R] {
	return func(yield func(Key, R) bool) {
		for _, p := range t.parts {
			for k, r := range p.resources {
				if !yield(k, r) {
					return
				}
			}
		}
	}
}

// Equal says whether both have resources that say the same.
func (t Table[R]) Equal(o Table[R]) bool {
	if t.n != o.n {
		return false
	}
	for k, r := range t.All() {
		if is, there := o.Get(k); !there || !reflect.DeepEqual(is, r) {
			return false
		}
	}
	return true
}

// shared is a table with the same resources, that can be changed and leaves t as it is.
// t must not be changed after that.
func (t Table[R]) shared() Table[R] {
	parts := make([]tablePart[R], len(t.parts))
	for i, p := range t.parts {
		parts[i].resources = p.resources
	}
	return Table[R]{parts, t.n}
}

// clone is a table with the same resources. Both can be changed.
func (t Table[R]) clone() Table[R] {
	c := t.shared()
	for i := range c.parts {
		c.parts[i] = tablePart[R]{ownMap(c.parts[i].resources), true}
	}
	return c
}

// put stores r under k.
func (t *Table[R]) put(k Key, r R) {
	p := t.owned(k)
	before := len(p.resources)
	p.resources[k] = r
	t.n += len(p.resources) - before
}

// remove takes away what is under k.
func (t *Table[R]) remove(k Key) {
	if _, there := t.Get(k); there {
		delete(t.owned(k).resources, k)
		t.n--
	}
}

// owned is the part of a key, which no other table has.
func (t *Table[R]) owned(k Key) *tablePart[R] {
	if len(t.parts) == 0 {
		t.parts = make([]tablePart[R], tableParts)
	}
	p := &t.parts[partOf(k)]
	if !p.own {
		p.resources, p.own = ownMap(p.resources), true
	}
	return p
}

// partOf is a key's part: a hash (FNV-1a) of its names, the same at all times.
func partOf(k Key) int {
	h := uint32(2166136261)
	for _, name := range [2]string{k.Namespace, k.Name} {
		for i := range len(name) {
			h = (h ^ uint32(name[i])) * 16777619
		}
	}
	return int((h ^ h>>16) % tableParts)
}
