package testenv

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"confd/internal/listener"
	"confd/internal/testenv/ports"
)

// Etcd is a real etcd server of one member, on loopback, for one test. Its
// addresses and its data folder stay the same over restarts.
type Etcd struct {
	// Dir holds the server's data ("data") and its log ("log").
	Dir string

	tb       testing.TB
	settings etcdSettings
	client   string // host:port
	peer     string
	metrics  string // always without TLS
	cmd      *exec.Cmd
	exited   chan struct{}
}

// EtcdOption changes how StartEtcd runs the server.
type EtcdOption func(*etcdSettings)

type etcdSettings struct {
	program                   string
	caFile, certFile, keyFile string
	args                      []string
}

// EtcdTLS makes the server use TLS with this certificate, and ask clients for
// one that an authority in caFile has signed. All files are PEM.
func EtcdTLS(caFile, certFile, keyFile string) EtcdOption {
	return func(s *etcdSettings) { s.caFile, s.certFile, s.keyFile = caFile, certFile, keyFile }
}

// EtcdProgram runs another program than the etcd on PATH.
func EtcdProgram(path string) EtcdOption {
	return func(s *etcdSettings) { s.program = path }
}

// EtcdArgs adds command line arguments.
func EtcdArgs(args ...string) EtcdOption {
	return func(s *etcdSettings) { s.args = append(s.args, args...) }
}

// StartEtcd starts a server with an empty store and waits until it answers. It
// is stopped at the end of the test. The test is skipped where no etcd is on
// PATH.
func StartEtcd(tb testing.TB, opts ...EtcdOption) *Etcd {
	tb.Helper()
	e := &Etcd{tb: tb, Dir: tb.TempDir(), settings: etcdSettings{program: "etcd"}}
	for _, o := range opts {
		o(&e.settings)
	}
	if _, err := exec.LookPath(e.settings.program); err != nil {
		tb.Skip("no etcd on PATH (Debian: apt-get install etcd-server)")
	}
	tb.Cleanup(func() {
		e.Kill()
		if tb.Failed() {
			tb.Logf("the end of etcd's log:\n%s", e.logTail())
		}
	})
	var err error
	for range 3 { // another process may take a free port before etcd does
		e.client, e.peer, e.metrics = freePort(tb), freePort(tb), freePort(tb)
		if err = e.start(); err == nil {
			return e
		}
		e.wipe()
	}
	tb.Fatalf("start etcd: %v\n%s", err, e.logTail())
	return nil
}

// Endpoint is the URL for clients.
func (e *Etcd) Endpoint() string { return e.scheme() + "://" + e.client }

// Endpoints has the one Endpoint.
func (e *Etcd) Endpoints() []string { return []string{e.Endpoint()} }

// Address is the host:port for clients.
func (e *Etcd) Address() string { return e.client }

// StartProxy starts etcd's own gRPC proxy before the server, and returns the URL at which
// it answers. It ends with the test.
func (e *Etcd) StartProxy(tb testing.TB) string {
	tb.Helper()
	address := freePort(tb)
	cmd := exec.Command(e.settings.program, "grpc-proxy", "start", "--endpoints="+e.client, "--listen-addr="+address)
	if err := cmd.Start(); err != nil {
		tb.Fatalf("start etcd's proxy: %v", err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed, as it was meant
	})
	at := netip.MustParseAddrPort(address)
	Eventually(tb, 30*time.Second, "etcd's proxy listens", func() bool {
		return slices.ContainsFunc(listener.On("/proc", at.Port(), at.Addr()), func(p listener.Process) bool { return p.PID == cmd.Process.Pid })
	})
	return "http://" + address
}

// Stop ends the server in order (SIGTERM) and waits for that.
func (e *Etcd) Stop() {
	e.Resume() // a frozen process does not hear
	e.end(syscall.SIGTERM)
}

// Kill ends the server at once (SIGKILL) and waits for that.
func (e *Etcd) Kill() { e.end(syscall.SIGKILL) }

