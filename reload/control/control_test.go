package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// small is a configuration that every BIRD takes.
const small = "router id 10.0.0.1;\nprotocol device {}\n"

// testContext bounds a whole test.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eachBIRD runs a test with every BIRD.
func eachBIRD(t *testing.T, test func(t *testing.T, version string, options ...testenv.BirdOption)) {
	for _, version := range testenv.BirdVersions() {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
	t.Run("1.6.8/bird6", func(t *testing.T) { test(t, "1.6.8", testenv.AsBird6()) })
}

// startBIRD starts a BIRD with a configuration of that text.
func startBIRD(t *testing.T, version, text string, options ...testenv.BirdOption) *testenv.BirdDaemon {
	t.Helper()
	config := filepath.Join(t.TempDir(), "bird.cfg")
	write(t, config, text)
	return testenv.StartBird(t, version, config, options...)
}

func client(t *testing.T, socket string) *Client {
	t.Helper()
	c, err := Dial(testContext(t), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually waits until f has nothing to object to.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for err := f(); err != nil; err = f() {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestClient(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string, options ...testenv.BirdOption) {
		ctx := testContext(t)
		d := startBIRD(t, version, small, options...)
		c, config := client(t, d.Socket), d.Conf
		if c.Version() != version {
			t.Errorf("version %q, want %q", c.Version(), version)
		}
		status, err := c.Status(ctx)
		if err != nil || status.Version != version || status.RouterID.String() != "10.0.0.1" ||
			status.Current.IsZero() || status.LastReconfiguration.IsZero() || status.State != "Daemon is up and running" {
			t.Errorf("status %+v, %v", status, err)
		}
		protocols, err := protocolsOf(ctx, c)
		if err != nil || len(protocols) != 1 || protocols[0].Name != "device1" || protocols[0].Proto != "Device" ||
			protocols[0].State != "up" || protocols[0].Since == "" {
			t.Errorf("protocols %+v, %v", protocols, err)
		}
		if err := c.Check(ctx, config); err != nil {
			t.Error(err)
		}
		if r, err := c.Configure(ctx); err != nil || r != Reconfigured {
			t.Errorf("configure: %v, %v", r, err)
		}
		if r, err := c.Undo(ctx); err != nil || r != Reconfigured {
			t.Errorf("undo: %v, %v", r, err)
		}
		write(t, config, "router id 10.0.0.1;\nprotocol device {}\n  bogus;\n")
		var refused *RefusedError
		if _, err := c.Configure(ctx); !errors.As(err, &refused) || refused.File != config || refused.Line != 3 || refused.Col != 3 {
			t.Errorf("configure with a bad file: %v", err)
		}
		if err := c.Check(ctx, config); !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "syntax error") {
			t.Errorf("check of a bad file: %v", err)
		}
		if reply, err := c.Do(ctx, "no such thing"); err != nil || reply.Code != 9001 {
			t.Errorf("a bad command: %+v, %v", reply, err)
		}
		if _, err := c.Do(ctx, "show status\nconfigure"); err == nil {
			t.Error("two commands in one were taken")
		}
	})
}

func TestDialErrors(t *testing.T) {
	dir := testenv.SocketDir(t)
	listen := func(name, greeting string) string {
		path := filepath.Join(dir, name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		t.Cleanup(func() { l.Close(); <-done })
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				fmt.Fprint(conn, greeting)
			}
		}()
		return path
	}
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, test := range []struct {
		path string
		want error
	}{
		{filepath.Join(dir, "none"), ErrNotRunning},
		{stale, ErrNotRunning},
		{listen("hung", ""), ErrHung},
		{listen("half", "0001 BI"), ErrHung},
		{listen("smtp", "220 hello\n"), ErrNotBIRD},
		{listen("odd", "0001 FRR 8 ready.\n"), ErrNotBIRD},
	} {
		limit := patience
		if errors.Is(test.want, ErrHung) {
			limit = 100 * time.Millisecond
		}
		if _, err := dialIn(context.Background(), test.path, limit); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.path, err, test.want)
		}
	}
}

