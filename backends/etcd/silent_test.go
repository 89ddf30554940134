package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/internal/testenv"
)

// silentEndpoint is set where the test program is the client in the namespace.
const silentEndpoint = "CONFD_TEST_SILENT_ENDPOINT"

// A server that is lost without a word, as where a switch fails, or that hangs,
// is noticed with the settings that are in use by default.
func TestLostWithoutAWord(t *testing.T) {
	if endpoint := os.Getenv(silentEndpoint); endpoint != "" {
		tellSteps(t, Config{Endpoints: []string{endpoint}})
		return
	}
	if testing.Short() {
		t.Skip("waits for half a minute")
	}
	for name, lose := range map[string]func(*testenv.Lab, *testenv.Etcd) (lose, find func()){
		"packets are dropped": func(lab *testenv.Lab, _ *testenv.Etcd) (lose, find func()) {
			return func() { lab.Unplug("client") }, func() { lab.Plug("client") }
		},
		"the server hangs": func(_ *testenv.Lab, server *testenv.Etcd) (lose, find func()) { return server.Pause, server.Resume },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab, listener := testenv.NewSilentLab(t)
			server, s := startStore(t)
			s.do(node("a", 1))
			relay(t, listener, server.Address())
			lose, find := lose(lab, server)
			client := testenv.StartSteps(t, lab, "TestLostWithoutAWord", 4*backendstest.Patience, silentEndpoint+"=http://"+listener.Addr().String())
			client.Until(t, "in step")
			client.Noticed(t, lose, find)
		})
	}
}

// tellSteps is the client: it prints where the backend stands, until the test
// kills it.
func tellSteps(t *testing.T, cfg Config) {
	cfg.Node, cfg.Logger = "node-1", slog.New(slog.DiscardHandler)
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	updates := make(chan backends.Update)
	go func() { _ = b.Run(context.Background(), updates) }()
	for u := range updates {
		if u.InSync {
			fmt.Println("in step")
		} else if u.Err != nil {
			fmt.Println("out of step:", u.Err)
		}
	}
}

// relay passes connections on to target, until the end of the test.
func relay(t *testing.T, l net.Listener, target string) {
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.set(func() { p.down = true })
		p.wg.Wait()
	})
}
