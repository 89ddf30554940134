package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"confd/internal/testenv"
)

// clockEnvironment is what gives a BIRD a clock of its own: a library that has wall-clock
// time be what a file says it is, and leaves alone the clock that timers run by, which no
// setting moves. nil: it has the machine's.
func (h *Host) clockEnvironment() []string {
	if h.ownClock == "" {
		return nil
	}
	library, file := testenv.FakeTime(h.lab.tb), h.clockFile()
	if _, err := os.Stat(file); err != nil {
		h.SetClock(0)
	}
	return []string{"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "TZ=" + h.ownClock}
}

func (h *Host) clockFile() string { return filepath.Join(h.dir, "clock") }

// SetClock sets the clock of the host's BIRDs, which have their own (HostConfig.OwnClock):
// by how much it is ahead of the machine's.
func (h *Host) SetClock(ahead time.Duration) {
	h.lab.tb.Helper()
	next := h.WriteFile("clock.next", fmt.Sprintf("%+d\n", int64(ahead/time.Second)))
	if err := os.Rename(next, h.clockFile()); err != nil { // BIRD reads it at any moment
		h.lab.tb.Fatal(err)
	}
}
