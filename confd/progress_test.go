package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"confd/internal/settings"
)

// newTerminal opens a pseudo-terminal: what is written to end is read from screen.
func newTerminal(t *testing.T) (screen, end *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	end, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	return screen, end
}

// TestProgress: somebody who waits for a datastore that says nothing is told so on his
// terminal, and nowhere else; then the line is gone, and the error says what was wrong.
func TestProgress(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	screen, end := newTerminal(t)
	var stdout bytes.Buffer
	ask := func(stderr *os.File) int {
		env := map[string]string{"CONFD_CONFIG_FILE": os.DevNull, "TERM": "xterm", "NODENAME": "node-1"}
		p := program{
			around: settings.Surroundings{LookupEnv: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}, stdout: &stdout, stderr: stderr,
		}
		return p.execute(context.Background(), []string{"doctor", "--sync-timeout", "4s", "--etcd-endpoints", "http://" + silent.Addr().String()})
	}
	if code := ask(end); code != exitFailed || stdout.Len() > 0 {
		t.Errorf("%d %s", code, &stdout)
	}
	_ = end.Close()
	seen, _ := io.ReadAll(screen) // it ends with an error: nobody has the other end
	text := string(seen)
	line := "reading from etcd at http://" + silent.Addr().String()
	if i, j := strings.Index(text, line), strings.Index(text, "\r\x1b[Kconfd: "); i < 0 || j < i {
		t.Errorf("the terminal shows %q", text)
	}
	file, err := os.Create(t.TempDir() + "/stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ask(file)
	if text := read(t, file.Name()); strings.Contains(text, "reading") || strings.ContainsAny(text, "\r\x1b") {
		t.Errorf("a file has %q", text)
	}
}
