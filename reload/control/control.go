// Package control talks to a BIRD over its control socket: commands and what BIRD
// answers, how its sessions are, and when it comes and goes.
package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// What can be wrong with a control socket.
var (
	// ErrNotRunning: there is no socket, or nobody listens on it, or BIRD has
	// closed the connection.
	ErrNotRunning = errors.New("BIRD is not running")
	// ErrHung: BIRD takes connections or commands and does not answer in time.
	ErrHung = errors.New("BIRD does not answer")
	// ErrBusy: a reconfiguration was still under way when the time was over.
	ErrBusy = errors.New("BIRD is busy reconfiguring")
	// ErrWentAway: BIRD ended, or was killed, in the middle of a reconfiguration.
	ErrWentAway = errors.New("BIRD went away in the middle of a reconfiguration")
	// ErrNotBIRD: somebody answers who is not BIRD.
	ErrNotBIRD = errors.New("not a control socket of BIRD")
)

// readAtOnce is how much of a reply is read at once: BIRD writes 4096 bytes at a time, of
// lists that have megabytes.
const readAtOnce = 16 << 10

// maxCommand is below the 4096 bytes that BIRD takes as one command.
const maxCommand = 4000

// Client is a connection to BIRD's control socket. It is for one goroutine.
type Client struct {
	path    string
	conn    net.Conn
	br      *bufio.Reader
	version string
	reads   string // the file that BIRD read last, as it names it
	broken  error  // why no further command can be sent
}

// Dial connects to the control socket at path and reads BIRD's greeting. Errors
// wrap ErrNotRunning, ErrHung (ctx's deadline passed first) or ErrNotBIRD.
// Without a deadline in ctx it waits for a BIRD that hangs until ctx ends.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := connect(ctx, path)
	if err != nil {
		return nil, err
	}
	c := &Client{path: path, conn: conn, br: bufio.NewReaderSize(conn, readAtOnce)}
	if err := c.greet(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// connect opens the socket. A full queue of connections that nobody accepts
// shows as EAGAIN: that passes when BIRD is busy, and stays when it hangs.
func connect(ctx context.Context, path string) (net.Conn, error) {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, dialError(ctx, path, err)
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			return nil, dialError(ctx, path, err)
		}
	}
}

// isTimeout says whether a deadline passed: the connection's own can be noticed
// a moment before that of the context which it comes from.
func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func dialError(ctx context.Context, path string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("control socket %s: %w", path, context.Cause(ctx))
	case ctx.Err() != nil || isTimeout(err):
		return fmt.Errorf("control socket %s: %w", path, ErrHung)
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("control socket %s: %w (%w)", path, ErrNotRunning, rootErrno(err))
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("control socket %s: run as BIRD's user or group: %w", path, rootErrno(err))
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("control socket %s: is the path longer than 107 bytes? %w", path, rootErrno(err))
	}
	return fmt.Errorf("control socket %s: %w", path, rootErrno(err))
}

// rootErrno is the system's error without net's words around it.
func rootErrno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (c *Client) greet(ctx context.Context) error {
	reply, err := c.exchange(ctx, "")
	if errors.Is(err, errReply) {
		return fmt.Errorf("control socket %s: %w: %w", c.path, ErrNotBIRD, err)
	}
	if err != nil {
		return err
	}
	words := strings.Fields(reply.last())
	if reply.Code != 1 || len(words) < 2 || words[0] != "BIRD" {
		return fmt.Errorf("control socket %s: %w: it greets with %.60q", c.path, ErrNotBIRD, reply.last())
	}
	c.version = words[1]
	return nil
}

// Version is BIRD's version from its greeting, such as "2.0.12".
func (c *Client) Version() string { return c.version }

// Path is the control socket's.
func (c *Client) Path() string { return c.path }

// Usable says that further commands can be sent: where an error left it so, BIRD has
// answered, and refused.
func (c *Client) Usable() bool { return c.broken == nil }

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Do sends one command and reads the reply to it. That BIRD does not do what
// the command says is no error here: look at the reply's code. An error means
// that there is no reply, and that the connection is of no more use; it wraps
// ErrHung where ctx's deadline passed, and ErrNotRunning where BIRD ended.
func (c *Client) Do(ctx context.Context, command string) (Reply, error) {
	if err := c.mayDo(command); err != nil {
		return Reply{}, err
	}
	return c.exchange(ctx, command)
}

// mayDo says why a command cannot be sent.
func (c *Client) mayDo(command string) error {
	if strings.ContainsFunc(command, isControl) || command == "" || len(command) > maxCommand {
		return fmt.Errorf("command %.60q: want one line of 1 to %d bytes", command, maxCommand)
	}
	if c.broken != nil {
		return fmt.Errorf("control socket %s: the connection ended before: %w", c.path, c.broken)
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// exchange sends command, where there is one, and reads a reply.
func (c *Client) exchange(ctx context.Context, command string) (reply Reply, err error) {
	err = c.talk(ctx, command, func() error {
		reply, err = readReply(c.br)
		return err
	})
	if err != nil {
		return Reply{}, err
	}
	return reply, nil
}

// talk sends command, where there is one, and has read read the reply.
func (c *Client) talk(ctx context.Context, command string, read func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	var err error
	if command != "" {
		_, err = io.WriteString(c.conn, command+"\n")
	}
	if err == nil {
		err = read()
	}
	if !stop() {
		c.broken = context.Cause(ctx) // its deadline may be set any moment now
	}
	if err != nil {
		doing := "waiting for the greeting"
		if command != "" {
			doing = fmt.Sprintf("command %q", command)
		}
		c.broken = c.describe(ctx, doing, err)
		return c.broken
	}
	return nil
}

// describe says what an error while talking to BIRD means.
func (c *Client) describe(ctx context.Context, doing string, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(ctx.Err(), context.Canceled):
		err = context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = ErrHung
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		err = fmt.Errorf("%w: it closed the connection", ErrNotRunning)
	}
	return fmt.Errorf("control socket %s: %s: %w", c.path, doing, err)
}

// sleep waits for d, or until ctx ends, and then says why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
