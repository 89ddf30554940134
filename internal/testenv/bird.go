package testenv

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"confd/internal/version"
)

// BirdVersions returns the BIRD versions that tests run against, oldest first.
// `make birds` fetches them.
func BirdVersions() []string { return version.Birds() }

// Bird returns the path of the bird program of that version. Where it is not
// there the test is skipped.
func Bird(tb testing.TB, version string) string {
	tb.Helper()
	return birdProgram(tb, version, "bird")
}

// Bird6 is Bird for the IPv6 daemon, which only BIRD 1 has.
func Bird6(tb testing.TB, version string) string {
	tb.Helper()
	return birdProgram(tb, version, "bird6")
}

func birdProgram(tb testing.TB, version, name string) string {
	tb.Helper()
	path := filepath.Join(Root(tb), ".testenv", "bird", version, name)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("%s %s is missing (%s): `make birds` fetches it", name, version, path)
	}
	return path
}

// FakeTime is the path of the library that, preloaded, sets the clock of one program.
// Where it is not there the test is skipped.
func FakeTime(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(Root(tb), ".testenv", "faketime", "libfaketime.so.1")
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("libfaketime is missing (%s): `make faketime` fetches it", path)
	}
	return path
}

// CheckConfig fails the test where the bird program of that version does not
// accept file, or accepts it with a warning.
func CheckConfig(tb testing.TB, version, file string) {
	tb.Helper()
	checkConfig(tb, Bird(tb, version), file)
}

// CheckConfig6 is CheckConfig with bird6, which only BIRD 1 has.
func CheckConfig6(tb testing.TB, version, file string) {
	tb.Helper()
	checkConfig(tb, Bird6(tb, version), file)
}

func checkConfig(tb testing.TB, program, file string) {
	tb.Helper()
	out, err := exec.Command(program, "-p", "-c", file).CombinedOutput()
	if err != nil {
		tb.Errorf("%s -p -c %s: %v\n%s", program, file, err, out)
	} else if len(bytes.TrimSpace(out)) > 0 {
		tb.Errorf("%s -p -c %s is not silent:\n%s", program, file, out)
	}
}

// A BirdOption changes how StartBird runs the daemon.
type BirdOption func(*BirdDaemon)

// InNetns runs the daemon in the network namespace ns (see Lab.NS).
func InNetns(ns string) BirdOption { return func(b *BirdDaemon) { b.netns = ns } }

// WithSocket puts the control socket at path instead of in a folder of its own.
func WithSocket(path string) BirdOption { return func(b *BirdDaemon) { b.Socket = path } }

// WithArgs adds arguments to the daemon's.
func WithArgs(args ...string) BirdOption { return func(b *BirdDaemon) { b.args = args } }

// AsBird6 runs bird6 instead of bird.
func AsBird6() BirdOption { return func(b *BirdDaemon) { b.program = "bird6" } }

// BirdDaemon is a running BIRD.
type BirdDaemon struct {
	// Conf is the configuration file, and Socket the control socket's path.
	Conf   string
	Socket string

	tb      testing.TB
	netns   string
	program string
	args    []string
	log     syncBuffer
	cmd     *exec.Cmd
	done    chan struct{} // closed when cmd has ended
}

// StartBird runs the daemon of that version in the foreground on the file
// conf, and returns once its control socket answers. It is stopped with the
// test, and what it printed is shown where the test failed.
func StartBird(tb testing.TB, version, conf string, opts ...BirdOption) *BirdDaemon {
	tb.Helper()
	b := &BirdDaemon{Conf: conf, tb: tb, program: "bird"}
	for _, o := range opts {
		o(b)
	}
	b.program = birdProgram(tb, version, b.program)
	if b.Socket == "" {
		b.Socket = filepath.Join(SocketDir(tb), "bird.ctl")
	}
	tb.Cleanup(func() {
		b.Kill()
		if tb.Failed() {
			tb.Logf("%s -c %s printed:\n%s", b.program, b.Conf, b.Log())
		}
	})
	b.start()
	return b
}

