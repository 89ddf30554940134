package serve

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/internal/report"
	"confd/internal/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		serveWithFewFiles()
	}
	goleak.VerifyTestMain(m)
}

// serving serves h on a new unix socket, and gives a way to ask.
func serving(t *testing.T, h Handlers) (ask func(method, url string) (int, string)) {
	t.Helper()
	path := filepath.Join(testenv.SocketDir(t), "http")
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return func(method, url string) (int, string) { return request(t, transport, method, url) }
}

func request(t *testing.T, transport http.RoundTripper, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://confd"+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func handlers() Handlers {
	return Handlers{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "confd_ready 1\n") }),
		Report:  func() *report.Report { return nil },
		Beat:    time.Now,
	}
}

func TestPaths(t *testing.T) {
	for _, pprof := range []bool{false, true} {
		h := handlers()
		h.PProf = pprof
		ask := serving(t, h)
		profiles := http.StatusNotFound
		if pprof {
			profiles = http.StatusOK
		}
		for path, want := range map[string]int{
			"/": 200, "/metrics": 200, "/livez": 200, "/readyz": 503, "/nothing": 404,
			"/debug/pprof/": profiles, "/debug/pprof/goroutine": profiles, "/debug/pprof/cmdline": profiles,
		} {
			if code, body := ask("GET", path); code != want {
				t.Errorf("pprof %v: %s answers %d %s, not %d", pprof, path, code, body, want)
			}
		}
	}
}

func TestOnlyGET(t *testing.T) {
	ask := serving(t, handlers())
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if code, _ := ask(method, "/metrics"); code != http.StatusMethodNotAllowed {
			t.Errorf("%s /metrics answers %d", method, code)
		}
	}
}

func TestLivez(t *testing.T) {
	var beat atomic.Pointer[time.Time]
	h := handlers()
	h.Beat = func() time.Time { return *beat.Load() }
	h.MaxBeat = time.Hour
	ask := serving(t, h)
	for _, c := range []struct {
		name string
		beat time.Time
		code int
		want string
	}{
		{"it has not begun", time.Time{}, 200, "alive"},
		{"it turns", time.Now().Add(-59 * time.Minute), 200, "alive"},
		{"it hangs", time.Now().Add(-61 * time.Minute), 503, "has not turned for 1h1m"},
	} {
		beat.Store(&c.beat)
		if code, body := ask("GET", "/livez"); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.name, code, body)
		}
	}
}

func TestLivezOfALoopThatNeverBegins(t *testing.T) {
	h := handlers()
	h.Beat, h.MaxBeat = func() time.Time { return time.Time{} }, time.Nanosecond
	if code, body := serving(t, h)("GET", "/livez"); code != 503 {
		t.Errorf("%d %s", code, body)
	}
}

