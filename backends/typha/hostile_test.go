package typha

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/backends/typha/internal/wire"
	"confd/backends/typha/typhatest"
)

// answer is a server that does something odd with each connection.
func answer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// saying reads the client's hello, and then says all of these.
func saying(messages ...any) func(net.Conn) {
	return func(c net.Conn) {
		var e wire.Envelope
		if gob.NewDecoder(c).Decode(&e) != nil {
			return
		}
		enc := gob.NewEncoder(c)
		for _, m := range messages {
			if enc.Encode(wire.Envelope{Message: m}) != nil {
				return
			}
		}
		io.Copy(io.Discard, c) //nolint:errcheck // until the client has had enough
	}
}

func raw(text string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 1<<16)
		c.Read(buf)             //nolint:errcheck // its hello
		io.WriteString(c, text) //nolint:errcheck // the client may be gone
	}
}

// TestWhatIsNoTypha: what is wrong with a server is said in words that help.
func TestWhatIsNoTypha(t *testing.T) {
	good := wire.ServerHello{SyncerType: "bgp", SupportsNodeResourceUpdates: true}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"HTTP":              {raw("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"), "it speaks HTTP;"},
		"HTTP, in short":    {raw("HTTP/1.0 400\r\n\r\n"), "it speaks HTTP;"},
		"HTTP/2":            {raw("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00"), "it speaks HTTP/2"},
		"TLS":               {raw("\x15\x03\x01\x00\x02\x02\x46"), "it speaks TLS; set TYPHACAFILE"},
		"SSH":               {raw("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n" + strings.Repeat("x", 100)), "no Typha"},
		"hangs up at once":  {func(net.Conn) {}, "hung up before it sent anything"},
		"hangs up on hello": {func(c net.Conn) { gob.NewDecoder(c).Decode(&wire.Envelope{}) }, "asks for what this program lacks"}, //nolint:errcheck // it hangs up anyway
		"hangs up after its hello": {func(c net.Conn) {
			gob.NewDecoder(c).Decode(&wire.Envelope{})             //nolint:errcheck // as above
			gob.NewEncoder(c).Encode(wire.Envelope{Message: good}) //nolint:errcheck // as above
		}, "asks for what this program lacks"},
		"knows no streams":      {saying(wire.ServerHello{SupportsNodeResourceUpdates: true}), "too old: it knows no stream for BGP"},
		"another stream":        {saying(wire.ServerHello{SyncerType: "felix", SupportsNodeResourceUpdates: true}), `would send the stream "felix"`},
		"sends no Nodes":        {saying(wire.ServerHello{SyncerType: "bgp"}), "too old: it does not send Nodes"},
		"no hello":              {saying(wire.SyncStatus{SyncStatus: 2}), "begins with a wire.SyncStatus"},
		"a client's message":    {saying(good, wire.ACK{}), "is not for clients"},
		"another compression":   {saying(good, wire.DecoderRestart{CompressionAlgorithm: "zstd"}), `not offered: "zstd"`},
		"a huge message":        {saying(good, wire.KVs{KVs: []wire.KV{{Key: "/x", Value: []byte(strings.Repeat("x", 3<<20))}}}), errTooLarge.Error()},
		"keys that are nothing": {saying(good, wire.KVs{KVs: make([]wire.KV, 1<<17)}), wire.ErrMany.Error()},
		"silence":               {saying(good), "was silent for 1s"},
		"silence, no hello":     {saying(), "was silent for 1s after it took the connection: is that Typha? Its port is 5473"},
		"drop by drop": {func(c net.Conn) {
			for i := range 100 {
				time.Sleep(200 * time.Millisecond)
				if _, err := c.Write([]byte{[]byte{0xfe, 0x7f}[min(i, 1)]}); err != nil {
					return
				}
			}
		}, "takes too long to send a message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := backendstest.Patience // a loaded machine is no reason
			if strings.Contains(c.want, "silent for 1s") || strings.Contains(c.want, "too long") {
				limit = time.Second
			}
			b := newBackend(t, Config{ReadTimeout: limit})
			b.limits = limits{bytes: 2 << 20, items: 1 << 16}
			address := answer(t, c.serve)
			b.cfg.Find = find(address)
			f := backendstest.Follow(t, b)
			u := f.Next("an error")
			if u.InSync || u.Err == nil || !strings.Contains(u.Err.Error(), c.want) || !strings.Contains(u.Err.Error(), address) || strings.Contains(u.Err.Error(), "\n") {
				t.Errorf("told was %v, which should have %q in it", u.Err, c.want)
			}
		})
	}
}

