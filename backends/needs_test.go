package backends

import (
	"net/netip"
	"testing"
)

func TestNeeds(t *testing.T) {
	key := func(name string) Key { return Key{Kind: KindSecret, Namespace: "ns", Name: name} }
	ref := func(name string) *SecretKeyRef { return &SecretKeyRef{Name: name, Key: "k"} }
	s := NewState()
	if n := s.Needs("ns", false); !n.Equal(Needs{}) {
		t.Errorf("an empty state needs %+v", n)
	}
	if n := s.Needs("ns", true); !n.Services {
		t.Error("cluster IPs of the environment need no Services")
	}
	s.BGPConfigurations["default"] = &BGPConfiguration{NodeMeshPassword: ref("b")}
	s.BGPConfigurations["node.n"] = &BGPConfiguration{NodeMeshPassword: ref("other"), ServiceClusterIPs: []netip.Prefix{{}}}
	for name, secret := range map[string]string{"p": "c", "q": "a", "r": "b", "t": ""} {
		s.BGPPeers[name] = &BGPPeer{Name: name, Password: ref(secret)}
	}
	s.BGPPeers["u"] = &BGPPeer{Name: "u"}
	want := Needs{Secrets: []Key{key("a"), key("b"), key("c")}}
	if n := s.Needs("ns", false); !n.Equal(want) {
		t.Errorf("got %+v, want %+v", n, want)
	}
	s.BGPConfigurations["default"].ServiceExternalIPs = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	all := s.Needs("ns", false)
	if !all.Services || !all.Covers(want) || want.Covers(all) || !want.Covers(Needs{}) || want.Covers(Needs{Secrets: []Key{key("d")}}) {
		t.Errorf("%+v and %+v do not cover each other as they should", all, want)
	}
}
