package plan

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/templates"
)

// A pool whose routes a version of BIRD cannot make is left out, and all else is there;
// what BIRD refuses besides is added to it.
func TestCandidateWithoutTunnels(t *testing.T) {
	p := Planner{Settings: Settings{BGP: bgp.Options{Node: "a", K8sNode: "a"}, ConfDir: "/nonexistent"}, Env: func(string) string { return "" }}
	var err error
	if p.Templates, err = Load(p.Settings, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s := backends.NewState()
	s.Nodes["a"] = &backends.Node{Name: "a", IPv4: backends.NodeAddress{Addr: netip.MustParseAddr("10.0.0.1"), Subnet: netip.MustParsePrefix("10.0.0.0/24")}}
	s.IPPools["tunnelled"] = &backends.IPPool{Name: "tunnelled", CIDR: netip.MustParsePrefix("10.1.0.0/16"), IPIP: backends.EncapAlways}
	s.IPPools["plain"] = &backends.IPPool{Name: "plain", CIDR: netip.MustParsePrefix("10.2.0.0/16")}
	s.BGPConfigurations["default"] = &backends.BGPConfiguration{Name: "default", ProgramClusterRoutes: backends.RoutesEnabled}
	cfg, err := p.Compute(s)
	if err != nil {
		t.Fatal(err)
	}
	key := backends.Key{Kind: backends.KindIPPool, Name: "tunnelled"}
	for version, left := range map[string]bool{"1.6.8": false, "2.0.12": true, "3.1.8": true} {
		v, err := templates.ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		c, err := p.Candidate(t.Context(), cfg, s, birds.Daemons{Version: v, Dir: "/etc/bird"}, "1", nil)
		if err != nil {
			t.Fatalf("%s: %v", version, err)
		}
		var text strings.Builder
		for _, set := range c.Sets {
			for _, f := range set.Files {
				text.Write(f.Data)
			}
		}
		has := func(words string) bool { return strings.Contains(text.String(), words) }
		if has("krt_tunnel") == left || has("if net ~ 10.1.0.0/16 then reject") != left || !has("if net ~ 10.2.0.0/16 then accept") || has(`ifname = "tunl0"`) != left {
			t.Errorf("%s: %s", version, text.String())
		}
		if (c.Quarantined != nil) != left || left && !strings.Contains(c.Quarantined[key], "set programClusterRoutes") || c.Full != cfg || c.Searched {
			t.Errorf("%s: left out %v, searched %t", version, c.Quarantined, c.Searched)
		}
		other := backends.Key{Kind: backends.KindBGPPeer, Name: "odd"}
		found := c.Without(map[backends.Key]string{other: "no"}, c.Config, c.Sets)
		if !found.Searched || found.Quarantined[other] != "no" || (found.Quarantined[key] != "") != left || len(c.Quarantined) > 1 {
			t.Errorf("%s: after a search: %v, before %v", version, found.Quarantined, c.Quarantined)
		}
	}
	if pool, needed := cfg.NeedsTunnel(); !needed || pool.Name != "tunnelled" {
		t.Error("the whole configuration was changed", pool)
	}
}
