package backends

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestLastGood(t *testing.T) {
	pool := &IPPool{Name: "p", CIDR: netip.MustParsePrefix("10.0.0.0/16"), DisableBGPExport: true}
	config := &BGPConfiguration{Name: "default", ASNumber: 64600}
	peer := &BGPPeer{Name: "x", PeerIP: netip.MustParseAddr("192.0.2.1")}
	before := NewState()
	for _, r := range []Resource{pool, config, peer} {
		before.Apply(Event{Key: r.ResourceKey(), Resource: r})
	}
	broken := errors.New("not JSON")
	check := func(t *testing.T, s *State) {
		t.Helper()
		if s.IPPools["p"] != pool || s.BGPConfigurations["default"] != config {
			t.Error("the last good version is gone")
		}
		if s.BGPPeers["x"] != nil {
			t.Error("a BGPPeer stays that cannot be used")
		}
		for _, key := range []Key{pool.ResourceKey(), config.ResourceKey()} {
			if err := s.Invalid[key]; !errors.Is(err, broken) || !strings.Contains(err.Error(), "its last good version stays") {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	s := before.Clone()
	for _, r := range []Resource{pool, config, peer} {
		e := s.KeepGood(Event{Key: r.ResourceKey(), Err: broken})
		s.Apply(e)
	}
	check(t, s)

	s = NewState()
	for _, r := range []Resource{pool, config, peer} {
		e := s.KeepGood(Event{Key: r.ResourceKey(), Err: broken})
		s.Apply(e)
	}
	if len(s.IPPools) > 0 {
		t.Error("there was no good version")
	}
	s.RestoreGood(before)
	check(t, s)

	for _, e := range []Event{{Key: pool.ResourceKey()}, {Key: pool.ResourceKey(), Resource: &IPPool{Name: "p"}, Err: broken}} {
		if got := before.KeepGood(e); got.Resource != e.Resource || !errors.Is(got.Err, e.Err) {
			t.Errorf("%+v became %+v", e, got)
		}
	}
}
