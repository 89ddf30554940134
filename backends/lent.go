package backends

import (
	"maps"
	"slices"
)

// lent says which tables of a state other states have, too: a change takes a copy first.
type lent uint16

const everyTable = ^lent(0)

// tables are the kinds that have a table.
func tables() []Kind { return append(Kinds(), KindEndpointStatus) }

// bitOf is the one of a kind's table; 0: it has none.
func bitOf(kind Kind) lent {
	if i := slices.Index(tables(), kind); i >= 0 {
		return 1 << i
	}
	return 0
}

// ownTable gives s a table of its own for a kind, where it was lent.
func (s *State) ownTable(kind Kind) {
	if s.lent == 0 || s.lent&bitOf(kind) == 0 { // nothing is, while a cluster is read
		return
	}
	s.lent &^= bitOf(kind)
	switch kind {
	case KindNode:
		s.Nodes = maps.Clone(s.Nodes)
	case KindBGPConfiguration:
		s.BGPConfigurations = maps.Clone(s.BGPConfigurations)
	case KindBGPPeer:
		s.BGPPeers = maps.Clone(s.BGPPeers)
	case KindBGPFilter:
		s.BGPFilters = maps.Clone(s.BGPFilters)
	case KindIPPool:
		s.IPPools = maps.Clone(s.IPPools)
	case KindBlockAffinity:
		s.BlockAffinities = maps.Clone(s.BlockAffinities)
	case KindFelixConfiguration:
		s.FelixConfigurations = maps.Clone(s.FelixConfigurations)
	case KindService:
		s.Services = s.Services.shared()
	case KindEndpointSlice:
		s.EndpointSlices = s.EndpointSlices.shared()
	case KindSecret:
		s.Secrets = maps.Clone(s.Secrets)
	case KindEndpointStatus:
		s.EndpointStatuses = maps.Clone(s.EndpointStatuses)
	}
}
