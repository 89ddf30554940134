package typha

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"confd/backends"
	"confd/backends/typha/typhatest"
)

// TestAnyHistory: whatever has happened to two servers and to what they hold, in the
// end the state is that of a fresh start, and no update on the way told of a state
// that never was.
func TestAnyHistory(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	g := rand.New(rand.NewPCG(7, 7))
	servers := []*typhatest.Server{startServer(t, typhatest.Options{Ping: 20 * time.Millisecond}), startServer(t, typhatest.Options{Plain: true})}
	f := follow(t, Config{Grace: time.Hour}, servers[0].Address(), servers[1].Address())
	f.UntilInSync()
	for i := range rounds {
		for range 1 + g.IntN(20) {
			happens(t, g, servers)
		}
		// Both are there again, and have the same; the last node says which round it is.
		for _, s := range servers {
			s.Stand(2)
			s.Set(nodeKey("last"), node("last", i+1))
		}
		f.Until(fmt.Sprintf("round %d", i), func(u backends.Update) bool {
			if !u.InSync && len(u.Events) > 0 {
				t.Fatalf("round %d: %d events while out of step", i, len(u.Events))
			}
			n := f.State.Nodes["last"]
			return u.InSync && n != nil && n.ASNumber == uint32(i+1)
		})
		fresh := follow(t, Config{}, servers[g.IntN(2)].Address())
		fresh.UntilInSync()
		if diff := cmp.Diff(fresh.State, f.State, compare()...); diff != "" {
			t.Fatalf("round %d (-fresh +followed):\n%s", i, diff)
		}
	}
}

// happens is one thing that happens, to both servers where it is the cluster's.
func happens(t *testing.T, g *rand.Rand, servers []*typhatest.Server) {
	t.Helper()
	name := fmt.Sprintf("n%d", g.IntN(8))
	both := func(do func(*typhatest.Server)) { do(servers[0]); do(servers[1]) }
	one := servers[g.IntN(2)]
	switch g.IntN(10) {
	case 0, 1, 2:
		value := node(name, 1+g.IntN(5))
		both(func(s *typhatest.Server) { s.Set(nodeKey(name), value) })
	case 3:
		both(func(s *typhatest.Server) { s.Delete(nodeKey(name)) })
	case 4:
		both(func(s *typhatest.Server) { s.Set(nodeKey(name), "") })
	case 5:
		block := fmt.Sprintf("/calico/ipam/v2/host/node-%d/ipv4/block/10.1.%d.0-26", 1+g.IntN(2), g.IntN(4))
		value := fmt.Sprintf(`{"state":"confirmed","deleted":%t}`, g.IntN(2) == 0)
		both(func(s *typhatest.Server) { s.Set(block, value) })
	case 6:
		one.Stand(uint8(g.IntN(3)))
	case 7:
		one.Drop()
	case 8:
		one.Stop()
		both(func(s *typhatest.Server) { s.Delete(nodeKey(name)) })
		if err := one.Resume(); err != nil {
			t.Fatal(err)
		}
	case 9:
		time.Sleep(time.Duration(g.IntN(20)) * time.Millisecond)
	}
}
