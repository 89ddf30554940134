package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"confd/reload/control"
)

// What cannot be done is logged once. A BIRD that does not answer has a line already.
func TestComplain(t *testing.T) {
	var log strings.Builder
	u := &upkeep{desk: &desk{log: slog.New(slog.NewTextHandler(&log, nil))}, said: map[string]string{}}
	denied := errors.New("denied")
	for _, err := range []error{
		denied, denied, fmt.Errorf("socket: %w", control.ErrHung), control.ErrNotRunning, control.ErrBusy, denied,
	} {
		u.complain("listen bird", "not done", err)
	}
	if got := log.String(); strings.Count(got, "not done") != 1 || !strings.Contains(got, "denied") {
		t.Errorf("expected one line, of what is denied:\n%s", got)
	}
	u.complain("listen bird", "not done", nil)
	u.complain("listen bird", "not done", denied)
	if got := strings.Count(log.String(), "not done"); got != 2 {
		t.Errorf("%d lines, expected another after it has worked:\n%s", got, log.String())
	}
}
