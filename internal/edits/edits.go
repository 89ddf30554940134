// Package edits writes down how one sorted list differs from another, so that of a long
// list of which little changes little is written.
package edits

import (
	"fmt"
	"slices"
)

// Edits make one list of another one, of which most is the same. They are written as
// JSON.
type Edits[T any] struct {
	// Drop are the places in the old list of what the new one has not, or has otherwise.
	Drop []int `json:"drop,omitempty"`
	// Put is what the new list has instead, in its order.
	Put []T `json:"put,omitempty"`
}

// Between are the edits that make new of old. compare is the order of both lists, each
// of which has everything once: where that is not so all is put anew. same says whether
// there is no difference.
func Between[T any](old, new []T, compare func(a, b *T) int, same func(a, b *T) bool) Edits[T] {
	var e Edits[T]
	if len(old) == len(new) && (len(old) == 0 || &old[0] == &new[0]) {
		return e
	}
	if !inOrder(old, compare) || !inOrder(new, compare) {
		for i := range old {
			e.Drop = append(e.Drop, i)
		}
		e.Put = new
		return e
	}
	for i, k := 0, 0; i < len(old) || k < len(new); {
		switch {
		case i == len(old) || k < len(new) && compare(&new[k], &old[i]) < 0:
			e.Put = append(e.Put, new[k])
			k++
		case k == len(new) || compare(&old[i], &new[k]) < 0:
			e.Drop = append(e.Drop, i)
			i++
		case same(&old[i], &new[k]):
			i, k = i+1, k+1
		default:
			e.Drop, e.Put = append(e.Drop, i), append(e.Put, new[k])
			i, k = i+1, k+1
		}
	}
	return e
}

// inOrder says whether a list is sorted, and has everything once.
func inOrder[T any](list []T, compare func(a, b *T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(&list[i-1], &list[i]) >= 0 {
			return false
		}
	}
	return true
}

// Len is how many edits there are; 0: the lists are the same.
func (e Edits[T]) Len() int { return len(e.Drop) + len(e.Put) }

// Of makes the new list of the old one. compare is that of Between. The error says that
// the edits are not of that one.
func (e Edits[T]) Of(old []T, compare func(a, b *T) int) ([]T, error) {
	if e.Len() == 0 {
		return old, nil
	}
	drop := make(map[int]bool, len(e.Drop))
	for _, i := range e.Drop {
		if i < 0 || i >= len(old) || drop[i] {
			return nil, fmt.Errorf("place %d of %d cannot be dropped", i, len(old))
		}
		drop[i] = true
	}
	list, put := make([]T, 0, len(old)-len(drop)+len(e.Put)), e.Put
	for i := range old {
		if drop[i] {
			continue
		}
		for len(put) > 0 && compare(&put[0], &old[i]) < 0 {
			list, put = append(list, put[0]), put[1:]
		}
		list = append(list, old[i])
	}
	return slices.Concat(list, put), nil
}
