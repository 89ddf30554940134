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

	"confd/backends"
	"confd/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// follower applies what a backend sends, one Update at a time, on the test's
// own goroutine: the backend waits while the test does not look.
type follower struct {
	tb    testing.TB
	out   chan backends.Update
	state *backends.State
}

func follow(t testing.TB, b *Backend) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{tb: t, out: make(chan backends.Update), state: backends.NewState()}
	ended := make(chan error)
	go func() { ended <- b.Run(ctx, f.out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v on a cancelled context", err)
		}
	})
	return f
}

// next applies the next Update.
func (f *follower) next(what string) backends.Update {
	f.tb.Helper()
	select {
	case u := <-f.out:
		for _, e := range u.Events {
			f.state.Apply(e)
		}
		return u
	case <-time.After(patience):
		f.tb.Fatalf("no update while waiting for %s", what)
		panic("unreachable")
	}
}

// until applies updates up to the first for which cond holds.
func (f *follower) until(what string, cond func(backends.Update) bool) backends.Update {
	f.tb.Helper()
	for {
		if u := f.next(what); cond(u) {
			return u
		}
	}
}

func (f *follower) untilInSync() backends.Update {
	f.tb.Helper()
	return f.until("being in step", func(u backends.Update) bool { return u.InSync })
}

func (f *follower) untilOutOfStep() backends.Update {
	f.tb.Helper()
	return f.until("being out of step", func(u backends.Update) bool { return u.Err != nil })
}

// untilState applies updates until cond holds for the state.
func (f *follower) untilState(what string, cond func(*backends.State) bool) {
	f.tb.Helper()
	for !cond(f.state) {
		f.next(what)
	}
}

func (f *follower) nodes() string {
	s := make(map[string]uint32)
	for name, n := range f.state.Nodes {
		s[name] = n.ASNumber
	}
	return fmt.Sprint(s) // sorted by name
}

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
	for end := time.Now().Add(patience); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), patience/3)
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
