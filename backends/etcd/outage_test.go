package etcd

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"confd/backends"
)

// An outage is told when it begins and with the first reason why the server does not
// come back, and then it is logged every five minutes that it goes on.
func TestOutageIsSaidOnceAndNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		out := make(chan backends.Update, 10)
		r := newRun(&Backend{log: slog.New(slog.NewTextHandler(&log, nil))}, out)
		r.recovered()
		fail := func(text string) {
			t.Helper()
			if !r.failed(t.Context(), status.Error(codes.Unavailable, text)) {
				t.Fatal("it says that its context has ended")
			}
		}
		fail("EOF")
		for range 11 * 60 {
			time.Sleep(time.Second)
			fail("connection refused")
		}
		if len(out) != 2 {
			t.Fatalf("told %d times, expected 2", len(out))
		}
		for _, want := range []string{"EOF", "connection refused"} {
			if u := <-out; u.Err == nil || !strings.Contains(u.Err.Error(), want) {
				t.Errorf("told %v, expected %s", u.Err, want)
			}
		}
		if got := strings.Count(log.String(), "still not in step"); got != 2 {
			t.Errorf("logged %d times in 11 minutes, expected 2:\n%s", got, log.String())
		}
		r.recovered()
		fail("EOF")
		if len(out) != 1 {
			t.Error("another outage is not told")
		}
	})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	r := newRun(&Backend{log: slog.New(slog.DiscardHandler)}, nil)
	if r.failed(ended, errors.New("gone")) {
		t.Error("it goes on after its context has ended")
	}
}
