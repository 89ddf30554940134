package typha

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"confd/backends"
	"confd/backends/typha/internal/wire"
)

// lasting is how long a server must be in step to count as one that works.
const lasting = 5 * time.Second

// link keeps a connection to one server after the other. What it hears goes to
// reports: connected, []wire.KV, wire.SyncStatus, delayed, lost.
type link struct {
	*Backend
	reports chan any
	rota    *rota
	pauses  backoff.ExponentialBackOff
}

// connected is reported when a server has taken us. reject ends the connection.
type connected struct {
	server backends.Server
	reject context.CancelCauseFunc
}

// delayed is how much later than it was written a ping came.
type delayed time.Duration

// lost is reported when there is no connection any more, or none came about.
type lost struct{ err *failure }

// failure is why there is no connection.
type failure struct {
	kind string // what makes it another one than the last
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func newLink(b *Backend) *link {
	return &link{
		Backend: b, reports: make(chan any), rota: newRota(b.cfg.Find),
		// Short, since a server that comes back should be found soon, and spread,
		// since the other nodes look for it too.
		pauses: backoff.ExponentialBackOff{InitialInterval: 200 * time.Millisecond, Multiplier: 2, MaxInterval: 4 * time.Second, RandomizationFactor: .3},
	}
}

// run goes from server to server until ctx ends.
func (l *link) run(ctx context.Context) {
	for {
		failed := l.attempt(ctx)
		if !l.report(ctx, lost{failed}) {
			return
		}
		if !l.rota.left() && !backends.Sleep(ctx, l.pauses.NextBackOff()) {
			return
		}
	}
}

// report hands something on. False: ctx has ended.
func (l *link) report(ctx context.Context, what any) bool {
	select {
	case l.reports <- what:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt finds a server and stays with it.
func (l *link) attempt(ctx context.Context) *failure {
	e, err := l.find(ctx)
	if err != nil {
		return &failure{"find", err}
	}
	conn, err := l.dial(ctx, e.Address)
	if err != nil {
		return &failure{"connect", fmt.Errorf("typha at %s: %w", e.Address, err)}
	}
	ctx, reject := context.WithCancelCause(ctx)
	defer reject(nil)
	stop := context.AfterFunc(ctx, func() { hangUp(conn) })
	defer stop()
	defer conn.Close()
	s := session{link: l, stream: newStream(conn, l.cfg.ReadTimeout, l.cfg.WriteTimeout, l.limits), address: e.Address}
	failed := s.run(ctx, reject)
	if !s.inStep.IsZero() && time.Since(s.inStep) > lasting {
		l.rota.worked(e.Address)
		l.pauses.Reset()
	}
	if cause := context.Cause(ctx); cause != nil {
		failed = &failure{"rejected", cause}
	}
	failed.err = fmt.Errorf("typha at %s: %w", e.Address, failed.err)
	return failed
}

// find picks a server. Where some are known, who says where they are now must say
// so quickly.
func (l *link) find(ctx context.Context) (Endpoint, error) {
	limit := l.cfg.ReadTimeout
	if len(l.rota.known) > 0 {
		limit = min(limit, 3*time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return l.rota.next(ctx)
}

// session is a connection to one server.
type session struct {
	*link
	stream  *stream
	address string
	inStep  time.Time // since when the server is; zero: it is not
	told    bool      // something of the state has come
}

// run reads until something fails, which it always does in the end.
func (s *session) run(ctx context.Context, reject context.CancelCauseFunc) *failure {
	hello, failed := s.hello()
	if failed != nil {
		return failed
	}
	server := backends.Server{Address: s.address, Version: hello.Version, Since: time.Now()}
	if !s.report(ctx, connected{server, reject}) {
		return &failure{"stopped", ctx.Err()}
	}
	for {
		m, err := s.stream.receive()
		if err == nil {
			err = s.take(ctx, m)
		}
		if err != nil {
			return s.explain(err)
		}
	}
}

// take acts on a message, or hands it on.
func (s *session) take(ctx context.Context, m any) error {
	var what any
	switch m := m.(type) {
	case wire.KVs:
		s.told, what = true, m.KVs
	case wire.SyncStatus:
		s.told, what = true, m
		if m.SyncStatus != wire.InSync {
			s.inStep = time.Time{}
		} else if s.inStep.IsZero() {
			s.inStep = time.Now()
		}
	case wire.Ping:
		now := time.Now()
		what = delayed(max(0, now.Sub(m.Timestamp)))
		if err := s.stream.send(wire.Pong{PingTimestamp: m.Timestamp, PongTimestamp: now}); err != nil {
			return fmt.Errorf("answering a ping: %w", err)
		}
	case wire.DecoderRestart:
		return s.stream.restart(m)
	default:
		return fmt.Errorf("the server sent a %T, which is not for clients", m)
	}
	if !s.report(ctx, what) {
		return ctx.Err()
	}
	return nil
}

// hello introduces us, and makes sure of who answers.
func (s *session) hello() (wire.ServerHello, *failure) {
	err := s.stream.send(wire.ClientHello{
		Hostname: s.cfg.Node, Info: "confd for BIRD", Version: s.cfg.Version, SyncerType: wire.Syncer,
		SupportsDecoderRestart: true, SupportedCompressionAlgorithms: []string{wire.Snappy}, SupportsModernPolicyKeys: true,
	})
	var head []byte
	if err == nil {
		head, err = s.stream.head()
	}
	if err != nil {
		return wire.ServerHello{}, s.explain(err)
	}
	m, err := s.stream.receive()
	hint := protocolHint(head)
	if ended(err) && hint == "" {
		return wire.ServerHello{}, s.explain(err)
	}
	if err != nil {
		err = fmt.Errorf("what answers is no Typha: %w: %s", err, cmp.Or(hint, "is the port right? Typha's is 5473 in most clusters"))
		return wire.ServerHello{}, &failure{"hello", err}
	}
	h, err := checkHello(m)
	if err != nil {
		return h, &failure{"hello", err}
	}
	return h, nil
}

// checkHello says whether a server is one that can be used.
func checkHello(m any) (wire.ServerHello, error) {
	h, ok := m.(wire.ServerHello)
	switch {
	case !ok:
		return h, fmt.Errorf("the server begins with a %T: this is no Typha", m)
	case h.SyncerType == "":
		return h, errors.New("this server is too old: it knows no stream for BGP; update Typha")
	case h.SyncerType != wire.Syncer:
		return h, fmt.Errorf("the server would send the stream %q, and was asked for %q", h.SyncerType, wire.Syncer)
	case !h.SupportsNodeResourceUpdates:
		return h, errors.New("this server is too old: it does not send Nodes; update Typha")
	}
	return h, nil
}

// head returns the first bytes that come, and leaves them there.
func (s *stream) head() ([]byte, error) {
	s.conn.last = time.Now().Add(silences * s.conn.read)
	if _, err := s.raw.Peek(1); err != nil {
		return nil, err
	}
	head, err := s.raw.Peek(min(s.raw.Buffered(), 16))
	return bytes.Clone(head), err
}

// protocolHint says what the first bytes of an answer look like; empty: like none
// that is known.
func protocolHint(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("HTTP/")):
		return "it speaks HTTP; Typha's port is 5473 in most clusters"
	case len(head) > 3 && bytes.Equal(head[:2], []byte{0, 0}) && head[3] == 4:
		return "it speaks HTTP/2, as etcd and API servers do; Typha's port is 5473 in most clusters"
	case len(head) > 1 && head[0] == 0x15 && head[1] == 3:
		return "it speaks TLS; set TYPHACAFILE, TYPHACERTFILE, TYPHAKEYFILE and TYPHACN or TYPHAURISAN"
	}
	return ""
}

// explain says what the end of a connection means.
func (s *session) explain(err error) *failure {
	switch {
	case isAlert(err):
		return &failure{"certificate", fmt.Errorf("%w: the server refuses our certificate (TYPHACERTFILE): its log says why", err)}
	case ended(err) && !s.told:
		return &failure{"hung up", fmt.Errorf("the server hung up before it sent anything (%w): it may want TLS, or be so new that it asks for what this program lacks: its log says why", err)}
	case errors.As(err, new(errSilent)) && !s.told:
		return &failure{"silent", fmt.Errorf("%w after it took the connection: is that Typha? Its port is 5473 in most clusters; does it want TLS (TYPHACAFILE and the others), or is it overloaded?", err)}
	case ended(err):
		return &failure{"closed", fmt.Errorf("the server has closed the connection: %w", err)}
	}
	return &failure{"broken", err}
}

// ended says whether the other side has closed the connection.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
