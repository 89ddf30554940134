package backends

import (
	"cmp"
	"errors"
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
		return found(s.Services.Get(key))
	case KindEndpointSlice:
		return found(s.EndpointSlices.Get(key))
	case KindSecret:
		return lookUp(s.Secrets, key)
	case KindEndpointStatus:
		return lookUp(s.EndpointStatuses, key.Name)
	}
	return nil, false
}

func lookUp[K comparable, R Resource](table map[K]R, k K) (Resource, bool) {
	r, ok := table[k]
	return found(r, ok)
}

func found[R Resource](r R, ok bool) (Resource, bool) {
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
	var c *State
	for key, why := range keys {
		r, ok := s.Get(key)
		if !ok {
			continue
		}
		if c == nil {
			c = s.sharing()
		}
		left, means := remains(r)
		c.Apply(Event{Key: key, Resource: left, Warnings: s.Warnings[key]})
		c.Invalid[key] = &Closed{How: "quarantined, " + means, Err: errors.New(why)}
	}
	return cmp.Or(c, s)
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
