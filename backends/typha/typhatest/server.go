// Package typhatest is a Typha server for tests: it holds keys, and sends them and
// their changes to its clients as a real one does.
package typhatest

import (
	"crypto/tls"
	"encoding/gob"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"confd/backends/typha/internal/wire"
	"confd/internal/testenv/ports"
)

// Options say how a server behaves; the zero value is a current one.
type Options struct {
	Address string // to listen on; empty: any port of 127.0.0.1
	Version string
	Syncer  string // what its hello says; empty: bgp
	Old     bool   // its hello says that it sends no Nodes
	// Plain has it compress nothing, whatever clients offer.
	Plain bool
	TLS   *tls.Config
	Ping  time.Duration // between pings; 0: 10 s
	// NotReady has it begin without its datastore: see Server.Stand.
	NotReady bool
	// Wrap makes the connections that it uses of those that it takes.
	Wrap func(net.Conn) net.Conn
}

// keysInMessage is how many keys a message has at most that is not part of the
// compressed snapshot.
const keysInMessage = 100

// Server is a running server.
type Server struct {
	opts     Options
	address  string
	listener net.Listener
	done     sync.WaitGroup

	mu       sync.Mutex
	state    map[string]wire.KV
	revision int
	status   uint8
	clients  map[*client]bool
	hellos   int
	pongs    int
	stopped  bool
	snapshot []byte // compressed, of this revision; nil: not made yet
}

// Start runs a server.
func Start(o Options) (*Server, error) {
	wire.Register()
	if o.Syncer == "" {
		o.Syncer = wire.Syncer
	}
	if o.Ping == 0 {
		o.Ping = 10 * time.Second
	}
	s := &Server{opts: o, state: map[string]wire.KV{}, status: wire.InSync, clients: map[*client]bool{}}
	if o.NotReady {
		s.status = wire.WaitForDatastore
	}
	return s, s.Resume()
}

// Resume listens, at first and again after Stop, at the same address.
func (s *Server) Resume() error {
	l, err := s.listen()
	if err != nil {
		return fmt.Errorf("typhatest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.address, s.stopped = l, l.Addr().String(), false
	s.opts.Address = s.address
	s.done.Go(func() { s.accept(l) })
	return nil
}

func (s *Server) listen() (net.Listener, error) {
	if s.opts.Address == "" {
		return ports.Listen()
	}
	return net.Listen("tcp", s.opts.Address)
}

// Address is where it listens, HOST:PORT.
func (s *Server) Address() string { return s.address }

// Stop ends all connections and takes no more. What it holds stays.
func (s *Server) Stop() {
	s.mu.Lock()
	s.stopped = true
	s.listener.Close()
	s.mu.Unlock()
	s.Drop()
	s.done.Wait()
}

// Drop ends all connections.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.conn.Close()
	}
}

// Clients is how many clients have been sent the whole state and are still there.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.clients {
		if c.live {
			n++
		}
	}
	return n
}

// Hellos is how many clients have said hello so far.
func (s *Server) Hellos() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hellos
}

// Pongs is how many pings have been answered so far.
func (s *Server) Pongs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pongs
}

// Set writes a key; without a value it is one that the server finds invalid.
func (s *Server) Set(key, value string) {
	s.change(func() []wire.KV {
		s.revision++
		kv := wire.KV{Key: key, Value: []byte(value), Revision: strconv.Itoa(s.revision), UpdateType: 1}
		if _, had := s.state[key]; had {
			kv.UpdateType = 2
		}
		s.state[key] = kv
		return []wire.KV{kv}
	})
}

// Delete removes a key.
func (s *Server) Delete(key string) {
	s.change(func() []wire.KV {
		if _, had := s.state[key]; !had {
			return nil
		}
		s.revision++
		delete(s.state, key)
		return []wire.KV{{Key: key, Revision: "", UpdateType: wire.Deleted}}
	})
}

// Forget removes a key without a word to the clients, as if it had gone while they
// were away.
func (s *Server) Forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.state, key)
	s.snapshot = nil
}

// Stand says how far the server is with its datastore: 0 waits for it, 1 reads it
// anew, 2 in step.
func (s *Server) Stand(status uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
	for c := range s.clients {
		c.queue(wire.SyncStatus{SyncStatus: status})
	}
}

// change makes a change and tells all clients.
func (s *Server) change(make func() []wire.KV) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot = nil
	if kvs := make(); len(kvs) > 0 {
		for c := range s.clients {
			c.queue(wire.KVs{KVs: kvs})
		}
	}
}

// keys are all keys, sorted.
func (s *Server) keys() []wire.KV {
	kvs := make([]wire.KV, 0, len(s.state))
	for _, key := range slices.Sorted(maps.Keys(s.state)) {
		kv := s.state[key]
		kv.UpdateType = 1
		kvs = append(kvs, kv)
	}
	return kvs
}

func (s *Server) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if s.opts.TLS != nil {
			conn = tls.Server(conn, s.opts.TLS)
		}
		if s.opts.Wrap != nil {
			conn = s.opts.Wrap(conn)
		}
		c := &client{server: s, conn: conn, enc: gob.NewEncoder(conn), dec: gob.NewDecoder(conn), acks: make(chan struct{}), gone: make(chan struct{}), wake: make(chan struct{}, 1)}
		s.mu.Lock()
		if s.stopped {
			s.mu.Unlock()
			conn.Close()
			return
		}
		s.clients[c] = true
		s.done.Go(c.serve)
		s.mu.Unlock()
	}
}