func find(addresses ...string) func(context.Context) ([]Endpoint, error) {
	return func(context.Context) ([]Endpoint, error) {
		var list []Endpoint
		for _, a := range addresses {
			list = append(list, Endpoint{Address: a})
		}
		return list, nil
	}
}

// TestAnotherServerIsAsked: servers that cannot be used are passed over, each once.
func TestAnotherServerIsAsked(t *testing.T) {
	bad := startServer(t, typhatest.Options{Old: true}, "x")
	none := startServer(t, typhatest.Options{Syncer: typhatest.None}, "x")
	good := startServer(t, typhatest.Options{}, "a")
	f := follow(t, Config{}, bad.Address(), none.Address(), good.Address(), "127.0.0.1:1")
	if u := f.UntilInSync(); u.Server.Address != good.Address() {
		t.Errorf("in step by %+v", u.Server)
	}
	f.WantNodes("map[a:1]")
	if n := bad.Hellos() + none.Hellos(); n > 2 {
		t.Errorf("the others were asked %d times before all had been", n)
	}
}

// TestTooManyObjects: a server that goes on and on is left.
func TestTooManyObjects(t *testing.T) {
	table := newTable(reader{node: "n", checker: backends.NewChecker()})
	table.begin()
	var err error
	for i := 0; err == nil && i <= mostKeys+1; i++ {
		err = table.add([]wire.KV{{Key: fmt.Sprint(resourceRoot, "bgppeers/", i)}})
	}
	if err == nil || len(table.pending) != mostKeys+1 {
		t.Errorf("after %d objects: %v", len(table.pending), err)
	}
}

// TestRota: each has its turn, those on this node first, and a list that cannot be
// had is the last one.
func TestRota(t *testing.T) {
	var found []Endpoint
	var err error
	r := newRota(func(context.Context) ([]Endpoint, error) { return found, err })
	next := func() string {
		t.Helper()
		e, err := r.next(t.Context())
		if err != nil {
			return err.Error()
		}
		return e.Address
	}
	if err = errors.New("no API server"); next() != "no API server" {
		t.Error("an error is none")
	}
	err, found = nil, nil
	if next() != ErrNoneReady.Error() || r.left() {
		t.Error("no server is one")
	}
	found = []Endpoint{{Address: "a"}, {Address: "b"}, {Address: "here", Local: true}, {Address: "c"}}
	for range 20 {
		seen := map[string]bool{}
		for i := range 4 {
			got := next()
			if i == 0 && got != "here" {
				t.Fatalf("the first is %s", got)
			}
			seen[got] = true
			if r.left() != (i < 3) {
				t.Errorf("after %d there are others: %v", i+1, r.left())
			}
			err = errors.New("no API server") // the list stays
		}
		if len(seen) != 4 {
			t.Fatalf("of four had their turns: %v", seen)
		}
		err = nil
	}
	r.worked("here")
	if got := next(); got == "here" || !r.left() {
		t.Errorf("after a while with one, the next is %s", got)
	}
	err = fmt.Errorf("x: %w", ErrNoneReady)
	if !strings.Contains(next(), ErrNoneReady.Error()) {
		t.Error("where none is ready, an old one is tried")
	}
}
