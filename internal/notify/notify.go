// Package notify tells the outside that the program is ready, and that it is
// alive: systemd, where it started the program, and whoever looks for a file.
package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"confd/internal/foreign"
)

// Notifier tells systemd (sd_notify(3)) what the program is doing. Where systemd
// did not start it (NOTIFY_SOCKET is not set) it does nothing. It is for one
// goroutine, and its methods may be called as often as one likes: what systemd
// knows already is not said again.
type Notifier struct {
	log      *slog.Logger
	interval time.Duration
	beat     time.Time
	phase    phase
	status   string
	failed   bool
}

// phase is what systemd was told last.
type phase int

const (
	starting phase = iota
	ready
	reloading
	stopping
)

// New makes a Notifier out of what systemd has set: NOTIFY_SOCKET,
// WATCHDOG_USEC, WATCHDOG_PID. The log is told where systemd cannot be.
func New(log *slog.Logger) *Notifier {
	n := &Notifier{log: log}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog cannot be fed: it will end this program", "error", err)
	}
	n.interval = limit / 2
	return n
}

// Interval is how often Beat must be called at least: half the time after which
// systemd takes the program for dead. 0: there is no watchdog.
func (n *Notifier) Interval() time.Duration { return n.interval }

// Beat says that the program is alive. Call it where the program turns, as often
// as it turns: systemd is told no more than it needs.
func (n *Notifier) Beat() {
	if now := time.Now(); n.interval > 0 && now.Sub(n.beat) >= n.interval/2 {
		n.beat = now
		n.send(daemon.SdNotifyWatchdog)
	}
}

// Ready says that the program is ready, or has reloaded.
func (n *Notifier) Ready() {
	if n.phase == starting || n.phase == reloading {
		n.phase = ready
		n.send(daemon.SdNotifyReady)
	}
}

// Reloading says that the program takes a new configuration; Ready must follow.
// Before the first Ready nothing is said: the program is starting.
func (n *Notifier) Reloading() {
	if n.phase != ready {
		return
	}
	n.phase = reloading
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		n.fail(err)
		return
	}
	n.send(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

// Stopping says that the program ends.
func (n *Notifier) Stopping() {
	if n.phase != stopping {
		n.phase = stopping
		n.send(daemon.SdNotifyStopping)
	}
}

// Status is one line of text that systemctl status shows.
func (n *Notifier) Status(text string) {
	if text != n.status {
		n.status = text
		n.send("STATUS=" + text)
	}
}

func (n *Notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.fail(err)
		return
	}
	n.failed = false
}

// fail logs the first of several failures.
func (n *Notifier) fail(err error) {
	if !n.failed {
		n.failed = true
		n.log.Warn("systemd cannot be told how the program is: NOTIFY_SOCKET must be a socket that it may write to", "error", err)
	}
}

// ReadyFile makes an empty file at path, or removes it: it is there while the
// program is ready. An empty path stands for no file. Where the file is already
// as it should be nothing is done. The folder may be another user's: what else lies
// in the file's place is replaced, and no link is followed.
func ReadyFile(path string, ready bool) error {
	if path == "" {
		return nil
	}
	if !ready {
		if err := foreign.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the file that says ready: %w", err)
		}
		return nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err := foreign.PutFile(path, nil, foreign.Attr{Mode: 0o644, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("making the file that says ready (its folder must be there, and writable): %w", err)
	}
	return nil
}
