package backends

import (
	"errors"
	"maps"
)

// Get returns the resource that key names; false where the state has no usable
// one.
func (s *State) Get(key Key) (Resource, bool) {
	switch key.Kind {
	case KindNode:
		return lookUp(s.Nodes, key.Name)
	case KindBGPConfiguration:
		return lookUp(s.BGPConfigurations, key.Name)
	case KindBGPPeer:
		return lookUp(s.BGPPeers, key.Name)
	case KindBGPFilter:
		return lookUp(s.BGPFilters, key.Name)
	case KindIPPool:
		return lookUp(s.IPPools, key.Name)
	case KindBlockAffinity:
		return lookUp(s.BlockAffinities, key.Name)
	case KindFelixConfiguration:
		return lookUp(s.FelixConfigurations, key.Name)
	case KindService:
		return lookUp(s.Services, key)
	case KindEndpointSlice:
		return lookUp(s.EndpointSlices, key)
	case KindSecret:
		return lookUp(s.Secrets, key)
	case KindEndpointStatus:
		return lookUp(s.EndpointStatuses, key.Name)
	}
	return nil, false
}

func lookUp[K comparable, R Resource](table map[K]R, k K) (Resource, bool) {
	r, ok := table[k]
	if !ok {
		return nil, false
	}
	return r, true
}

// Without returns the state as it would be if nobody could use the resources
// that keys names, each with the reason (one line). They are gone from it and
// listed in Invalid. What the others mean must not get wider by that, so two
// kinds leave something behind that is as narrow as can be:
//
//   - A BGPFilter rejects every route, in the directions and address families
//     that it has rules for. Sessions go without filters that are not there.
//   - An IPPool stays, but for tunnels of BIRD's: it becomes one whose routes
//     Felix programs, and BIRD keeps them out of the kernel. Without any pool
//     BIRD would put them there, and past the tunnel.
//
// Keys that the state does not have change nothing. s stays as it is: the
// result shares with it all that is the same.
func (s *State) Without(keys map[Key]string) *State {
	c := *s
	copied := map[Kind]bool{}
	for key, why := range keys {
		r, ok := s.Get(key)
		if !ok {
			continue
		}
		if !copied[key.Kind] {
			c.cloneTable(key.Kind)
			copied[key.Kind] = true
		}
		if !copied[""] {
			c.Invalid, c.Stale, c.Warnings = withRoom(c.Invalid), maps.Clone(c.Stale), maps.Clone(c.Warnings)
			copied[""] = true
		}
		left, means := remains(r)
		c.Apply(Event{Key: key, Resource: left, Warnings: s.Warnings[key]})
		c.Invalid[key] = &Closed{How: "quarantined, " + means, Err: errors.New(why)}
	}
	return &c
}

// cloneTable gives s a table of its own for kind.
func (s *State) cloneTable(kind Kind) {
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
		s.Services = maps.Clone(s.Services)
	case KindEndpointSlice:
		s.EndpointSlices = maps.Clone(s.EndpointSlices)
	case KindSecret:
		s.Secrets = maps.Clone(s.Secrets)
	case KindEndpointStatus:
		s.EndpointStatuses = maps.Clone(s.EndpointStatuses)
	}
}

// withRoom is a copy that can be written to.
func withRoom(m map[Key]error) map[Key]error {
	if m == nil {
		return map[Key]error{}
	}
	return maps.Clone(m)
}

// WithoutWorkloads is the state without local workloads, which are one machine's alone:
// the same one where it has none.
func (s *State) WithoutWorkloads() *State {
	if len(s.EndpointStatuses) == 0 {
		return s
	}
	other := *s
	other.EndpointStatuses = nil
	return &other
}
