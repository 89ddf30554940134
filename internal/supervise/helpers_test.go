package supervise

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/internal/testenv"
)

// What the test program is told to be instead of running tests.
const roleVariable = "SUPERVISE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		goleak.VerifyTestMain(m)
	case "supervisor":
		supervisor()
	case "init":
		initOf()
	}
}

// supervisor runs the command in $COMMAND, on the socket in $SOCKET, until it is
// killed.
func supervisor() {
	c, err := New(os.Getenv("COMMAND"), Options{Socket: os.Getenv("SOCKET")})
	if err != nil {
		panic(err)
	}
	start := make(chan struct{})
	close(start)
	c.Run(context.Background(), start)
}

const patience = time.Minute

// small is a configuration that every BIRD takes.
const small = "log stderr all;\nrouter id 192.0.2.1;\nprotocol device {}\n"

// run is a child under test, and what it told.
type run struct {
	*Child
	t              *testing.T
	dir            string
	socket, config string
	start          chan struct{}
	events         chan Event
	stop           func() // ends it, and waits for it
	log, output    *buffer
}

// buffer takes what several goroutines write.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newRun prepares a run of command; BIRD, SOCKET, CONFIG in it are replaced.
func newRun(t *testing.T, bird, command string, o Options) *run {
	t.Helper()
	dir := testenv.SocketDir(t)
	r := &run{t: t, dir: dir, socket: filepath.Join(dir, "ctl"), config: filepath.Join(dir, "conf"),
		start: make(chan struct{}), events: make(chan Event, 1000), log: &buffer{}, output: &buffer{}}
	command = strings.NewReplacer("BIRD", bird, "SOCKET", r.socket, "CONFIG", r.config).Replace(command)
	o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	o.Observe = func(e Event) { r.events <- e }
	if o.Output == nil {
		o.Output = r.output
	}
	if bird != "" {
		o.Socket = r.socket
	}
	var err error
	if r.Child, err = New(command, o); err != nil {
		t.Fatal(err)
	}
	return r
}

// foreground is how BIRD is run.
const foreground = "BIRD -f -c CONFIG -s SOCKET -P SOCKET.pid"

// run starts the supervisor, which waits for begin.
func (r *run) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx, r.start) }()
	r.stop = func() { cancel(); <-done }
	r.t.Cleanup(func() {
		r.stop()
		if r.t.Failed() {
			r.t.Logf("log:\n%s\noutput:\n%s", r.log, r.output)
		}
	})
}

func (r *run) begin() { close(r.start) }

// next is the next event, which must be of that state.
func (r *run) next(want State) Event {
	r.t.Helper()
	select {
	case e := <-r.events:
		if e.State != want || e.Name != r.Name() {
			r.t.Fatalf("event %+v, want %s", e, want)
		}
		return e
	case <-time.After(patience):
		r.t.Fatalf("no event, want %s", want)
	}
	panic("unreachable")
}

func (r *run) configure(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.config, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// birdc waits until the command's answer has want in it.
func (r *run) birdc(command, want string) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, command+" to say "+want, func() bool {
		out, err := testenv.Birdc(r.socket, command)
		return err == nil && strings.Contains(out, want)
	})
}

// gone waits until there is no such process; one that nobody has waited for yet
// is none.
func gone(t *testing.T, pid int) {
	t.Helper()
	testenv.Eventually(t, patience, "the end of a process", func() bool { return !lives(pid) })
}

func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// kill ends a process as a crash does.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// number is the number in a file; 0 where there is none yet.
func number(file string) int {
	text, _ := os.ReadFile(file)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}
