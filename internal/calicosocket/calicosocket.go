// Package calicosocket answers Calico's own tools in the place of a BIRD 1.6.
//
// calicoctl node status, calico-node's probes and its CalicoNodeStatus read two
// control sockets, bird.ctl for IPv4 and bird6.ctl for IPv6, in the words of BIRD
// 1.6. Where a BIRD 2 or 3 runs, which has one socket for both and other words, this
// package serves those two sockets from it: read-only, each with the routes and
// sessions of one family.
package calicosocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/internal/serve"
	"confd/reload/control"
)

// Options say what to serve, and from what.
type Options struct {
	// Folder is where bird.ctl and bird6.ctl are made.
	Folder string
	// Dial connects to the BIRD that there is.
	Dial func(context.Context) (*control.Client, error)
	Log  *slog.Logger
}

// Serve serves both sockets until ctx ends. Where one cannot be opened (somebody has
// it, the folder is missing) the log says so, once, and it tries again.
func Serve(ctx context.Context, o Options) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, family := range map[string]Family{"bird.ctl": IPv4, "bird6.ctl": IPv6} {
		s := &socket{family: family, path: filepath.Join(o.Folder, name), dial: o.Dial, log: o.Log}
		g.Go(func() error { return s.keepServing(ctx) })
	}
	return g.Wait()
}

func (s *socket) keepServing(ctx context.Context) error {
	for {
		l, err := serve.ListenUnix(s.path)
		if err == nil {
			s.said = ""
			s.log.Info("serving BIRD 1.6's control socket for Calico's tools", "socket", s.path, "family", s.family)
			err = s.serve(ctx, l)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.say(err)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *socket) say(err error) {
	if text := err.Error(); text != s.said {
		s.said = text
		s.log.Warn("Calico's tools cannot ask for BIRD's state here (trying again)", "socket", s.path, "error", err)
	}
}

// serve answers whoever connects, until ctx ends or the socket breaks.
func (s *socket) serve(ctx context.Context, l net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	places := make(chan struct{}, mostConns)
	g.Go(func() error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return fmt.Errorf("control socket %s: %w", s.path, err)
			}
			select {
			case places <- struct{}{}:
				g.Go(func() error { defer func() { <-places }(); s.answer(ctx, conn); return nil })
			default:
				conn.Close() // as a BIRD that is out of files
			}
		}
	})
	return g.Wait()
}

// answer serves one connection. Without a BIRD behind it there is no greeting, so
// that a probe sees that BIRD is not there.
func (s *socket) answer(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := s.ask(ctx, "show status"); err != nil {
		s.log.Debug("a client of Calico's socket went without an answer", "socket", s.path, "error", err)
		return
	}
	out := bufio.NewWriter(conn)
	in := bufio.NewReaderSize(conn, maxCommand)
	_, err := out.WriteString(greeting)
	for err == nil {
		_ = conn.SetDeadline(time.Now().Add(idle))
		if err = out.Flush(); err != nil {
			return
		}
		var command string
		if command, err = readCommand(in); err == nil {
			_ = conn.SetDeadline(time.Now().Add(2 * mostTime))
			err = s.reply(ctx, out, command)
		}
	}
}

var errLongCommand = errors.New("a command that long is none")

func readCommand(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errLongCommand
	}
	return strings.Join(strings.Fields(string(line)), " "), err
}

// reply writes what BIRD 1.6 would answer. An error ends the connection.
func (s *socket) reply(ctx context.Context, w io.Writer, command string) error {
	name, one := strings.CutPrefix(command, "show protocols all ")
	switch {
	case command == "show status":
		return s.status(ctx, w)
	case command == "show protocols":
		return s.protocols(ctx, w)
	case command == "show protocols all":
		return s.details(ctx, w, "")
	case one && isName(name):
		return s.details(ctx, w, name)
	case command == "show route":
		return s.routes(ctx, w)
	}
	_, err := io.WriteString(w, "9001 syntax error\n")
	return err
}

// isName says whether text can be a protocol's name (it goes into a command).
func isName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