// A BIRD that stops in the middle shows as hung, and its queue of connections
// as well once it is full.
func TestStoppedBIRD(t *testing.T) {
	d := startBIRD(t, "2.0.12", small)
	c, socket := client(t, d.Socket), d.Socket
	if err := syscall.Kill(d.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, ErrHung) {
		t.Errorf("a command: %v", err)
	}
	if _, err := c.Status(testContext(t)); !errors.Is(err, ErrHung) {
		t.Errorf("a command after that: %v", err)
	}
	for range 20 {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			break // the queue is full
		}
		defer conn.Close()
	}
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, socket); !errors.Is(err, ErrHung) {
		t.Errorf("a new connection: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if _, err := Dial(ctx, socket); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestWatch(t *testing.T) {
	socket := filepath.Join(testenv.SocketDir(t), "s")
	ctx, cancel := context.WithCancel(testContext(t))
	events, ended := make(chan Event), make(chan struct{})
	go func() {
		defer close(ended)
		Watch(ctx, socket, events, slog.New(slog.DiscardHandler))
	}()
	next := func() Event {
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			t.Fatal("no event")
			return Event{}
		}
	}
	if e := next(); e.Up || !errors.Is(e.Err, ErrNotRunning) {
		t.Errorf("before BIRD: %+v", e)
	}
	for range 2 {
		d := startBIRD(t, "2.0.12", small, testenv.WithSocket(socket))
		if e := next(); !e.Up || e.Version != "2.0.12" || e.Socket != socket {
			t.Errorf("BIRD is up: %+v", e)
		}
		d.Kill()
		if e := next(); e.Up || !errors.Is(e.Err, ErrNotRunning) {
			t.Errorf("BIRD is down: %+v", e)
		}
	}
	cancel()
	<-ended
}

func FuzzReadReply(f *testing.F) {
	f.Add("0001 BIRD 2.0.12 ready.\n")
	f.Add("1000-BIRD 1.6.8\n1011-Router ID is 10.0.0.1\n Current server time is x\n+log line\n0013 Daemon is up\n")
	f.Add("2002-Name Proto\n1002-device1    Device     ---        up     22:02:10.913  \n0000 \n")
	f.Add("8002 /tmp/bad.cfg:4:3 syntax error\n")
	f.Add(" 0000 \n00x0 a\n")
	f.Fuzz(func(t *testing.T, text string) {
		reply, err := readReply(bufio.NewReaderSize(strings.NewReader(text), 16))
		if err != nil {
			return
		}
		if len(reply.Lines) == 0 || reply.Code != reply.Lines[len(reply.Lines)-1].Code || reply.Code < 0 || reply.Code > 9999 {
			t.Fatalf("%q gives %+v", text, reply)
		}
		parseStatus(reply).ConfigAge()
		for _, line := range reply.Lines {
			ParseRow(line.Text)
			ParsePosition(line.Text)
		}
	})
}

func TestReadReplyLimits(t *testing.T) {
	for _, text := range []string{
		"0000 " + strings.Repeat("x", maxLine) + "\n",
		strings.Repeat("0001-"+strings.Repeat("x", maxLine-6)+"\n", maxReply/maxLine+1),
	} {
		if _, err := readReply(bufio.NewReader(strings.NewReader(text))); !errors.Is(err, errReply) {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}

// protocolsOf are all of BIRD's protocols.
func protocolsOf(ctx context.Context, c *Client) ([]Row, error) {
	reply, err := c.Do(ctx, "show protocols")
	var list []Row
	for _, line := range reply.Lines {
		if p, ok := ParseRow(line.Text); ok && line.Code == codeProtocol {
			list = append(list, p)
		}
	}
	return list, err
}

func TestParsePosition(t *testing.T) {
	for text, want := range map[string]Position{
		"bird: /a b/c.cfg:4:3 syntax error":                           {"/a b/c.cfg", 4, 3, "syntax error"},
		"bird: 2026-11-24 22:02:17.251 [0001] <FATAL> /c.cfg:4:3 no":  {"/c.cfg", 4, 3, "no"},
		"bird: /c.cfg, line 7: syntax error":                          {"/c.cfg", 7, 0, "syntax error"},
		"conf/bird.cfg:1:2 syntax error":                              {"conf/bird.cfg", 1, 2, "syntax error"},
		"/a.cfg:1:10 Unable to open included file /b.cfg: No such":    {"/a.cfg", 1, 10, "Unable to open included file /b.cfg: No such"},
		"/a.cfg:1:1 warning\nbird: /a.cfg:2:2 error\n":                {"/a.cfg", 2, 2, "error"},
		"bird: Unable to open configuration file /c.cfg: No such one": {"", 0, 0, "Unable to open configuration file /c.cfg: No such one"},
	} {
		if got, _ := ParsePosition(text); got != want {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}
