package outline

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"

	"confd/backends"
	"confd/bgp"
)

// TestNext compares outlines that come after others with those made from nothing: they are
// the same, and the lines of sessions that stay are those of before.
func TestNext(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	salt := Salt("of one node")
	session := func(version, i int) *bgp.Session {
		return &bgp.Session{
			Name: fmt.Sprintf("Mesh_%d_%02d", version, i), Kind: bgp.MeshSession, Neighbor: netip.AddrFrom4([4]byte{10, byte(version), 0, byte(i)}),
			AS: 64512, LocalAS: uint32(64512 + r.IntN(2)), Password: []string{"", "one", "two"}[r.IntN(3)],
			Import: []bgp.FilterCall{{Filter: "f"}},
		}
	}
	filters := [][]*backends.BGPFilter{{{Name: "f"}}, {{Name: "f", ImportV4: []backends.FilterRule{{}}}}}
	var known [2][20]*bgp.Session
	config := func() *bgp.Config {
		c := &bgp.Config{IPv4: bgp.Family{Version: 4}, IPv6: bgp.Family{Version: 6}, Filters: filters[0]}
		if r.IntN(10) == 0 {
			c.Filters = filters[1]
		}
		if r.IntN(10) == 0 {
			c.IPv6.ListenPort = 1790
		}
		for k, f := range c.Families() {
			for i := range known[k] {
				if known[k][i] == nil || r.IntN(20) == 0 {
					known[k][i] = session(f.Version, i)
				}
				if r.IntN(10) > 0 {
					f.Sessions = append(f.Sessions, known[k][i])
				}
			}
		}
		return c
	}
	was := config()
	before := Of(was, salt)
	same := 0
	for step := range 2000 {
		is := config()
		if r.IntN(10) == 0 {
			is.IPv4.Sessions, is.IPv6.Sessions = was.IPv4.Sessions, was.IPv6.Sessions
		}
		got := before.Next(was, is, salt)
		if want := Of(is, salt); !reflect.DeepEqual(got, want) {
			t.Fatalf("step %d: got\n%+v\nwant\n%+v", step, got, want)
		}
		lines := map[*Line]bool{}
		for _, l := range before.Lines {
			lines[l] = true
		}
		for _, l := range got.Lines {
			if lines[l] {
				same++
			}
		}
		was, before = is, got
	}
	if same < 2000*20 {
		t.Errorf("in all %d lines were taken over", same)
	}
}
