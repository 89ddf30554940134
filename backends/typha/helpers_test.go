package typha

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"confd/backends"
	"confd/backends/typha/typhatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// follower applies what a backend sends, one Update at a time, on the test's own
// goroutine: the backend waits while the test does not look.
type follower struct {
	tb    testing.TB
	out   chan backends.Update
	state *backends.State
}

// follow runs a backend that finds these servers.
func follow(t testing.TB, cfg Config, addresses ...string) *follower {
	t.Helper()
	cfg.Find = func(context.Context) ([]Endpoint, error) {
		var list []Endpoint
		for _, a := range addresses {
			list = append(list, Endpoint{Address: a})
		}
		return list, nil
	}
	return followAs(t, newBackend(t, cfg))
}

func newBackend(t testing.TB, cfg Config) *Backend {
	t.Helper()
	if cfg.Node == "" {
		cfg.Node = "node-1"
	}
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func followAs(t testing.TB, b *Backend) *follower {
	t.Helper()
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

// nodes are the nodes with their AS numbers.
func (f *follower) nodes() string {
	s := map[string]uint32{}
	for name, n := range f.state.Nodes {
		s[name] = n.ASNumber
	}
	return fmt.Sprint(s) // sorted by name
}

func (f *follower) wantNodes(want string) {
	f.tb.Helper()
	if got := f.nodes(); got != want {
		f.tb.Errorf("nodes are %s, want %s", got, want)
	}
}

// startServer runs a server with some nodes in it.
func startServer(t testing.TB, o typhatest.Options, nodes ...string) *typhatest.Server {
	t.Helper()
	s, err := typhatest.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for i, n := range nodes {
		s.Set(nodeKey(n), node(n, i+1))
	}
	return s
}

func nodeKey(name string) string { return resourceRoot + "nodes/" + name }

func node(name string, as int) string {
	return fmt.Sprintf(`{"kind":"Node","metadata":{"name":%q},"spec":{"bgp":{"ipv4Address":"10.0.0.%d/24","asNumber":%d}}}`, name, as, as)
}

// kinds are the numbers of resources in a state, for messages.
func kinds(s *backends.State) string {
	return fmt.Sprintf("%d nodes, %d peers, %d filters, %d pools, %d affinities, %d configurations; invalid: %v",
		len(s.Nodes), len(s.BGPPeers), len(s.BGPFilters), len(s.IPPools), len(s.BlockAffinities), len(s.BGPConfigurations), invalid(s))
}

func invalid(s *backends.State) []string {
	var list []string
	for k := range s.Invalid {
		list = append(list, k.String())
	}
	slices.Sort(list)
	return list
}
