package agent

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"confd/internal/guard"
)

// TestSightingsAreSorted: whatever was seen, lost and forgotten, all sightings come
// once, by set and name.
func TestSightingsAreSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var k sightings
	now, most := time.Unix(0, 0), 0
	for range 2000 {
		now = now.Add(time.Second)
		set := []string{"bird", "bird6"}[r.IntN(2)]
		names := []string{fmt.Sprint(r.IntN(20)), fmt.Sprint(r.IntN(20))}
		switch r.IntN(4) {
		case 0:
			k.saw(now, set, []guard.Seen{{Name: names[0]}, {Name: names[1]}})
		case 1:
			k.lost(now, set, names)
		case 2:
			k.presume(now, set, names)
		default:
			k.forget(now.Add(-time.Duration(r.IntN(30)) * time.Second))
		}
		var want []guard.Seen
		for _, of := range k.last {
			for _, s := range of {
				want = append(want, s)
			}
		}
		slices.SortFunc(want, func(a, b guard.Seen) int { return cmp.Or(cmp.Compare(a.Set, b.Set), cmp.Compare(a.Name, b.Name)) })
		got := k.all()
		if !slices.EqualFunc(got, want, func(a, b guard.Seen) bool {
			return a.Set == b.Set && a.Name == b.Name && a.Established == b.Established && a.Last.Equal(b.Last)
		}) {
			t.Fatalf("all sightings are %v, want %v", got, want)
		}
		most = max(most, len(got))
	}
	if most < 10 {
		t.Errorf("never more than %d sightings: this tests nothing", most)
	}
}
