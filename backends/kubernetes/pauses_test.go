package kubernetes

import (
	"errors"
	"testing"
	"time"
)

// The waits grow up to a limit that depends on whether the server answers, begin
// anew where it fails in another way, and are never shorter than it asks for.
func TestPauses(t *testing.T) {
	away, refused := errors.New("connection refused"), &statusError{code: 403}
	var p pauses
	for _, step := range []struct {
		err         error
		times       int
		first, last time.Duration // the longest that the first and the last can be
	}{
		{away, 20, 260 * time.Millisecond, 4 * time.Second},
		{refused, 20, 260 * time.Millisecond, longestPause},
		{away, 3, 260 * time.Millisecond, 1040 * time.Millisecond},
		{nil, 1, 2080 * time.Millisecond, 2080 * time.Millisecond}, // one that ended at once is as one that is away
	} {
		first := p.after(step.err)
		last := first
		for range step.times - 1 {
			last = p.after(step.err)
		}
		if first > step.first || first <= 0 || last > step.last || last < step.last*4/10 {
			t.Errorf("%v: from %v to %v, want at most %v and %v", step.err, first, last, step.first, step.last)
		}
	}
	if got := p.after(&statusError{code: 429, retryAfter: time.Minute}); got != time.Minute {
		t.Errorf("%v where the server says a minute", got)
	}
}
