package typha

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"confd/backends"
)

// Where no server of Typha's is in step, each kind of reason is told once, and it is
// logged every five minutes that it goes on.
func TestOutageIsSaidOnceAndNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		out := make(chan backends.Update, 10)
		r := newRun(&Backend{log: slog.New(slog.NewTextHandler(&log, nil))}, out)
		for range 11*60 + 1 {
			if !r.failed(t.Context(), &failure{kind: "dial", err: errors.New("connection refused")}) {
				t.Fatal("it says that its context has ended")
			}
			time.Sleep(time.Second)
		}
		if len(out) != 1 {
			t.Errorf("told %d times, expected once", len(out))
		}
		if got := strings.Count(log.String(), "still no server"); got != 2 {
			t.Errorf("logged %d times in 11 minutes, expected 2:\n%s", got, log.String())
		}
	})
}
