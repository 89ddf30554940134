package cached

import (
	"testing"
	"time"
)

func TestAsksOnceAtATime(t *testing.T) {
	asked := 0
	c := Answer[int]{Keep: time.Hour, Ask: func() int { asked++; return asked }}
	for range 2 {
		if got := c.Get(); got != 1 {
			t.Errorf("%d: it asked again", got)
		}
	}
	c.Keep = 0
	if c.Get() != 2 {
		t.Error("what is too old is still given")
	}
}
