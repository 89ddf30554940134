package typha

import (
	"context"
	"flag"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/backends/typha/typhatest"
	"confd/internal/testenv"
)

// clients is how many there are in TestManyClients: more to measure what one costs.
var clients = flag.Int("clients", 50, "clients of one server")

// counting counts what a server sends.
type counting struct {
	net.Conn
	sent *atomic.Int64
}

func (c counting) Write(p []byte) (int, error) {
	c.sent.Add(int64(len(p)))
	return c.Conn.Write(p)
}

// TestManyClients: each change reaches every client, and all are back after a
// restart. With -v it says what that costs server and clients, together.
func TestManyClients(t *testing.T) {
	var sent atomic.Int64
	server := startServer(t, typhatest.Options{Wrap: func(c net.Conn) net.Conn { return counting{c, &sent} }})
	const nodes = 1000
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		server.Set(nodeKey(name), node(name, 1+i%200))
		server.Set(fmt.Sprintf("/calico/ipam/v2/host/%s/ipv4/block/10.%d.%d.0-26", name, i/200, i%200), `{"state":"confirmed","deleted":false}`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var inStep, saw atomic.Int64
	cpu, bytes, began := cpuTime(), sent.Load(), time.Now()
	for i := range *clients {
		b, err := New(Config{Node: fmt.Sprintf("node-%d", i), Find: find(server.Address()), Grace: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		out := make(chan backends.Update)
		all.Go(func() { b.Run(ctx, out) }) //nolint:errcheck // nil, as ctx ends it
		all.Go(func() { count(ctx, out, &inStep, &saw) })
	}
	measure := func(what string, done func() bool) {
		t.Helper()
		testenv.Eventually(t, 10*backendstest.Patience, what, done)
		n := time.Duration(*clients)
		t.Logf("%s: %s, and of each client %s of CPU and %d bytes", what, time.Since(began).Round(time.Millisecond),
			((cpuTime() - cpu) / n).Round(time.Microsecond), (sent.Load()-bytes)/int64(n))
		cpu, bytes, began = cpuTime(), sent.Load(), time.Now()
	}
	want := int64(*clients)
	measure("all in step", func() bool { return inStep.Load() >= want })
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	t.Logf("memory of server and clients: %d kB for each client", memory.HeapAlloc/uint64(want)/1000)
	server.Set(nodeKey("node-0"), node("node-0", 201))
	measure("a change of a node", func() bool { return saw.Load() == want })
	inStep.Store(0)
	server.Stop()
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	measure("all back after a restart", func() bool { return inStep.Load() >= want && server.Clients() == int(want) })
	if n := saw.Load(); n != want {
		t.Errorf("a restart was told as %d changes", n-want)
	}
}

// count counts the updates of one client: those with which it came into step, by
// whichever connection, and those with one event.
func count(ctx context.Context, out <-chan backends.Update, inStep, saw *atomic.Int64) {
	var last time.Time
	for {
		select {
		case u := <-out:
			if u.InSync && !u.Server.Since.Equal(last) {
				last = u.Server.Since
				inStep.Add(1)
			}
			if len(u.Events) == 1 {
				saw.Add(1)
			}
		case <-ctx.Done():
			return
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
