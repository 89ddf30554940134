package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/backends"
	"confd/internal/testenv"
)

// The test's own administrator client keeps its connections.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*http2clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"))
}

// patience is how long a test waits for what must come.
const patience = time.Minute

const user = "confd"

// follower applies what a backend sends, on the test's own goroutine.
type follower struct {
	tb      testing.TB
	backend *Backend
	out     chan backends.Update
	state   *backends.State
	last    backends.Update
	events  []backends.Event // all since the last call of forget
}

// follow runs a backend with the rights of the manifests.
func follow(t testing.TB, k *testenv.Kube, cfg Config) *follower {
	t.Helper()
	if cfg.Kubeconfig == "" && cfg.APIEndpoint == "" {
		cfg.Kubeconfig = k.Kubeconfig(t, user)
	}
	cfg.Node, cfg.SecretNamespace = "node-1", "kube-system"
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{tb: t, backend: b, out: make(chan backends.Update), state: backends.NewState()}
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

func (f *follower) apply(u backends.Update) {
	for _, e := range u.Events {
		f.state.Apply(e)
	}
	f.events = append(f.events, u.Events...)
	f.last = u
}

// until applies updates until cond holds.
func (f *follower) until(what string, cond func() bool) {
	f.tb.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !cond() {
		select {
		case u := <-f.out:
			f.apply(u)
		case <-timer.C:
			f.tb.Fatalf("timed out waiting for %s; last: in sync %v, error %v, serves %v", what, f.last.InSync, f.last.Err, f.last.Serves)
		}
	}
}

func (f *follower) untilInSync() {
	f.tb.Helper()
	f.until("being in step", func() bool { return f.last.InSync })
}

func (f *follower) untilError(text string) {
	f.tb.Helper()
	f.until("an error with "+text, func() bool {
		return !f.last.InSync && f.last.Err != nil && strings.Contains(f.last.Err.Error(), text)
	})
}

// forget empties the list of events.
func (f *follower) forget() { f.events = nil }

// keys are the keys of the events since forget, each once, sorted.
func (f *follower) keys() string {
	seen := map[string]bool{}
	for _, e := range f.events {
		seen[e.Key.String()] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

// quiet applies what comes in a while, and fails where that changes the state.
func (f *follower) quiet(d time.Duration) {
	f.tb.Helper()
	for end := time.After(d); ; {
		select {
		case u := <-f.out:
			for _, e := range u.Events {
				if f.state.Apply(e) {
					f.tb.Errorf("unexpected change of %s", e.Key)
				}
			}
			f.last = u
		case <-end:
			return
		}
	}
}

func peersOf(s *backends.State) string { return names(s.BGPPeers) }

func names[K comparable, V any](m map[K]V) string {
	var out []string
	for k := range m {
		out = append(out, fmt.Sprint(k))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func node(name, rest string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: %s%s}}`, name, rest)
}

func calico(group, kind, name, spec string) string {
	return fmt.Sprintf(`{apiVersion: %s, kind: %s, metadata: {name: %s}, spec: {%s}}`, group, kind, name, spec)
}

func peer(group, name, ip string) string {
	return calico(group, "BGPPeer", name, `peerIP: "`+ip+`", asNumber: 64512`)
}

func secret(name, password string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Secret, metadata: {name: %s, namespace: kube-system}, stringData: {password: %s}}`, name, password)
}

func docs(objects ...string) []byte { return []byte(strings.Join(objects, "\n---\n")) }

func secretKey(name string) backends.Key {
	return backends.Key{Kind: backends.KindSecret, Namespace: "kube-system", Name: name}
}

// apply creates objects that are deleted at the end of the test.
func apply(t testing.TB, k *testenv.Kube, objects ...string) {
	t.Helper()
	k.Apply(t, docs(objects...))
	t.Cleanup(func() { k.Delete(t, docs(objects...)) })
}
