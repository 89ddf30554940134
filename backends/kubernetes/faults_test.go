package kubernetes

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"confd/backends"
	"confd/internal/testenv"
)

// TestRestarts has a server of its own, which it ends again and again.
func TestRestarts(t *testing.T) {
	t.Parallel()
	k := testenv.StartKube(t, testenv.KubeUsers(user))
	k.InstallRBAC(t, user)
	k.InstallCRDs(t, GroupV1)
	w := startWire(t, k)
	k.Apply(t, docs(node("node-1", ""), node("node-2", ""), peer(GroupV1, "a", "10.1.0.1"), peer(GroupV1, "b", "10.1.0.2"), secret("one", "first")))
	f := follow(t, k, Config{Kubeconfig: k.Kubeconfig(t, user), APIEndpoint: w.url(), CalicoResources: true})
	needs := backends.Needs{Services: true, Secrets: []backends.Key{secretKey("one")}}
	f.backend.Need(needs)
	f.until("all", func() bool { return f.last.InSync && f.last.Serves.Covers(needs) })

	f.forget()
	w.cut()
	f.untilError(strings.TrimPrefix(w.url(), "https://"))
	k.Apply(t, docs(peer(GroupV1, "c", "10.1.0.3"), secret("one", "second")))
	k.Delete(t, docs(peer(GroupV1, "a", "")))
	f.quiet(time.Second)
	if !f.last.Serves.Covers(needs) || f.state.Secrets[secretKey("one")] == nil {
		t.Error("the secret was not kept")
	}
	w.mend()
	f.untilInSync()
	f.expect("BGPPeer a, BGPPeer c, Secret kube-system/one", func() bool { return peersOf(f.state) == "b c" })

	// While the connection is gone, everything that a watch could be resumed
	// from goes too.
	f.forget()
	w.cut()
	f.untilError("")
	k.Apply(t, docs(peer(GroupV1, "d", "10.1.0.4"), node("node-3", "")))
	k.Delete(t, docs(peer(GroupV1, "b", ""), node("node-2", "")))
	k.Kill()
	k.Compact(t)
	k.Restart()
	w.mend()
	f.untilInSync()
	f.expect("BGPPeer b, BGPPeer d, Node node-2, Node node-3", func() bool { return peersOf(f.state) == "c d" })

	f.forget()
	k.ExpireToken(t, user)
	f.untilError("401 Unauthorized")
	k.Apply(t, docs(peer(GroupV1, "e", "10.1.0.5")))
	k.RenewToken(t, user)
	f.untilInSync()
	f.expect("BGPPeer e", func() bool { return peersOf(f.state) == "c d e" })
}

// TestRestoredStore: what was deleted, and what was made, by a restore from a backup is
// found, and only then does the revision go back.
func TestRestoredStore(t *testing.T) {
	t.Parallel()
	k := testenv.StartKube(t, testenv.KubeUsers(user))
	k.InstallRBAC(t, user)
	k.InstallCRDs(t, GroupV1)
	k.Apply(t, docs(node("node-1", ""), peer(GroupV1, "a", "10.1.0.1"), peer(GroupV1, "b", "10.1.0.2")))
	k.Kill()
	backup := k.Etcd.Save()
	k.Restart()
	f := follow(t, k, Config{Kubeconfig: k.Kubeconfig(t, user), CalicoResources: true})
	f.untilInSync()
	newest := uint64(0)
	rising := func(cond func() bool) func() bool {
		return func() bool {
			n, err := strconv.ParseUint(f.last.Revision, 10, 64)
			if err == nil && n < newest {
				t.Errorf("revision %d after %d", n, newest)
			}
			newest = max(newest, n)
			return cond()
		}
	}
	k.Delete(t, docs(peer(GroupV1, "a", ""))) // is held, so that what follows overtakes it
	k.Apply(t, docs(node("node-2", "")))
	f.until("a deletion and a node", rising(func() bool { return peersOf(f.state) == "b" && names(f.state.Nodes) == "node-1 node-2" }))
	for i := range 5 {
		k.Apply(t, docs(peer(GroupV1, "c", "10.1.1."+strconv.Itoa(i))))
	}
	f.until("a new peer", rising(func() bool { p := f.state.BGPPeers["c"]; return p != nil && p.PeerIP.String() == "10.1.1.4" }))
	k.Kill()
	f.untilError("")
	k.Etcd.Restore(backup)
	k.Restart()
	f.untilInSync()
	if got := peersOf(f.state) + ", " + names(f.state.Nodes); got != "a b, node-1" {
		t.Errorf("after the restore: %s", got)
	}
	if n, err := strconv.ParseUint(f.last.Revision, 10, 64); err != nil || n >= newest {
		t.Errorf("after the restore the revision is %s, and was %d", f.last.Revision, newest)
	}
	k.Apply(t, docs(peer(GroupV1, "d", "10.1.0.4")))
	f.until("a change after the restore", func() bool { return peersOf(f.state) == "a b d" })
}

