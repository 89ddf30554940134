package edits

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEdits makes random lists of others.
func TestEdits(t *testing.T) {
	type item struct{ name, value int }
	compare := func(a, b *item) int { return cmp.Compare(a.name, b.name) }
	same := func(a, b *item) bool { return *a == *b }
	r := rand.New(rand.NewPCG(1, 2))
	list := func(sorted bool) (out []item) {
		for name := range 12 {
			if r.IntN(2) == 0 {
				out = append(out, item{name, r.IntN(2)})
			}
		}
		if !sorted {
			r.Shuffle(len(out), func(i, k int) { out[i], out[k] = out[k], out[i] })
		}
		return out
	}
	for range 5000 {
		old, new := list(r.IntN(10) > 0), list(r.IntN(10) > 0)
		got, err := Between(old, new, compare, same).Of(old, compare)
		if err != nil || !slices.Equal(got, new) {
			t.Fatalf("%v, not %v, came of %v: %v", got, new, old, err)
		}
	}
	old := []item{{1, 1}, {2, 1}, {3, 1}}
	if e := Between(old, []item{{1, 1}, {2, 2}, {3, 1}, {4, 1}}, compare, same); !slices.Equal(e.Drop, []int{1}) || len(e.Put) != 2 {
		t.Errorf("more is edited than differs: %v", e)
	}
	for _, e := range []Edits[item]{{Drop: []int{3}}, {Drop: []int{-1}}, {Drop: []int{1, 1}}} {
		if _, err := e.Of(old, compare); err == nil {
			t.Errorf("%v are edits of %v", e, old)
		}
	}
}
