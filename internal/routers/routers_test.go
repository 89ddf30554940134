package routers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"confd/internal/testenv"
)

const nodeConf = `log stderr all;
router id 192.0.2.1;
protocol device { scan time 1; }
protocol static four { ipv4; route 198.51.100.0/26 blackhole { bgp_community.add((64512, 7)); bgp_large_community.add((64512, 7, 8)); }; }
protocol static six { ipv6; route 2001:db8:1::/64 blackhole; }
template bgp rack {
	local as 64512; connect retry time 1; connect delay time 1; error wait time 1, 2; graceful restart on; %s
}
protocol bgp rack4 from rack { neighbor 192.0.2.9 as 65001; source address 192.0.2.1; ipv4 { import all; export all; }; }
protocol bgp rack6 from rack { neighbor fd00::9 as 65001; source address fd00::1; ipv6 { import all; export all; }; }
`

// rig is a node with BIRD, and a router beside it.
type rig struct {
	bird   *testenv.BirdDaemon
	router Router
}

func newRig(t *testing.T, kind Kind, birdSays string, change func(*Neighbor)) rig {
	t.Helper()
	if testing.Short() {
		t.Skip("real routers take long: left out with -short")
	}
	addrs := func(host byte) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("192.0.2.%d/24", host)), netip.MustParsePrefix(fmt.Sprintf("fd00::%d/64", host))}
	}
	lab := testenv.NewLab(t, testenv.Host{Name: "node", Addrs: addrs(1)}, testenv.Host{Name: "rack", Addrs: addrs(9)})
	config := Config{AS: 65001, ID: addrs(9)[0].Addr()}
	for i, local := range addrs(9) {
		n := Neighbor{Address: addrs(1)[i].Addr(), Local: local.Addr(), AS: 64512}
		change(&n)
		config.Neighbors = append(config.Neighbors, n)
	}
	router := Start(t, kind, lab.NS("rack"), config)
	conf := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nodeConf, birdSays), 0o600); err != nil {
		t.Fatal(err)
	}
	return rig{testenv.StartBird(t, "2.0.12", conf, testenv.InNetns(lab.NS("node"))), router}
}

func (r rig) awaitBoth(t *testing.T) {
	t.Helper()
	AwaitSession(t, r.router, netip.MustParseAddr("192.0.2.1"))
	AwaitSession(t, r.router, netip.MustParseAddr("fd00::1"))
}

const (
	theirs4 = "198.51.100.0/26 via 192.0.2.1 path 64512 communities 64512:7 64512:7:8"
	theirs6 = "2001:db8:1::/64 via fd00::1 path 64512"
)

// TestRouterTellsWhatItHears: both ways, and until the neighbor is gone.
func TestRouterTellsWhatItHears(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kind, "", func(*Neighbor) {})
			r.awaitBoth(t)
			Await(t, r.router, theirs4, theirs6)

			four, six := netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:9::/64")
			for _, route := range []Route{{Prefix: four, Communities: []string{"65001:1", "65001:1:2"}}, {Prefix: six}} {
				if err := r.router.Announce(route); err != nil {
					t.Fatal(err)
				}
			}
			r.awaitBird(t, four, "via 192.0.2.9", "(65001,1)", "(65001, 1, 2)")
			r.awaitBird(t, six, "via fd00::9")
			for _, prefix := range []netip.Prefix{four, six} {
				if err := r.router.Withdraw(prefix); err != nil {
					t.Fatal(err)
				}
				testenv.Eventually(t, time.Minute, "the withdrawal of "+prefix.String(), func() bool {
					out, _ := r.bird.Birdc("show route for " + prefix.String()) // it says so as an error
					return !strings.Contains(out, "rack")
				})
			}
			r.bird.Stop()
			Await(t, r.router)
		})
	}
}

func (r rig) awaitBird(t *testing.T, p netip.Prefix, words ...string) {
	t.Helper()
	testenv.Eventually(t, time.Minute, "BIRD's route "+p.String(), func() bool {
		out, err := r.bird.Birdc("show route all for " + p.String())
		for _, w := range words {
			if !strings.Contains(out, w) {
				return false
			}
		}
		return err == nil
	})
}

// TestRouterWithPasswordAndTTL: what both have to agree on.
func TestRouterWithPasswordAndTTL(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kind, `password "s3cret"; ttl security on;`, func(n *Neighbor) { n.Password, n.TTLSecurity = "s3cret", true })
			r.awaitBoth(t)
			Await(t, r.router, theirs4, theirs6)
		})
	}
}
