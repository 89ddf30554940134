package testenv

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NewSilentLab is a network of a client and a server, with a listener in the
// server's namespace. The client knows where to send packets without asking, so
// that nothing tells it that they do not arrive.
func NewSilentLab(t testing.TB) (*Lab, net.Listener) {
	t.Helper()
	address := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	lab := NewLab(t, Host{Name: "client", Addrs: address("192.0.2.1/24")}, Host{Name: "server", Addrs: address("192.0.2.2/24")})
	mac := strings.TrimSpace(lab.Exec("server", "cat", "/sys/class/net/eth0/address"))
	lab.Exec("client", "ip", "neigh", "replace", "192.0.2.2", "lladdr", mac, "dev", "eth0", "nud", "permanent")
	listener, err := listenIn(lab.NS("server"), "192.0.2.2:0")
	if err != nil {
		t.Fatal(err)
	}
	return lab, listener
}

// listenIn opens a listener in another network namespace.
func listenIn(ns, address string) (net.Listener, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + ns)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	// A thread that stayed there could only be thrown away, and servers that it
	// has started would be killed with it.
	return l, errors.Join(err, unix.Setns(int(home.Fd()), unix.CLONE_NEWNET))
}

// Steps is what a client in a lab prints of where it stands.
type Steps struct{ lines *bufio.Scanner }

// StartSteps runs the test of that name once more, as a client in the lab's host
// "client", with more in its environment: it prints "in step" and "out of step".
// The client ends with the test, or after limit.
func StartSteps(t testing.TB, lab *Lab, test string, limit time.Duration, environment ...string) Steps {
	t.Helper()
	out, in := io.Pipe()
	cmd := lab.Command("client", os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { _ = cmd.Process.Kill(); in.Close() }
	impatient := time.AfterFunc(limit, end)
	t.Cleanup(func() {
		impatient.Stop()
		end()
		_ = cmd.Wait() // it was killed
	})
	return Steps{bufio.NewScanner(out)}
}

// Until returns the first line that begins so.
func (s Steps) Until(t testing.TB, prefix string) string {
	t.Helper()
	last := ""
	for s.lines.Scan() {
		if last = s.lines.Text(); strings.HasPrefix(last, prefix) {
			return last
		}
	}
	t.Fatalf("the client is not %s; last it said %q", prefix, last)
	return ""
}

// Noticed loses the server, and finds it again, with a client that is in step.
func (s Steps) Noticed(t testing.TB, lose, find func()) {
	t.Helper()
	began := time.Now()
	lose()
	line := s.Until(t, "out of step")
	t.Logf("noticed after %s: %s", time.Since(began).Round(100*time.Millisecond), line)
	began = time.Now()
	find()
	s.Until(t, "in step")
	t.Logf("in step again after %s", time.Since(began).Round(100*time.Millisecond))
}