// expect waits for cond, and fails where events since forget were for other
// keys than these.
func (f *follower) expect(keys string, cond func() bool) {
	f.tb.Helper()
	f.until(keys, func() bool { return cond() && len(f.keys()) >= len(keys) })
	if got := f.keys(); got != keys {
		f.tb.Errorf("events for %s, want %s", got, keys)
	}
}

// wire is a connection to the API server that can be cut, and frozen.
type wire struct {
	tb     testing.TB
	target string
	listen net.Listener
	frozen atomic.Bool
	mu     sync.Mutex
	conns  []net.Conn
	down   bool
	wg     sync.WaitGroup
}

func startWire(t *testing.T, k *testenv.Kube) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{tb: t, target: strings.TrimPrefix(k.URL(), "https://"), listen: l}
	w.wg.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.cut()
		w.wg.Wait()
	})
	return w
}

func (w *wire) url() string { return "https://" + w.listen.Addr().String() }

func (w *wire) accept() {
	for {
		c, err := w.listen.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.target)
		if err != nil {
			c.Close()
			continue
		}
		w.mu.Lock()
		if w.down {
			c.Close()
			server.Close()
		}
		w.conns = append(w.conns, c, server)
		w.mu.Unlock()
		w.wg.Go(func() { w.pump(c, server) })
		w.wg.Go(func() { w.pump(server, c) })
	}
}

