package bgp

import (
	"net/netip"

	"confd/backends"
)

func at(a string) backends.NodeAddress { return backends.NodeAddress{Addr: netip.MustParseAddr(a)} }

func withoutMesh(s *backends.State) {
	set(s, &backends.BGPConfiguration{Name: "default", NodeToNodeMesh: new(bool)})
}

func set(s *backends.State, r backends.Resource) {
	s.Apply(backends.Event{Key: r.ResourceKey(), Resource: r})
}

func unset(s *backends.State, kind backends.Kind, name string) {
	s.Apply(backends.Event{Key: backends.Key{Kind: kind, Name: name}})
}