func (b *BirdDaemon) start() {
	b.tb.Helper()
	args := append([]string{b.program, "-f", "-c", b.Conf, "-s", b.Socket, "-P", b.Socket + ".pid"}, b.args...)
	if b.netns != "" {
		args = append([]string{"ip", "netns", "exec", b.netns}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	// A test that is killed takes its daemons with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		b.tb.Fatalf("starting %s: %v", b.program, err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }() // its exit status says nothing more than the log
	b.cmd, b.done = cmd, done
	b.awaitSocket()
}

func (b *BirdDaemon) awaitSocket() {
	b.tb.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := b.Birdc("show status"); err == nil {
			return
		}
		if !b.Running() {
			b.tb.Fatalf("%s -c %s ended at once:\n%s", b.program, b.Conf, b.Log())
		}
	}
	b.tb.Fatalf("%s does not answer on %s", b.program, b.Socket)
}

// Running says whether the daemon's process is there.
func (b *BirdDaemon) Running() bool {
	select {
	case <-b.done:
		return false
	default:
		return true
	}
}

// Stop ends the daemon with SIGTERM, on which it shuts its sessions down, and
// waits for it; one that takes longer than 10 s is killed.
func (b *BirdDaemon) Stop() {
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // fails only where it is gone
	select {
	case <-b.done:
	case <-time.After(10 * time.Second):
		b.Kill()
	}
}

// Kill ends the daemon as a crash would, and waits for it.
func (b *BirdDaemon) Kill() {
	if b.cmd == nil {
		return
	}
	_ = b.cmd.Process.Kill() // fails only where it is gone
	<-b.done
}

// Restart stops the daemon, where it runs, and starts it again.
func (b *BirdDaemon) Restart() {
	b.tb.Helper()
	b.Stop()
	b.start()
}

// Pid is the daemon's process.
func (b *BirdDaemon) Pid() int { return b.cmd.Process.Pid }

// Log is what the daemon has printed since StartBird.
func (b *BirdDaemon) Log() string { return b.log.String() }

// Birdc sends one command to the control socket and returns the reply as birdc
// would print it, without the codes; where the last code says that it failed
// (8xxx, 9xxx) the reply is also the error.
func (b *BirdDaemon) Birdc(command string) (string, error) { return Birdc(b.Socket, command) }

// Birdc sends one command to the control socket at path: see BirdDaemon.Birdc.
func Birdc(path, command string) (string, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return "", fmt.Errorf("control socket %s: %w", path, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return "", fmt.Errorf("control socket %s: %w", path, err)
	}
	in := bufio.NewReader(conn)
	if _, _, err := readReply(in); err != nil {
		return "", fmt.Errorf("greeting on %s: %w", path, err)
	}
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", fmt.Errorf("sending %q to %s: %w", command, path, err)
	}
	text, code, err := readReply(in)
	if err != nil {
		return text, fmt.Errorf("reply to %q on %s: %w", command, path, err)
	}
	if code[0] >= '8' {
		return text, fmt.Errorf("%q on %s: %s %s", command, path, code, strings.TrimSpace(text))
	}
	return text, nil
}

// readReply reads up to the line that ends a reply: "CODE text" with a space.
// A line that starts with a space belongs to the code before it.
func readReply(in *bufio.Reader) (text, code string, err error) {
	var b strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return b.String(), code, err
		}
		if strings.HasPrefix(line, " ") || len(line) < 6 {
			b.WriteString(strings.TrimPrefix(line, " "))
			continue
		}
		code = line[:4]
		b.WriteString(line[5:])
		if line[4] == ' ' {
			return b.String(), code, nil
		}
	}
}

// syncBuffer collects what a process prints while a test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

// String returns what has been written so far.
func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}
