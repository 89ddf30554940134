package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"confd/backends/internal/backendstest"
	"confd/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBackend(tb testing.TB, cfg Config) *Backend {
	tb.Helper()
	if cfg.Node == "" {
		cfg.Node = "node-1"
	}
	cfg.Logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	b, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// store writes to an etcd.
type store struct {
	tb testing.TB
	*clientv3.Client
}

func openStore(tb testing.TB, cfg clientv3.Config) store {
	tb.Helper()
	cfg.Logger = zap.NewNop()
	c, err := clientv3.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return store{tb, c}
}

func startStore(tb testing.TB, opts ...testenv.EtcdOption) (*testenv.Etcd, store) {
	tb.Helper()
	server := testenv.StartEtcd(tb, opts...)
	return server, openStore(tb, clientv3.Config{Endpoints: server.Endpoints()})
}

// do writes all ops in one transaction. It tries again where the server is
// slow: writing the same twice does no harm.
func (s store) do(ops ...clientv3.Op) {
	s.tb.Helper()
	var err error
	for end := time.Now().Add(backendstest.Patience); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), backendstest.Patience/3)
		_, err = s.Txn(ctx).Then(ops...).Commit()
		cancel()
		if err == nil {
			return
		}
	}
	s.tb.Fatalf("write to etcd: %v", err)
}

func (s store) put(key, value string) { s.tb.Helper(); s.do(clientv3.OpPut(key, value)) }

func node(name string, as int) clientv3.Op {
	return clientv3.OpPut(resourceRoot+"nodes/"+name, resource("Node", name, `"bgp":{"asNumber":`+strconv.Itoa(as)+`}`))
}

func resource(kind, name, spec string) string {
	return fmt.Sprintf(`{"apiVersion":"projectcalico.org/v3","kind":%q,"metadata":{"name":%q},"spec":{%s}}`, kind, name, spec)
}

func pool(name, cidr string) clientv3.Op {
	return clientv3.OpPut(resourceRoot+"ippools/"+name, resource("IPPool", name, `"cidr":"`+cidr+`"`))
}

// proxy passes TCP connections on to a server, until it is told otherwise.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cond  *sync.Cond
	mute  bool // forward nothing, close nothing: the bytes just wait
	down  bool // refuse connections
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

func startProxy(tb testing.TB, target string) *proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	p.cond = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	tb.Cleanup(func() {
		l.Close()
		p.set(func() { p.mute, p.down = false, true })
		p.wg.Wait()
	})
	return p
}

func (p *proxy) endpoint() string { return "http://" + p.listener.Addr().String() }

// set changes the proxy's mind; one that is down cuts its connections.
func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	if p.down {
		for c := range p.conns {
			c.Close()
		}
	}
	p.cond.Broadcast()
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		if !p.track(in, out) {
			continue
		}
		p.wg.Go(func() { p.copy(in, out) })
		p.wg.Go(func() { p.copy(out, in) })
	}
}

func (p *proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
		if p.down {
			c.Close()
		}
	}
	return !p.down
}

func (p *proxy) copy(dst, src net.Conn) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		p.mu.Lock()
		for p.mute {
			p.cond.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
