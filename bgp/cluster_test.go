package bgp

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestClusterServesAll: what nodes have in common is worked out once, by whichever
// comes first, and each gets what it would get alone.
func TestClusterServesAll(t *testing.T) {
	s := benchState(200, true)
	c := NewCluster(s)
	if c.State() != s {
		t.Error("it is of another state")
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			o := Options{Node: fmt.Sprintf("n%05d", i)}
			got, err := c.Compute(o)
			if err != nil {
				t.Error(err)
				return
			}
			want, err := Compute(s, o)
			if err != nil {
				t.Error(err)
				return
			}
			if diff := cmp.Diff(want, got, compareAddresses()); diff != "" {
				t.Errorf("%s (-alone +together):\n%s", o.Node, diff)
			}
		})
	}
	wg.Wait()
}
