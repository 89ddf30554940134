package reload

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeBIRD is a BIRD 2.0.12 for scripts: its clock is the script's, and so is what
// becomes of its sessions. It is always just that: what the real ones do is for
// tests with real ones.
type fakeBIRD struct {
	socket, main string
	real         bool // its clock is the machine's

	mu  sync.Mutex
	now time.Time
	set time.Duration // by how much its clock was set, in all
	// step is by how much it is set just before it does the command stepsAt.
	step    time.Duration
	stepsAt string
	// zone is by how much its clock shows another hour from a moment on.
	zone     time.Duration
	zoneFrom time.Time
	listener net.Listener
	conns    map[net.Conn]bool
	serving  sync.WaitGroup

	booted, undoAt time.Time
	uses, before   configuration
	agreed         []string // what it was told to stay with, the last two
	sessions       map[string]session
	timeless       bool     // times of sessions are printed in a format of the user's own
	hangs, refuses bool     // does not answer; refuses what passes its check
	diesOf         string   // the command in the middle of which it ends
	hangsAt        string   // the command that it does not do, nor answer
	hangsAfter     string   // the command that it does, and does not answer
	calls          []string // the commands that change something
	waiting        *patienceContext
}

type configuration struct {
	text string
	at   time.Time
}

type session struct {
	up    bool
	since time.Time
}

func newFakeBIRD(t *testing.T, main string) *fakeBIRD {
	b := &fakeBIRD{
		socket: filepath.Join(testFolder(t), "s"), main: main, now: time.Date(2026, 11, 25, 10, 0, 0, 0, time.Local),
		conns: map[net.Conn]bool{}, sessions: map[string]session{},
	}
	t.Cleanup(b.stop)
	return b
}

// clock is the time.
func (b *fakeBIRD) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time()
}

func (b *fakeBIRD) time() time.Time {
	if b.real {
		return time.Now()
	}
	return b.now
}

// shown is a moment as its clock says it now.
func (b *fakeBIRD) shown(t time.Time) time.Time {
	t = t.Add(b.set)
	if !t.Before(b.zoneFrom) {
		t = t.Add(b.zone)
	}
	return t
}

// pass lets time go by.
func (b *fakeBIRD) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
	if !b.undoAt.IsZero() && !b.now.Before(b.undoAt) && !b.hangs {
		b.goBack()
	}
}

func (b *fakeBIRD) goBack() { b.uses, b.before, b.undoAt = b.before, configuration{}, time.Time{} }

// start has it read what is on disk, and its sessions come up.
func (b *fakeBIRD) start() error {
	text, err := os.ReadFile(b.main)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", b.socket)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener, b.booted, b.uses, b.before, b.undoAt = l, b.time(), configuration{string(text), b.time()}, configuration{}, time.Time{}
	for name := range b.sessions {
		b.sessions[name] = session{true, b.time()}
	}
	b.serving.Go(func() { b.accept(l) })
	return nil
}

// stop returns when nobody is served any more.
func (b *fakeBIRD) stop() {
	b.end()
	b.serving.Wait()
}

func (b *fakeBIRD) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listener != nil {
		b.listener.Close()
	}
	for c := range b.conns {
		c.Close()
	}
	b.listener, b.uses = nil, configuration{}
}

func (b *fakeBIRD) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[conn] = true
		b.mu.Unlock()
		b.serving.Go(func() { b.serve(conn) })
	}
}

func (b *fakeBIRD) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	reply := "0001 BIRD 2.0.12 ready."
	for {
		if !b.answer(conn, reply) {
			_, _ = io.Copy(io.Discard, conn)
			return
		}
		if !in.Scan() {
			return
		}
		if b.fails(in.Text(), &b.diesOf) {
			b.end()
			return
		}
		if !b.fails(in.Text(), &b.hangsAt) {
			reply = b.obey(in.Text(), true)
		}
		if b.fails(in.Text(), &b.hangsAt) || b.fails(in.Text(), &b.hangsAfter) {
			b.mu.Lock()
			b.hangs = true
			b.mu.Unlock()
		}
	}
}