// Pause freezes the server (SIGSTOP); Resume lets it go on. Its connections
// stay open meanwhile.
func (e *Etcd) Pause() { e.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (e *Etcd) Resume() { e.signal(syscall.SIGCONT) }

// Restart starts the server again on the same data, ending it first where it
// still runs. Certificate files are read again.
func (e *Etcd) Restart() {
	e.tb.Helper()
	e.Kill()
	if err := e.start(); err != nil {
		e.tb.Fatalf("restart etcd: %v\n%s", err, e.logTail())
	}
}

// Reset is Restart with an empty store, whose revisions begin anew.
func (e *Etcd) Reset() {
	e.tb.Helper()
	e.Kill()
	e.wipe()
	e.Restart()
}

// Save copies the store to a folder of the test's, which it returns; the server is
// restarted for that.
func (e *Etcd) Save() string {
	e.tb.Helper()
	e.Kill()
	folder := filepath.Join(e.tb.TempDir(), "data")
	e.copy(folder, e.dataDir())
	e.Restart()
	return folder
}

// Restore restarts the server with the store that Save has copied: its revisions go
// back.
func (e *Etcd) Restore(folder string) {
	e.tb.Helper()
	e.Kill()
	e.wipe()
	e.copy(e.dataDir(), folder)
	e.Restart()
}

func (e *Etcd) copy(to, from string) {
	e.tb.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		e.tb.Fatalf("copy etcd's data: %v", err)
	}
}

func (e *Etcd) wipe() {
	if err := os.RemoveAll(e.dataDir()); err != nil {
		e.tb.Fatalf("empty etcd's data folder: %v", err)
	}
}

func (e *Etcd) dataDir() string { return filepath.Join(e.Dir, "data") }

func (e *Etcd) scheme() string {
	if e.settings.certFile != "" {
		return "https"
	}
	return "http"
}

func (e *Etcd) arguments() []string {
	peer := "http://" + e.peer
	args := []string{
		"--name=test", "--data-dir=" + e.dataDir(),
		"--listen-client-urls=" + e.Endpoint(), "--advertise-client-urls=" + e.Endpoint(),
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=test=" + peer,
		"--listen-metrics-urls=http://" + e.metrics,
		// A single member has nobody to wait for.
		"--heartbeat-interval=10", "--election-timeout=100",
		"--logger=zap", "--log-outputs=stderr",
	}
	if e.settings.certFile != "" {
		args = append(args, "--client-cert-auth", "--trusted-ca-file="+e.settings.caFile,
			"--cert-file="+e.settings.certFile, "--key-file="+e.settings.keyFile)
	}
	return append(args, e.settings.args...)
}

func (e *Etcd) start() error {
	log, err := os.OpenFile(e.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(e.settings.program, e.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is of no interest: it was told to
	}()
	e.cmd, e.exited = cmd, exited
	return e.waitHealthy(time.Now().Add(30 * time.Second))
}

// waitHealthy polls the server until it has a leader.
func (e *Etcd) waitHealthy(deadline time.Time) error {
	for time.Now().Before(deadline) {
		if e.healthy() {
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("etcd ended by itself")
		case <-time.After(20 * time.Millisecond):
		}
	}
	e.Kill()
	return fmt.Errorf("etcd is not healthy in time")
}

func (e *Etcd) healthy() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.metrics+"/health", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && e.answersItself()
}

// answersItself says that the port is this server's: that of another test may have
// taken it, whose answer is no less healthy.
func (e *Etcd) answersItself() bool {
	at := netip.MustParseAddrPort(e.metrics)
	return slices.ContainsFunc(listener.On("/proc", at.Port(), at.Addr()), func(p listener.Process) bool { return p.PID == e.cmd.Process.Pid })
}

func (e *Etcd) end(sig syscall.Signal) {
	if e.cmd == nil {
		return
	}
	e.signal(sig)
	<-e.exited
	e.cmd = nil
}

// signal does nothing where the server has ended.
func (e *Etcd) signal(sig syscall.Signal) {
	if e.cmd != nil {
		_ = e.cmd.Process.Signal(sig)
	}
}

func (e *Etcd) logFile() string { return filepath.Join(e.Dir, "log") }

func (e *Etcd) logTail() string {
	text, err := os.ReadFile(e.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// freePort is a loopback address with a port that was free a moment ago.
func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := ports.Listen()
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}
