package typhatest

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/golang/snappy"

	"confd/backends/typha/internal/wire"
)

// client is one connection.
type client struct {
	server *Server
	conn   net.Conn
	enc    *gob.Encoder
	dec    *gob.Decoder
	flush  func() error // nil: nothing is held back
	acks   chan struct{}
	gone   chan struct{} // closed when nothing more comes from the client
	wake   chan struct{}

	// Those below belong to the server's lock.
	live    bool // changes are sent as they come
	waiting []any
}

// errRefused ends a client that a real server would not serve.
var errRefused = errors.New("this client is not for me")

// queue has a message sent, once the snapshot is.
func (c *client) queue(m any) {
	if !c.live {
		return
	}
	c.waiting = append(c.waiting, m)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *client) serve() {
	defer c.leave()
	hello, err := c.hello()
	if err != nil {
		close(c.gone)
		return
	}
	c.server.done.Go(c.listen)
	if c.sendState(hello) == nil {
		c.follow()
	}
}

func (c *client) leave() {
	c.conn.Close()
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	delete(c.server.clients, c)
}

func (c *client) send(m any) error {
	if err := c.enc.Encode(wire.Envelope{Message: m}); err != nil || c.flush == nil {
		return err
	}
	return c.flush()
}

// hello reads the client's, and answers.
func (c *client) hello() (wire.ClientHello, error) {
	var e wire.Envelope
	if err := c.dec.Decode(&e); err != nil {
		return wire.ClientHello{}, err
	}
	h, ok := e.Message.(wire.ClientHello)
	if !ok || h.SyncerType != wire.Syncer || !h.SupportsModernPolicyKeys || h.Hostname == "" {
		return h, errRefused
	}
	o := c.server.opts
	c.server.mu.Lock()
	c.server.hellos++
	c.server.mu.Unlock()
	syncer := o.Syncer
	if syncer == None {
		syncer = ""
	}
	return h, c.send(wire.ServerHello{Version: o.Version, SyncerType: syncer, SupportsNodeResourceUpdates: !o.Old})
}

// None is the Options.Syncer of a server that knows none.
const None = "none"

// listen reads what the client sends until there is no more.
func (c *client) listen() {
	defer close(c.gone)
	for {
		var e wire.Envelope
		if c.dec.Decode(&e) != nil {
			return
		}
		switch e.Message.(type) {
		case wire.ACK:
			select {
			case c.acks <- struct{}{}:
			case <-time.After(10 * time.Second):
				return
			}
		case wire.Pong:
			c.server.mu.Lock()
			c.server.pongs++
			c.server.mu.Unlock()
		}
	}
}

// sendState sends all that there is.
func (c *client) sendState(h wire.ClientHello) error {
	compressed := !c.server.opts.Plain && h.SupportsDecoderRestart && slices.Contains(h.SupportedCompressionAlgorithms, wire.Snappy)
	if !compressed {
		kvs, status := c.begin()
		for part := range slices.Chunk(kvs, keysInMessage) {
			if err := c.send(wire.KVs{KVs: part}); err != nil {
				return err
			}
		}
		return c.send(wire.SyncStatus{SyncStatus: status})
	}
	if err := c.restart("enable compression: snappy;send binary snapshot"); err != nil {
		return err
	}
	snapshot, status, err := c.beginCompressed()
	if err != nil {
		return err
	}
	// It ends with the announcement of the next restart.
	if _, err := c.conn.Write(snapshot); err != nil {
		return err
	}
	if err := c.acked(); err != nil {
		return err
	}
	w := snappy.NewBufferedWriter(c.conn)
	c.enc, c.flush = gob.NewEncoder(w), w.Flush
	return c.send(wire.SyncStatus{SyncStatus: status})
}

func (c *client) restart(why string) error {
	if err := c.send(wire.DecoderRestart{Message: why, CompressionAlgorithm: wire.Snappy}); err != nil {
		return err
	}
	return c.acked()
}

func (c *client) acked() error {
	select {
	case <-c.acks:
		return nil
	case <-c.gone:
		return io.ErrUnexpectedEOF
	}
}

// begin takes the state as it is; changes from now on are queued.
func (c *client) begin() ([]wire.KV, uint8) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	c.live = true
	return s.keys(), s.status
}

// beginCompressed is begin, with one snapshot for all clients.
func (c *client) beginCompressed() ([]byte, uint8, error) {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	c.live = true
	if s.snapshot == nil {
		var err error
		if s.snapshot, err = compress(s.keys()); err != nil {
			return nil, 0, err
		}
	}
	return s.snapshot, s.status, nil
}

// compress makes the compressed snapshot: all keys in one message.
func compress(kvs []wire.KV) ([]byte, error) {
	var b bytes.Buffer
	w := snappy.NewBufferedWriter(&b)
	enc := gob.NewEncoder(w)
	err := enc.Encode(wire.Envelope{Message: wire.KVs{KVs: kvs}})
	if err == nil {
		err = enc.Encode(wire.Envelope{Message: wire.DecoderRestart{Message: "End of compressed snapshot.", CompressionAlgorithm: wire.Snappy}})
	}
	err = errors.Join(err, w.Flush())
	return b.Bytes(), err
}

// follow sends changes and pings until the client is gone.
func (c *client) follow() {
	ping := time.NewTicker(c.server.opts.Ping)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-c.wake:
			for _, m := range c.take() {
				if err == nil {
					err = c.send(m)
				}
			}
		case now := <-ping.C:
			err = c.send(wire.Ping{Timestamp: now})
		case <-c.gone:
			return
		}
		if err != nil {
			return
		}
	}
}

func (c *client) take() []any {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	waiting := c.waiting
	c.waiting = nil
	return waiting
}
