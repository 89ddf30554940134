package agent

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/outline"
	"confd/internal/plan"
)

// What is known as the outline of what runs is of that very configuration, also where
// another one makes the same files.
func TestOutlineOfWhatRuns(t *testing.T) {
	m := newMemory("node-1", time.Now())
	candidate := func(hash string, sessions int) *plan.Candidate {
		c := &bgp.Config{IPv4: bgp.Family{Version: 4}, IPv6: bgp.Family{Version: 6}}
		for i := range sessions {
			c.IPv4.Sessions = append(c.IPv4.Sessions, &bgp.Session{Name: fmt.Sprint("s", i)})
		}
		return &plan.Candidate{Hash: hash, Config: c}
	}
	var was *plan.Candidate
	for i, step := range []struct{ judged, live *plan.Candidate }{
		{candidate("a", 1), nil},
		{candidate("a", 2), nil}, // the same files
		{candidate("b", 3), nil},
		{candidate("c", 4), candidate("c", 5)}, // it was worked out anew meanwhile
		{candidate("d", 6), candidate("e", 7)}, // it was not judged at all
		{candidate("e", 8), nil},
	} {
		v := guard.Verdict{Outline: outline.Of(step.judged.Config, m.salt)}
		if was != nil && was.Hash == step.judged.Hash {
			v.Outline = m.outline
		}
		m.judged(step.judged, v)
		live := step.live
		if live == nil {
			live = step.judged
		}
		m.live(time.Now(), live, was, nil)
		if want := outline.Of(live.Config, m.salt); m.outline != nil && !reflect.DeepEqual(m.outline, want) || m.outline == nil && step.live == nil {
			t.Errorf("step %d: %+v, want %+v", i, m.outline, want)
		}
		was = live
	}
}
