package clock

import (
	"testing"
	"time"

	"confd/internal/clock/clocktest"
)

func TestAt(t *testing.T) {
	began := time.Now()
	read := began.Round(0).Add(-time.Minute) // from a file
	for _, by := range []time.Duration{0, 2 * time.Hour, -50 * time.Hour, 30 * 365 * 24 * time.Hour} {
		now := clocktest.Set(began.Add(10*time.Second), by)
		if got := now.Sub(began); got != 10*time.Second {
			t.Fatalf("set by %v: %v have passed", by, got)
		}
		if got, want := At(began, now), began.Add(by); !got.Round(0).Equal(want.Round(0)) || now.Sub(got) != 10*time.Second {
			t.Errorf("set by %v: %v, not %v; %v ago", by, got, want, now.Sub(got))
		}
		if again := At(began, clocktest.Set(began.Add(20*time.Second), by+300*time.Nanosecond)); by != 0 && !again.Round(0).Equal(At(began, now).Round(0)) {
			t.Errorf("set by %v: it wavers by %v", by, again.Sub(At(began, now)))
		}
		own := At(read, began)
		if !own.Equal(read) || now.Sub(own) != 70*time.Second {
			t.Errorf("set by %v: what was read is %v, %v ago", by, own, now.Sub(own))
		}
	}
	if !At(time.Time{}, began).IsZero() {
		t.Error("what never was has a time")
	}
	if near := began.Add(300 * time.Millisecond); At(near, began) != near {
		t.Error("a time wavers")
	}
}
