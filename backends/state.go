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
	var changed bool
	name := e.Key.Name
	switch e.Key.Kind {
	case KindNode:
		changed = put(s.Nodes, name, e.Resource)
	case KindBGPConfiguration:
		changed = put(s.BGPConfigurations, name, e.Resource)
	case KindBGPPeer:
		changed = put(s.BGPPeers, name, e.Resource)
	case KindBGPFilter:
		changed = put(s.BGPFilters, name, e.Resource)
	case KindIPPool:
		changed = put(s.IPPools, name, e.Resource)
	case KindBlockAffinity:
		changed = put(s.BlockAffinities, name, e.Resource)
	case KindFelixConfiguration:
		changed = put(s.FelixConfigurations, name, e.Resource)
	case KindService:
		changed = put(s.Services, e.Key, e.Resource)
	case KindEndpointSlice:
		changed = put(s.EndpointSlices, e.Key, e.Resource)
	case KindSecret:
		changed = put(s.Secrets, e.Key, e.Resource)
	case KindEndpointStatus:
		changed = put(s.EndpointStatuses, name, e.Resource)
	}
	return changed || saidChanged
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
