package serve

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
)

// mostConns is how many connections are kept at a time. Probes and scrapes need
// a few; each takes a file, of which the program may have 256.
const mostConns = 64

// limited is a listener that keeps at most so many connections. Where another one
// comes, the one goes that has waited longest for its client: a new one that had
// to wait instead would leave probes without an answer, however short the idle
// ones are kept. Where all are being answered the new one goes.
type limited struct {
	net.Listener
	most int

	mu   sync.Mutex
	open []*conn // first those that have waited longest
}

// conn is a connection of a limited listener.
type conn struct {
	net.Conn
	of        *limited
	answering bool // a request that has arrived
}

// Accept waits for a connection that is kept.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if kept := l.keep(c); kept != nil {
			return kept, nil
		}
		c.Close()
	}
}

// keep makes room for a connection; nil: there is none.
func (l *limited) keep(c net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= l.most {
		i := slices.IndexFunc(l.open, func(c *conn) bool { return !c.answering })
		if i < 0 {
			return nil
		}
		l.open[i].Conn.Close()
		l.open = slices.Delete(l.open, i, i+1)
	}
	kept := &conn{Conn: c, of: l}
	l.open = append(l.open, kept)
	return kept
}

// Close closes the connection. Doing so again, or after it had to go, is no error
// of weight.
func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.open = slices.DeleteFunc(c.of.open, func(o *conn) bool { return o == c })
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// answers notes that a request is being answered, or that the connection waits
// for the next one from now on.
func (c *conn) answers(yes bool) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.answering = yes
	if i := slices.Index(c.of.open, c); i >= 0 {
		c.of.open = append(slices.Delete(c.of.open, i, i+1), c)
	}
}

// connKey is where a request's context has its connection.
type connKey struct{}

// withConn is for the server's ConnContext.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// answering has the connection of a request stay while h answers.
func answering(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.answers(true)
			defer c.answers(false)
		}
		h.ServeHTTP(w, r)
	})
}
