package host

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"confd/reload/control"
)

// startStuckBIRD has a BIRD 3 answer that does not end its recovery, prints times in a
// format, and has started at a time. It returns its socket, and how often the kernel's
// protocol was restarted.
func startStuckBIRD(t *testing.T, format string, started func() time.Time) (socket string, restarts func() int) {
	var mu sync.Mutex
	n := 0
	socket = answering(t, "3.1.8", func(to io.Writer, command string) {
		switch command {
		case "show status":
			at := started().Format(format)
			fmt.Fprintf(to, "1000-BIRD 3.1.8\n1011-Router ID is 10.0.0.1\n Current server time is %s\n Last reboot on %s\n Last reconfiguration on %s\n"+
				"0024-Graceful restart recovery in progress\n   Waiting for 1 channels to recover\n   Wait timer is 0.000/20\n0013 Daemon is up and running\n",
				time.Now().Format(format), at, at)
		case "show protocols":
			fmt.Fprint(to, "2002-Name       Proto      Table      State  Since         Info\n1002-kernel4 Kernel master4 up 10:00:00.000\n0000 \n")
		default:
			mu.Lock()
			n++
			mu.Unlock()
			fmt.Fprintln(to, "0012 kernel4: restarted")
		}
	})
	return socket, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// TestEndRecovery: a BIRD that does not end its recovery has the kernel's protocols
// restarted once after each start, and never where it does not say when that was.
func TestEndRecovery(t *testing.T) {
	for _, tc := range []struct {
		format string
		want   int // after two looks, and after another start and two more
		again  int
	}{
		{time.DateTime, 1, 2},
		{"2.1.2006 15h04", 0, 0}, // one of a user's own
	} {
		started := time.Now().Add(-time.Hour)
		socket, restarts := startStuckBIRD(t, tc.format, func() time.Time { return started })
		h := new(Host)
		look := func() {
			for range 2 {
				if err := talk(t.Context(), socket, func(c *control.Client) error {
					_, err := h.endRecovery(t.Context(), c)
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if look(); restarts() != tc.want {
			t.Errorf("times as %s: restarted %d times, not %d", tc.format, restarts(), tc.want)
		}
		started = started.Add(30 * time.Minute)
		if look(); restarts() != tc.again {
			t.Errorf("times as %s: restarted %d times after another start, not %d", tc.format, restarts(), tc.again)
		}
	}
}
