package routers

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"confd/internal/testenv"
)

// Config is what a router is to do, in words that all of them share.
type Config struct {
	AS        uint32
	ID        netip.Addr // router ID
	Neighbors []Neighbor
	// More is more configuration in the router's own words. It comes last.
	More string
}

// Route is one path to a prefix.
type Route struct {
	Prefix  netip.Prefix
	NextHop netip.Addr
	ASPath  []uint32
	// Communities are standard (a:b) and large ones (a:b:c), sorted.
	Communities []string
	// Stale says that the router keeps the path for a neighbor that went away.
	Stale bool
}

// families are those of the neighbors, each once.
func (c Config) families() []string {
	var out []string
	for _, n := range c.Neighbors {
		out = append(out, family(n.Address))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// family is "ipv4" or "ipv6", as most routers call it.
func family(a netip.Addr) string {
	if a.Is6() {
		return "ipv6"
	}
	return "ipv4"
}

// eventually is testenv.Eventually for questions that cost a process each.
func eventually(tb testing.TB, limit time.Duration, what string, cond func() bool) {
	tb.Helper()
	testenv.Eventually(tb, limit, what, func() bool {
		if cond() {
			return true
		}
		time.Sleep(200 * time.Millisecond)
		return false
	})
}

// patience is how long routers may take, on a machine that is busy with other things.
const patience = 4 * time.Minute

// Neighbor is a session of a router. Routers listen, and connect as well.
type Neighbor struct {
	Address netip.Addr // the session speaks of this address' family
	Local   netip.Addr // the router's own end
	AS      uint32

	Password    string
	TTLSecurity bool // nothing but a packet that comes from the next hop counts (RFC 5082)
	Multihop    bool // the neighbor may be further away than the next hop
	// GracefulRestart, in seconds, has the router keep what a neighbor said that
	// went away (RFC 4724), and ask for the same; 0: it does not.
	GracefulRestart int
}
