package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the test program is told to be instead of running tests.
const roleVariable = "SERVE_TEST_ROLE"

// patience bounds what a test waits for.
const patience = time.Minute

// serveWithFewFiles serves, in a process that may have 256 files, and prints its
// address. What /metrics answers is whether there are files left for a change.
func serveWithFewFiles() {
	limit := syscall.Rlimit{Cur: 256, Max: 256}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		panic(err)
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	h := handlers()
	h.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			f, err := os.Open(os.DevNull)
			if err != nil {
				answer(w, http.StatusInternalServerError, err.Error())
				return
			}
			defer f.Close()
		}
		answer(w, http.StatusOK, "there are files\n")
	})
	panic(Serve(context.Background(), l, h))
}

// fewFiles is the address of a server that may have 256 files.
func fewFiles(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"=few files")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// connect is a connection on which text was sent.
func connect(t *testing.T, address, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

const request1 = "GET %s HTTP/1.1\r\nHost: confd\r\n\r\n"

// ask is the answer on a connection of its own, which stays open.
func ask(t *testing.T, address, path string) string {
	t.Helper()
	c := connect(t, address, fmt.Sprintf(request1, path))
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return fmt.Sprint(r.StatusCode, " ", string(text))
}

// Those who connect and stay, whether they have asked, ask slowly or not at all,
// neither take the files that changes need nor keep others from an answer.
func TestIdleConnections(t *testing.T) {
	address := fewFiles(t)
	for range 300 {
		connect(t, address, "")
		connect(t, address, "GET /livez HTTP/1.1\r\nHost: con")
		if got := ask(t, address, "/livez"); got != "200 alive\n" {
			t.Fatalf("a probe gets %q", got)
		}
	}
	if got := ask(t, address, "/metrics"); got != "200 there are files\n" {
		t.Errorf("with 900 connections: %s", got)
	}
}

// One that is being answered does not go for another's sake.
func TestAnswersStay(t *testing.T) {
	h := handlers()
	asked, release := make(chan struct{}), make(chan struct{})
	h.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		answer(w, http.StatusOK, "at last\n")
	})
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	address := l.Addr().String()
	slow := connect(t, address, fmt.Sprintf(request1, "/metrics"))
	<-asked
	for range 2 * mostConns {
		connect(t, address, "")
	}
	if got := ask(t, address, "/livez"); got != "200 alive\n" {
		t.Errorf("a probe gets %q", got)
	}
	close(release)
	r, err := http.ReadResponse(bufio.NewReader(slow), nil)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("the one that was being answered: %v, %v", r, err)
	}
}

// Where all are being answered the new one goes, and has room again later.
func TestAllAreBeingAnswered(t *testing.T) {
	l := &limited{most: 2}
	pipe := func() net.Conn { a, b := net.Pipe(); t.Cleanup(func() { a.Close(); b.Close() }); return a }
	first, second := l.keep(pipe()), l.keep(pipe())
	first.answers(true)
	second.answers(true)
	if l.keep(pipe()) != nil {
		t.Fatal("a third one is kept")
	}
	second.answers(false)
	third := l.keep(pipe())
	if third == nil || len(l.open) != 2 {
		t.Fatalf("there is no room although one waits: %d are open", len(l.open))
	}
	if _, err := second.Write([]byte("x")); err == nil {
		t.Error("the one that had to go is still open")
	}
	second.Close()
	first.Close()
	if len(l.open) != 1 || l.open[0] != third {
		t.Errorf("%d are open", len(l.open))
	}
}
