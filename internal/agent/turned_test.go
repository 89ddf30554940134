package agent

import (
	"log/slog"
	"testing"
	"time"

	"confd/internal/clock/clocktest"
	"confd/internal/notify"
)

// TestTurnedWhereTheClockIsSet: a loop that has turned a moment ago is not taken for one
// that hangs, nor one that hangs for one that turns.
func TestTurnedWhereTheClockIsSet(t *testing.T) {
	o := &observer{notifier: notify.New(slog.New(slog.DiscardHandler))}
	if !o.turnedAt().IsZero() {
		t.Error("it has turned before it began")
	}
	o.turned()
	for _, by := range []time.Duration{0, 2 * time.Hour, -2 * time.Hour} {
		if ago := clocktest.Set(time.Now(), by).Sub(o.turnedAt()); ago < 0 || ago > time.Minute {
			t.Errorf("the clock was set by %v: it turned %v ago", by, ago)
		}
	}
}
