package backends

import (
	"maps"
	"reflect"
	"slices"
)

// State is what the cluster says, as far as the backends have told: every
// usable resource by kind, and why the others cannot be used. It has one
// owner; nothing here locks.
type State struct {
	Nodes               map[string]*Node
	BGPConfigurations   map[string]*BGPConfiguration
	BGPPeers            map[string]*BGPPeer
	BGPFilters          map[string]*BGPFilter
	IPPools             map[string]*IPPool
	BlockAffinities     map[string]*BlockAffinity
	FelixConfigurations map[string]*FelixConfiguration
	Services            map[Key]*Service
	EndpointSlices      map[Key]*EndpointSlice
	Secrets             map[Key]*Secret
	EndpointStatuses    map[string]*EndpointStatus
	// Invalid has the resources that are there and cannot be used.
	Invalid map[Key]error
	// Stale are those of them of which an older version is used, that was good.
	Stale map[Key]bool
	// Warnings are what there is to say about what is there, usable or not.
	Warnings map[Key][]Warning

	recent recent // what Apply did
}

// NewState returns an empty state.
func NewState() *State {
	return &State{
		Nodes:               map[string]*Node{},
		BGPConfigurations:   map[string]*BGPConfiguration{},
		BGPPeers:            map[string]*BGPPeer{},
		BGPFilters:          map[string]*BGPFilter{},
		IPPools:             map[string]*IPPool{},
		BlockAffinities:     map[string]*BlockAffinity{},
		FelixConfigurations: map[string]*FelixConfiguration{},
		Services:            map[Key]*Service{},
		EndpointSlices:      map[Key]*EndpointSlice{},
		Secrets:             map[Key]*Secret{},
		EndpointStatuses:    map[string]*EndpointStatus{},
		Invalid:             map[Key]error{},
		Stale:               map[Key]bool{},
		Warnings:            map[Key][]Warning{},
	}
}

// Clone returns a state that later changes of s do not touch. The resources,
// which never change, are the same.
func (s *State) Clone() *State {
	return &State{
		Nodes:               maps.Clone(s.Nodes),
		BGPConfigurations:   maps.Clone(s.BGPConfigurations),
		BGPPeers:            maps.Clone(s.BGPPeers),
		BGPFilters:          maps.Clone(s.BGPFilters),
		IPPools:             maps.Clone(s.IPPools),
		BlockAffinities:     maps.Clone(s.BlockAffinities),
		FelixConfigurations: maps.Clone(s.FelixConfigurations),
		Services:            maps.Clone(s.Services),
		EndpointSlices:      maps.Clone(s.EndpointSlices),
		Secrets:             maps.Clone(s.Secrets),
		EndpointStatuses:    maps.Clone(s.EndpointStatuses),
		Invalid:             maps.Clone(s.Invalid),
		Stale:               maps.Clone(s.Stale),
		Warnings:            maps.Clone(s.Warnings),
	}
}

// Apply makes the change that e says, and tells whether it was one: a resource
// that is written again with the same meaning (a node's heartbeat) is none.
func (s *State) Apply(e Event) bool {
	saidChanged := s.applyInvalid(e)
	saidChanged = s.applyWarnings(e) || saidChanged
	changed := s.put(e.Key, e.Resource)
	if changed && s.recent.of == s {
		s.recent.add(e.Key)
	}
	return changed || saidChanged
}

// put stores r under a key, or removes what is there where r is nil, and tells whether
// that is another one.
func (s *State) put(k Key, r Resource) bool {
	switch k.Kind {
	case KindNode:
		return put(s.Nodes, k.Name, r)
	case KindBGPConfiguration:
		return put(s.BGPConfigurations, k.Name, r)
	case KindBGPPeer:
		return put(s.BGPPeers, k.Name, r)
	case KindBGPFilter:
		return put(s.BGPFilters, k.Name, r)
	case KindIPPool:
		return put(s.IPPools, k.Name, r)
	case KindBlockAffinity:
		return put(s.BlockAffinities, k.Name, r)
	case KindFelixConfiguration:
		return put(s.FelixConfigurations, k.Name, r)
	case KindService:
		return put(s.Services, k, r)
	case KindEndpointSlice:
		return put(s.EndpointSlices, k, r)
	case KindSecret:
		return put(s.Secrets, k, r)
	case KindEndpointStatus:
		return put(s.EndpointStatuses, k.Name, r)
	}
	return false
}

func (s *State) applyInvalid(e Event) bool {
	old, had := s.Invalid[e.Key]
	delete(s.Stale, e.Key)
	if e.Err == nil {
		delete(s.Invalid, e.Key)
		return had
	}
	s.Invalid[e.Key] = e.Err
	if e.Stale {
		s.Stale[e.Key] = true
	}
	return !had || old.Error() != e.Err.Error()
}

func (s *State) applyWarnings(e Event) bool {
	old := s.Warnings[e.Key]
	if len(e.Warnings) == 0 {
		delete(s.Warnings, e.Key)
	} else {
		s.Warnings[e.Key] = e.Warnings
	}
	return !slices.Equal(old, e.Warnings)
}

// put stores r under k, or removes what is there where r is nil.
func put[K comparable, T any, P interface {
	*T
	Resource
}](table map[K]P, k K, r Resource) bool {
	old, had := table[k]
	v, ok := r.(P)
	if !ok || v == nil {
		delete(table, k)
		return had
	}
	if had && reflect.DeepEqual(old, v) {
		return false
	}
	table[k] = v
	return true
}
