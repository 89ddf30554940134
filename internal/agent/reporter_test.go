package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"confd/bgp"
	"confd/internal/plan"
)

// The report's sessions are the same whatever was listed before.
func TestSessionsListed(t *testing.T) {
	made := map[string]*bgp.Session{} // what configurations have alike is the same
	session := func(name string, neighbor netip.Addr) *bgp.Session {
		if made[name] == nil {
			made[name] = &bgp.Session{Name: name, Neighbor: neighbor, AS: 64512}
		}
		return made[name]
	}
	config := func(four, six []int) *bgp.Config {
		cfg := &bgp.Config{IPv4: bgp.Family{Version: 4}, IPv6: bgp.Family{Version: 6}}
		for _, n := range four {
			cfg.IPv4.Sessions = append(cfg.IPv4.Sessions, session(fmt.Sprintf("Mesh_4_%02d", n), netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})))
		}
		for _, n := range six {
			cfg.IPv6.Sessions = append(cfg.IPv6.Sessions, session(fmt.Sprintf("Mesh_6_%02d", n), netip.AddrFrom16([16]byte{0xfd, 15: byte(n)})))
		}
		return cfg
	}
	again := config([]int{2, 3}, []int{2})
	again.IPv4.Sessions[0] = &bgp.Session{Name: "Mesh_4_02", Neighbor: netip.MustParseAddr("10.9.9.9"), AS: 64512} // under the same name
	var p reporter
	for i, cfg := range []*bgp.Config{
		config([]int{2, 3, 5}, []int{2, 3}), config([]int{1, 2, 3, 4, 5, 6}, []int{1, 2, 3, 4}), config([]int{2, 6}, nil), config(nil, []int{3}),
		config([]int{2, 3}, []int{2}), again,
	} {
		c := &plan.Candidate{Config: cfg}
		var fresh reporter
		if got, want := p.running(c), fresh.running(c); !slices.Equal(got, want) {
			t.Errorf("%d: got\n%+v\nwant\n%+v", i, got, want)
		}
	}
}
