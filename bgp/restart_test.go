package bgp

import (
	"net/netip"
	"slices"
	"testing"
)

func TestNeedsRestart(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing":      {func(*Config) {}, nil},
		"port":         {func(c *Config) { c.IPv4.ListenPort = 1179 }, []string{"IPv4 listening port: 1179 in place of 179"}},
		"the own port": {func(c *Config) { c.IPv4.ListenPort = 179 }, nil},
		"address":      {func(c *Config) { c.IPv6.ListenAddress = netip.MustParseAddr("fd00::1") }, []string{"IPv6 listening address: fd00::1 in place of all"}},
		"router ID":    {func(c *Config) { c.RouterID = netip.MustParseAddr("1.1.1.1") }, nil},
	} {
		started, now := changesConfig(), changesConfig()
		test.change(now)
		if got := NeedsRestart(started, now, 1); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q", name, got)
		}
		if got := slices.Concat(NeedsRestart(started, now, 2), NeedsRestart(started, now, 3), NeedsRestart(nil, now, 1)); got != nil {
			t.Errorf("%s, later versions: %q", name, got)
		}
	}
}
