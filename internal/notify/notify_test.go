package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/testenv"
)

// systemd is the socket that systemd would give the program.
func systemd(t *testing.T) (listen *net.UnixConn) {
	t.Helper()
	path := filepath.Join(testenv.SocketDir(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

// said is all that was sent to the socket, a datagram a line.
func said(t *testing.T, conn *net.UnixConn) []string {
	t.Helper()
	var all []string
	buf := make([]byte, 4096)
	for {
		// What was sent is there already.
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.ReplaceAll(string(buf[:n]), "\n", " "))
	}
}

func TestNotifierTellsWhatIsNew(t *testing.T) {
	conn := systemd(t)
	n := New(slog.New(slog.DiscardHandler))
	n.Reloading() // not before it was ready
	n.Status("waiting for etcd")
	n.Status("waiting for etcd")
	n.Ready()
	n.Ready()
	n.Reloading()
	n.Reloading()
	n.Ready()
	n.Beat() // there is no watchdog
	n.Stopping()
	n.Stopping()
	n.Ready() // too late
	got := strings.Join(said(t, conn), "\n")
	want := `^STATUS=waiting for etcd
READY=1
RELOADING=1 MONOTONIC_USEC=\d{4,}
READY=1
STOPPING=1$`
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("systemd was told\n%s\nand not\n%s", got, want)
	}
}

func TestNotifierFeedsTheWatchdog(t *testing.T) {
	conn := systemd(t)
	t.Setenv("WATCHDOG_USEC", "3600000000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	n := New(slog.New(slog.DiscardHandler))
	if got := n.Interval(); got != 30*time.Minute {
		t.Errorf("Interval is %v, half an hour is half of what systemd says", got)
	}
	n.Beat()
	n.Beat() // so soon, nothing is said
	if got := said(t, conn); len(got) != 1 || got[0] != "WATCHDOG=1" {
		t.Errorf("systemd was told %q", got)
	}
	n.beat = n.beat.Add(-16 * time.Minute)
	n.Beat()
	if got := said(t, conn); len(got) != 1 {
		t.Errorf("a quarter of an hour later systemd was told %q", got)
	}
}

func TestNotifierOfAnotherProcessHasNoWatchdog(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1")
	if got := New(slog.New(slog.DiscardHandler)).Interval(); got != 0 {
		t.Errorf("Interval is %v: the watchdog is that of process 1", got)
	}
}

func TestNotifierWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	var log strings.Builder
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	n.Ready()
	n.Status("x")
	n.Stopping()
	if log.Len() > 0 {
		t.Errorf("it says\n%s", &log)
	}
}

func TestNotifierLogsOnce(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	var log strings.Builder
	n := New(slog.New(slog.NewTextHandler(&log, nil)))
	n.Ready()
	n.Status("x")
	if got := strings.Count(log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings, not one:\n%s", got, &log)
	}
}

func TestReadyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ready")
	for _, ready := range []bool{false, true, true, false, false} {
		if err := ReadyFile(path, ready); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if (err == nil) != ready {
			t.Errorf("ready is %v, and looking for the file gives %v", ready, err)
		}
		if err == nil && info.Mode() != 0o644 {
			t.Errorf("its mode is %v", info.Mode())
		}
	}
	if err := ReadyFile("", true); err != nil {
		t.Error(err)
	}
	if err := ReadyFile(filepath.Join(path, "below", "nothing"), false); err != nil {
		t.Errorf("there is no file in a folder that is not there: %v", err)
	}
	err := ReadyFile(filepath.Join(path, "below", "nothing"), true)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "folder") {
		t.Errorf("in a folder that is not there: %v", err)
	}
}

// What somebody plants in the file's place leads us nowhere.
func TestPlantedReadyFile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for name, plant := range map[string]func(path string) error{
		"dangling link": func(path string) error { return os.Symlink(outside, path) },
		"link":          func(path string) error { return os.Symlink(os.Args[0], path) },
		"FIFO":          func(path string) error { return syscall.Mkfifo(path, 0o666) },
	} {
		for _, ready := range []bool{true, false} {
			path := filepath.Join(t.TempDir(), "ready")
			if err := plant(path); err != nil {
				t.Fatal(err)
			}
			if err := ReadyFile(path, ready); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			info, err := os.Lstat(path)
			if (err == nil) != ready || ready && (!info.Mode().IsRegular() || info.Size() > 0) {
				t.Errorf("%s: ready is %v, and there is %v, %v", name, ready, info, err)
			}
			for path, want := range map[string]bool{outside: false, os.Args[0]: true} {
				if _, err := os.Stat(path); (err == nil) != want {
					t.Errorf("%s: %s is there: %v", name, path, !want)
				}
			}
		}
	}
}
