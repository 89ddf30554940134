package control

import (
	"net/netip"
	"testing"

	"confd/internal/testenv"
)

// TestRoutesToANet asks each BIRD about one net.
func TestRoutesToANet(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string, options ...testenv.BirdOption) {
		net, other, channel := "10.3.0.0/24", "10.4.0.0/24", "ipv4; "
		if version[0] == '1' {
			channel = ""
		}
		if len(options) > 0 { // bird6
			net, other = "fd03::/64", "fd04::/64"
		}
		c := client(t, startBIRD(t, version, small+"protocol static { "+channel+"route "+net+" blackhole; }\n", options...).Socket)
		ctx := testContext(t)
		routes, err := c.RoutesTo(ctx, netip.MustParsePrefix(net))
		if err != nil || len(routes) != 1 || routes[0].Net.String() != net || !routes[0].Best {
			t.Errorf("%+v, %v", routes, err)
		}
		if routes, err = c.RoutesTo(ctx, netip.MustParsePrefix(other)); err != nil || len(routes) != 0 {
			t.Errorf("another net: %+v, %v", routes, err)
		}
		if _, err := c.Tells(ctx, netip.MustParsePrefix(net), "nobody"); err == nil {
			t.Error("a session that is not there is no error")
		}
		if routes, err := c.Unreachable(ctx); err != nil || len(routes) != 0 {
			t.Errorf("unreachable: %+v, %v", routes, err)
		}
	})
}