func TestReadyz(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good := report.Report{
		Ready: true,
		Sources: []report.Source{
			{Name: "etcd", InSync: true, Since: at, Revision: "7"},
			{Name: "typha", InSync: true, Since: at, Server: &report.Server{Address: "10.0.0.1:5473", Version: "v3", Since: at, LagSeconds: 2}},
		},
		Sets: []report.Set{{Name: "bird", State: "up", Version: "2.0.12", Rendered: "ab", Installed: "ab", Confirmed: "ab",
			Revision: "7", ConfirmedAt: at}},
		Routes: []report.Routes{{Set: "bird", At: at}},
	}
	bad := report.Report{
		NotReady: []string{"source etcd is out of step", "set bird is not confirmed"},
		Sources:  []report.Source{{Name: "etcd", Error: "connection refused"}},
		Sets: []report.Set{
			{Name: "bird", State: "hung", Rendered: "ab", Installed: "ab", RestartNeeded: []string{"listen port"}, Error: "no answer"},
			{Name: "bird6", State: "up", Rendered: "cd", Installed: "ab", Confirmed: "ab"},
		},
		Held:  &report.Held{Hash: "ef", Why: "2 of 2 sessions\x1b[2J would go"},
		Stale: &report.Stale{Confirmed: at},
		Routes: []report.Routes{
			{Set: "one", Unknown: "BIRD does not answer"}, {Set: "two", KernelUnknown: "BIRD is elsewhere"}, {Set: "three", Faults: []report.RouteFault{{Text: "first"}, {}}},
			{Set: "four", Recovery: &report.Recovery{Until: at, Sessions: []string{"Mesh_1", "Mesh_2"}}},
		},
	}
	for _, c := range []struct {
		name, path string
		report     *report.Report
		code       int
		want       string
	}{
		{"nothing known", "/readyz?verbose", nil, 503, "starting: nothing is known yet\n"},
		{"no reason", "/readyz", &report.Report{}, 503, "not ready\n"},
		{"good", "/readyz", &good, 200, "ready\n"},
		{"bad", "/readyz", &bad, 503, "source etcd is out of step\nset bird is not confirmed\n"},
		{"good, in full", "/readyz?verbose", &good, 200, `ready
[+] source etcd: in step, since 2026-01-02T03:04:05Z, revision 7
[+] source typha: in step, since 2026-01-02T03:04:05Z, server 10.0.0.1:5473 (v3) since 2026-01-02T03:04:05Z, 2 s behind
[+] set bird: confirmed, hash ab, revision 7, since 2026-01-02T03:04:05Z, BIRD 2.0.12 up
[+] routes bird: nothing is wrong, looked at 2026-01-02T03:04:05Z
`},
		{"bad, in full", "/readyz?verbose", &bad, 503, `source etcd is out of step
set bird is not confirmed
[-] source etcd: out of step, connection refused
[-] set bird: installed, not confirmed, BIRD hung, no answer
[-] set bird: waits for a restart of BIRD: listen port
[-] set bird6: rendered, not installed, hash ab, BIRD up
[-] routes one: not known, BIRD does not answer
[-] routes two: the kernel's are not known, BIRD is elsewhere
[-] routes three: 2 faults, the first, first
[-] routes four: BIRD recovers from a graceful restart, and puts nothing into the kernel until 03:04:05 at most: it waits for Mesh_1, Mesh_2
[-] stale: BIRD runs on what was confirmed 2026-01-02T03:04:05Z
[-] held: 2 of 2 sessions?[2J would go, hash ef
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := handlers()
			h.Report = func() *report.Report { return c.report }
			ask := serving(t, h)
			if code, body := ask("GET", c.path); code != c.code || body != c.want {
				t.Errorf("%d\n%s\nnot %d\n%s", code, body, c.code, c.want)
			}
		})
	}
}

func TestServeEndsWithRequestsUnderWay(t *testing.T) {
	h := handlers()
	asked := make(chan struct{})
	h.Metrics = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() })
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, h) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-asked
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Serve waits for ever")
	}
}

func TestListenReplacesOnlyWhatIsDead(t *testing.T) {
	path := filepath.Join(testenv.SocketDir(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false) // as one that was killed
	dead.Close()
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatalf("the socket of a dead process: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v %v", info, err)
	}
	if _, err := Listen("unix:" + path); err == nil || !strings.Contains(err.Error(), "listens there already") {
		t.Errorf("the socket of a living process: %v", err)
	}
	l.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the closed socket is still there: %v", err)
	}
}

func TestListenErrorsSayWhatToDo(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		l.Addr().String():                   "give --listen another address",
		"192.0.2.1:9191":                    "does not have that address",
		"9191":                              "HOST:PORT",
		"127.0.0.1:http-of-ours":            "HOST:PORT",
		"unix:":                             "path of a socket",
		"unix:" + file:                      "not a socket",
		"unix:/nowhere/s":                   "folder must be there",
		"unix:/" + strings.Repeat("x", 120): "107 bytes",
	} {
		l, err := Listen(addr)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
