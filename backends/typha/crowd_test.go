package typha

import (
	"encoding/gob"
	"flag"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"confd/backends/internal/backendstest"

	"confd/backends/typha/internal/wire"
	"confd/backends/typha/typhatest"
	"confd/internal/testenv"
)

// How many clients TestCrowd has, and for how long: more to measure what one costs.
var (
	crowd    = flag.Int("crowd", 100, "clients of one server that read, and do nothing with it")
	crowdFor = flag.Duration("crowd-for", time.Second, "how long they are told of a change a second")
)

// onlooker is a client that says what it must, and counts the bytes that come.
type onlooker struct {
	conn net.Conn
	read atomic.Int64
}

func look(address string) (*onlooker, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	o, enc := &onlooker{conn: conn}, gob.NewEncoder(conn)
	hello := wire.ClientHello{
		Hostname: "node", SyncerType: wire.Syncer, SupportsDecoderRestart: true, SupportsModernPolicyKeys: true, SupportedCompressionAlgorithms: []string{wire.Snappy},
	}
	// The answers to both restarts are known beforehand.
	for _, m := range []any{hello, wire.ACK{}, wire.ACK{}} {
		if err == nil {
			err = enc.Encode(wire.Envelope{Message: m})
		}
	}
	return o, err
}

// count reads until the connection ends.
func (o *onlooker) count() {
	buf := make([]byte, 4<<10)
	for {
		n, err := o.conn.Read(buf)
		o.read.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func crowdNode(i int) string { return fmt.Sprintf("node-%d", i) }

// TestCrowd: a server tells each of its clients of each change. With -v it says what a
// client costs the server: all that these do is to read.
func TestCrowd(t *testing.T) {
	server := startServer(t, typhatest.Options{Ping: time.Hour}) // nothing but changes
	for i := range 1000 {
		server.Set(nodeKey(crowdNode(i)), node(crowdNode(i), 1+i%200))
	}
	var all sync.WaitGroup
	defer all.Wait()
	onlookers := make([]*onlooker, *crowd)
	cpu, began := cpuTime(), time.Now()
	measure := func(what string, times int) {
		n := time.Duration(*crowd * times)
		t.Logf("%s: %s, and for each client %s of CPU", what, time.Since(began).Round(time.Millisecond), ((cpuTime() - cpu) / n).Round(time.Microsecond))
		cpu, began = cpuTime(), time.Now()
	}
	for i := range onlookers {
		o, err := look(server.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer o.conn.Close()
		onlookers[i] = o
		all.Go(o.count)
	}
	// together is how much all have read; 0: not all the same.
	together := func() int64 {
		n := onlookers[0].read.Load()
		for _, o := range onlookers {
			if o.read.Load() != n {
				return 0
			}
		}
		return n
	}
	testenv.Eventually(t, 10*backendstest.Patience, "all to have the state", func() bool { return server.Clients() == *crowd && together() > 10_000 })
	measure("the whole state", 1)
	changes := 0
	for end := time.Now().Add(*crowdFor); time.Now().Before(end); time.Sleep(time.Second) {
		before := onlookers[0].read.Load()
		server.Set(nodeKey(crowdNode(0)), node(crowdNode(0), 2+changes%200))
		changes++
		testenv.Eventually(t, backendstest.Patience, "all to be told", func() bool { return together() > before })
	}
	measure("a change", changes)
	if n := server.Clients(); n != *crowd {
		t.Errorf("%d of %d clients are left", n, *crowd)
	}
}
