package typha

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"confd/backends"
	"confd/backends/internal/backendstest"
	"confd/backends/typha/typhatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow runs a backend that finds these servers.
func follow(t testing.TB, cfg Config, addresses ...string) *backendstest.Follower {
	t.Helper()
	cfg.Find = func(context.Context) ([]Endpoint, error) {
		var list []Endpoint
		for _, a := range addresses {
			list = append(list, Endpoint{Address: a})
		}
		return list, nil
	}
	return backendstest.Follow(t, newBackend(t, cfg))
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