// pump copies; what arrives while the wire is frozen is lost.
func (w *wire) pump(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if w.frozen.Load() {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// silence has a connection that says nothing any more.
func silence(t *testing.T, k *testenv.Kube) {
	t.Parallel()
	w := startWire(t, k)
	f := follow(t, k, Config{Kubeconfig: k.Kubeconfig(t, user), APIEndpoint: w.url(), CalicoResources: true, APIGroup: GroupV1})
	f.untilInSync()
	began := time.Now()
	w.frozen.Store(true)
	f.untilError("")
	t.Logf("noticed after %s: %v", time.Since(began).Round(time.Millisecond), f.last.Err)
	w.cut()
	w.frozen.Store(false)
	k.Apply(t, docs(node("silent", "")))
	t.Cleanup(func() { k.Delete(t, docs(node("silent", ""))) })
	w.mend()
	f.untilInSync()
	f.until("the new node", func() bool { return f.state.Nodes["silent"] != nil })
}

// startProxy starts an HTTP/1.1 server that gives the API server's answers, or
// those of the handler in odd.
func startProxy(t *testing.T, k *testenv.Kube) (server *httptest.Server, odd *atomic.Pointer[http.HandlerFunc], proxy *httputil.ReverseProxy) {
	t.Helper()
	odd = &atomic.Pointer[http.HandlerFunc]{}
	target, err := url.Parse(k.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(k.Config(t, user))
	if err != nil {
		t.Fatal(err)
	}
	proxy = httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = recover() }() // the proxy's way to end an answer
		if h := odd.Load(); h != nil {
			(*h)(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server, odd, proxy
}

// oddAnswers has a server that, for a while, gives other answers than it
// should, and speaks HTTP/1.1.
func oddAnswers(t *testing.T, k *testenv.Kube) {
	t.Parallel()
	server, odd, _ := startProxy(t, k)
	k.Apply(t, docs(peer(GroupV1, "odd", "10.1.0.1")))
	t.Cleanup(func() { k.Delete(t, docs(peer(GroupV1, "odd", ""))) })
	f := follow(t, k, Config{APIEndpoint: server.URL, CalicoResources: true, APIGroup: GroupV1})
	f.untilInSync()
	for _, c := range []struct {
		name    string
		want    string
		handler http.HandlerFunc
	}{
		{"too many requests", "429 Too Many Requests", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}},
		{"internal error", "500 Internal Server Error: etcd is away", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"kind":"Status","message":"etcd is away","code":500}`)
		}},
		{"lists that are none", "is no list", answer(`{}`, http.StatusGone)},
		{"lists that end early", "EOF", answer(`{"kind":"List","metadata":{"resourceVersion":"7"},"items":[`, http.StatusGone)},
		{"events without an object", "without an object", verifying(func(w http.ResponseWriter, r *http.Request) {
			if !r.URL.Query().Has("watch") {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, `{"type":"ADDED"}`)
		})},
	} {
		odd.Store(&c.handler)
		server.CloseClientConnections()
		f.until(c.name, func() bool {
			return !f.last.InSync && f.last.Err != nil && strings.Contains(f.last.Err.Error(), c.want)
		})
		if f.state.BGPPeers["odd"] == nil {
			t.Errorf("%s: the peer is gone", c.name)
		}
		odd.Store(nil)
		f.untilInSync()
	}
}

// answer gives every list this text, and refuses every watch.
func answer(list string, watch int) http.HandlerFunc {
	return verifying(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("watch") {
			w.WriteHeader(watch)
			return
		}
		_, _ = io.WriteString(w, list)
	})
}

// verifying is a handler that says of any revision that the store has come so far.
func verifying(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); !q.Has("watch") && q.Get("resourceVersionMatch") == "NotOlderThan" {
			_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"7"},"items":[]}`)
			return
		}
		h(w, r)
	}
}

// comesBackPiecemeal has a collection that comes back later than the others
// after an outage: until then, what they have missed is not told.
func comesBackPiecemeal(t *testing.T, k *testenv.Kube) {
	t.Parallel()
	server, odd, proxy := startProxy(t, k)
	f := follow(t, k, Config{APIEndpoint: server.URL, CalicoResources: true, APIGroup: GroupV1})
	f.untilInSync()
	refuse := func(without string) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, without) {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			proxy.ServeHTTP(w, r)
		})
		odd.Store(&h)
	}
	refuse("/")
	server.CloseClientConnections()
	f.untilError("500")
	k.Apply(t, docs(peer(GroupV1, "piece", "10.1.0.1"), calico(GroupV1, "BGPFilter", "piece", "exportV4: [{action: Reject}]")))
	t.Cleanup(func() { k.Delete(t, docs(peer(GroupV1, "piece", ""), calico(GroupV1, "BGPFilter", "piece", ""))) })
	refuse("bgpfilters")
	for end := time.After(3 * time.Second); end != nil; {
		select {
		case u := <-f.out:
			f.apply(u)
		case <-end:
			end = nil
		}
	}
	if f.state.BGPPeers["piece"] != nil {
		t.Error("the peer was told without its filter")
	}
	odd.Store(nil)
	f.until("the peer", func() bool { return f.state.BGPPeers["piece"] != nil })
	if f.state.BGPFilters["piece"] == nil {
		t.Error("the peer was told before its filter")
	}
	f.untilInSync()
}