// fails says that a command is the one at which something goes wrong.
func (b *fakeBIRD) fails(command string, at *string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *at != "" && strings.HasPrefix(command, *at)
}

// answer sends a reply; where it hangs nobody waits for it any more.
func (b *fakeBIRD) answer(conn net.Conn, reply string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hangs {
		b.waiting.over()
		return false
	}
	fmt.Fprintln(conn, reply)
	return true
}

// patient is a context of who waits until this BIRD hangs.
func (b *fakeBIRD) patient(ctx context.Context) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = &patienceContext{Context: ctx, done: make(chan struct{})}
	return b.waiting
}

// patienceContext is one whose deadline passes when somebody says so.
type patienceContext struct {
	context.Context
	done chan struct{}
}

func (c *patienceContext) Done() <-chan struct{} { return c.done }

func (c *patienceContext) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return c.Context.Err()
	}
}

func (c *patienceContext) over() {
	if c != nil && c.Err() == nil {
		close(c.done)
	}
}

// obey does what a command says; the script sees it where it is told.
func (b *fakeBIRD) obey(command string, seen bool) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	what, path, check := strings.Cut(command, ` "`)
	if seen && !check && !strings.HasPrefix(command, "show") {
		b.calls = append(b.calls, command)
	}
	if b.stepsAt != "" && strings.HasPrefix(command, b.stepsAt) {
		b.set, b.stepsAt = b.set+b.step, ""
	}
	words := strings.Fields(what)
	switch {
	case command == "show status":
		return b.status()
	case command == "show protocols":
		return b.protocols()
	case check:
		return "0002-Reading configuration from " + strings.TrimSuffix(path, `"`) + "\n0020 Configuration OK"
	case command == "configure confirm" && b.undoAt.IsZero(), command == "configure undo" && b.before == (configuration{}):
		return "0019 Nothing to do"
	case command == "configure confirm":
		b.undoAt = time.Time{}
		b.agree()
		return "0018 Reconfiguration confirmed"
	case command == "configure undo":
		b.goBack()
		return "0021-Undo requested\n0003 Reconfigured"
	case words[0] == "configure":
		return b.configure(words[1:])
	}
	return "9001 syntax error"
}

func (b *fakeBIRD) configure(words []string) string {
	text, err := os.ReadFile(b.main)
	if err != nil || b.refuses {
		return fmt.Sprintf("0002-Reading configuration from %s\n8002 %[1]s:1:1 no, thanks", b.main)
	}
	b.before, b.uses, b.undoAt = b.uses, configuration{string(text), b.time()}, time.Time{}
	if len(words) == 2 {
		var seconds int
		fmt.Sscan(words[1], &seconds)
		b.undoAt = b.time().Add(time.Duration(seconds) * time.Second)
	} else {
		b.agree()
	}
	return "0002-Reading configuration from " + b.main + "\n0003 Reconfigured"
}

func (b *fakeBIRD) agree() {
	if !slices.Contains(b.agreed, b.uses.text) {
		b.agreed = append(b.agreed[max(0, len(b.agreed)-1):], b.uses.text)
	}
}

func (b *fakeBIRD) status() string {
	const layout = "2006-01-02 15:04:05.000"
	return "1000-BIRD 2.0.12\n1011-Router ID is 10.0.0.1\n Current server time is " + b.shown(b.time()).Format(layout) +
		"\n Last reboot on " + b.shown(b.booted).Format(layout) + "\n Last reconfiguration on " + b.shown(b.uses.at).Format(layout) + "\n0013 Daemon is up and running"
}

func (b *fakeBIRD) protocols() string {
	var rows strings.Builder
	rows.WriteString("2002-Name Proto Table State Since Info\n")
	var names []string
	for name := range b.sessions {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := b.sessions[name]
		state, since := "up Established", b.shown(s.since).Format("15:04:05.000")
		if !s.up {
			state = "start Idle"
		}
		if b.timeless {
			since = "today"
		}
		state, info, _ := strings.Cut(state, " ")
		fmt.Fprintf(&rows, "1002-%s BGP --- %s %s %s\n", name, state, since, info)
	}
	return rows.String() + "0000 "
}
