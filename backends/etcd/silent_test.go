package etcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"confd/backends"
	"confd/internal/testenv"
)

// silentEndpoint is set where the test program is the client in the namespace.
const silentEndpoint = "CONFD_TEST_SILENT_ENDPOINT"

// A server that is lost without a word, as where a switch fails, or that hangs,
// is noticed with the settings that are in use by default.
func TestLostWithoutAWord(t *testing.T) {
	if endpoint := os.Getenv(silentEndpoint); endpoint != "" {
		tellSteps(t, Config{Endpoints: []string{endpoint}})
		return
	}
	if testing.Short() {
		t.Skip("waits for half a minute")
	}
	for name, lose := range map[string]func(*testenv.Lab, *testenv.Etcd) (lose, find func()){
		"packets are dropped": func(lab *testenv.Lab, _ *testenv.Etcd) (lose, find func()) {
			return func() { lab.Unplug("client") }, func() { lab.Plug("client") }
		},
		"the server hangs": func(_ *testenv.Lab, server *testenv.Etcd) (lose, find func()) { return server.Pause, server.Resume },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab, listener := newSilentLab(t)
			server, s := startStore(t)
			s.do(node("a", 1))
			relay(t, listener, server.Address())
			lose, find := lose(lab, server)
			client := startSteps(t, lab, silentEndpoint+"=http://"+listener.Addr().String())
			client.until(t, "in step")
			client.noticed(t, lose, find)
		})
	}
}

// tellSteps is the client: it prints where the backend stands, until the test
// kills it.
func tellSteps(t *testing.T, cfg Config) {
	cfg.Node, cfg.Logger = "node-1", slog.New(slog.DiscardHandler)
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	updates := make(chan backends.Update)
	go func() { _ = b.Run(context.Background(), updates) }()
	for u := range updates {
		if u.InSync {
			fmt.Println("in step")
		} else if u.Err != nil {
			fmt.Println("out of step:", u.Err)
		}
	}
}

// newSilentLab is a network of a client and a server, with a listener in the
// server's namespace. The client knows where to send packets without asking, so
// that nothing tells it that they do not arrive.
func newSilentLab(t *testing.T) (*testenv.Lab, net.Listener) {
	t.Helper()
	address := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	lab := testenv.NewLab(t, testenv.Host{Name: "client", Addrs: address("192.0.2.1/24")}, testenv.Host{Name: "server", Addrs: address("192.0.2.2/24")})
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

// relay passes connections on to target, until the end of the test.
func relay(t *testing.T, l net.Listener, target string) {
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.set(func() { p.down = true })
		p.wg.Wait()
	})
}

// steps is what the client prints.
type steps struct{ lines *bufio.Scanner }

func startSteps(t *testing.T, lab *testenv.Lab, environment ...string) steps {
	t.Helper()
	out, in := io.Pipe()
	cmd := lab.Command("client", os.Args[0], "-test.run=^TestLostWithoutAWord$")
	cmd.Env = append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { _ = cmd.Process.Kill(); in.Close() }
	impatient := time.AfterFunc(4*patience, end)
	t.Cleanup(func() {
		impatient.Stop()
		end()
		_ = cmd.Wait() // it was killed
	})
	return steps{bufio.NewScanner(out)}
}

// until returns the first line that begins so.
func (s steps) until(t *testing.T, prefix string) string {
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

// noticed loses the server, and finds it again, with a client that is in step.
func (s steps) noticed(t *testing.T, lose, find func()) {
	t.Helper()
	began := time.Now()
	lose()
	line := s.until(t, "out of step")
	t.Logf("noticed after %s: %s", time.Since(began).Round(100*time.Millisecond), line)
	began = time.Now()
	find()
	s.until(t, "in step")
	t.Logf("in step again after %s", time.Since(began).Round(100*time.Millisecond))
}
