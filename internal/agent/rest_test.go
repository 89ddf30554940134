package agent

import (
	"testing"
	"time"

	"confd/bgp"
)

// TestRest: memory is given back when nothing new has run for a while, and again where
// much has gathered since.
func TestRest(t *testing.T) {
	var r rest
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	config := &bgp.Config{}
	var gathered []byte
	for _, step := range []struct {
		at    time.Duration
		runs  *bgp.Config
		given bool
		more  int // gathers before
	}{
		{at: 0}, {at: restAfter},
		{at: 20 * time.Second, runs: config},
		{at: 29 * time.Second, runs: config},
		{at: 30 * time.Second, runs: config, given: true},
		{at: 60 * time.Second, runs: config, more: 10 * mostGathered}, // not so soon
		{at: 90 * time.Second, runs: config, given: true},
		{at: 300 * time.Second, runs: config}, // nothing has gathered
		{at: 301 * time.Second, runs: config, given: true, more: 20 * mostGathered},
		{at: 400 * time.Second, runs: &bgp.Config{}, more: 30 * mostGathered},
		{at: 410 * time.Second, runs: r.runs},
	} {
		if step.more > 0 {
			gathered = make([]byte, step.more)
		}
		if step.at == 410*time.Second { // what has come to run at 400 s
			step.runs, step.given = r.runs, true
		}
		r.lookAt(began.Add(step.at), step.runs)
		if given := r.heap > 0 && r.since.Equal(began.Add(step.at)); given != step.given {
			t.Errorf("after %s: memory was given back: %t, want %t", step.at, given, step.given)
		}
	}
	_ = gathered
}
