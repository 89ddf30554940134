package reload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestClient(t *testing.T) {
	eachBIRD(t, func(t *testing.T, binary, version string) {
		ctx, dir := testContext(t), testFolder(t)
		config, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		write(t, config, small)
		startBIRD(t, binary, config, socket)
		c := client(t, socket)
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

// Whatever way BIRD was told to print times, a reconfiguration is confirmed.
func TestTimeFormats(t *testing.T) {
	eachBIRD(t, func(t *testing.T, binary, version string) {
		ctx, dir := testContext(t), testFolder(t)
		config, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
		write(t, config, small)
		startBIRD(t, binary, config, socket)
		a := New(Options{Logger: testLogger(t)})
		formats := []string{"iso short", "iso long", `"%d. %B, %H Uhr"`}
		if strings.HasPrefix(version, "1.") {
			formats = append(formats, "old short", "old long")
		}
		for _, format := range formats {
			s := set([]File{file(config, small+"timeformat base "+format+";\ntimeformat protocol iso long;\n")}, config, socket, binary)
			res, err := a.Apply(ctx, s)
			if err != nil || res.State != Confirmed {
				t.Errorf("%s: %+v, %v", format, res, err)
			}
		}
		protocols, err := protocolsOf(ctx, client(t, socket))
		if err != nil || len(protocols) != 1 || !strings.Contains(protocols[0].Since, " ") || protocols[0].Info != "" {
			t.Errorf("protocols %+v, %v", protocols, err)
		}
	})
}

func TestDialErrors(t *testing.T) {
	dir := testFolder(t)
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
	dir := testFolder(t)
	config, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
	write(t, config, small)
	d := startBIRD(t, birdBinary(t, "2.0.12/bird"), config, socket)
	c := client(t, socket)
	d.cmd.Process.Signal(syscall.SIGSTOP)
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
	dir := testFolder(t)
	config, socket := filepath.Join(dir, "bird.cfg"), filepath.Join(dir, "s")
	write(t, config, small)
	ctx, cancel := context.WithCancel(testContext(t))
	events, ended := make(chan Event), make(chan struct{})
	go func() {
		defer close(ended)
		Watch(ctx, socket, events, testLogger(t))
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
		d := startBIRD(t, birdBinary(t, "2.0.12/bird"), config, socket)
		if e := next(); !e.Up || e.Version != "2.0.12" || e.Socket != socket {
			t.Errorf("BIRD is up: %+v", e)
		}
		d.kill()
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
		parseStatus(reply).configAge()
		for _, line := range reply.Lines {
			parseProtocol(line.Text)
			at, _ := parsePosition(line.Text)
			excerpt([]byte(text), at.line, at.col)
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
func protocolsOf(ctx context.Context, c *Client) ([]protocol, error) {
	reply, err := c.Do(ctx, "show protocols")
	var list []protocol
	for _, line := range reply.Lines {
		if p, ok := parseProtocol(line.Text); ok && line.Code == codeProtocol {
			list = append(list, p)
		}
	}
	return list, err
}
