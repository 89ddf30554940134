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
	Services            Table[*Service]
	EndpointSlices      Table[*EndpointSlice]
	Secrets             map[Key]*Secret
	EndpointStatuses    map[string]*EndpointStatus
	// Invalid has the resources that are there and cannot be used.
	Invalid map[Key]error
	// Stale are those of them of which an older version is used, that was good.
	Stale map[Key]bool
	// Warnings are what there is to say about what is there, usable or not.
	Warnings map[Key][]Warning

	recent recent // what Apply did
	// lent are the kinds whose tables other states have, too: a change copies its table
	// first.
	lent lent
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
		Secrets:             map[Key]*Secret{},
		EndpointStatuses:    map[string]*EndpointStatus{},
		Invalid:             map[Key]error{},
		Stale:               map[Key]bool{},
		Warnings:            map[Key][]Warning{},
	}
}

// Clone returns a state that later changes of s do not touch. The resources, which
// never change, are the same. It only reads s.
func (s *State) Clone() *State {
	c := s.sharing()
	for _, kind := range tables() {
		c.ownTable(kind)
	}
	c.Services, c.EndpointSlices = s.Services.clone(), s.EndpointSlices.clone()
	return c
}

// Snapshot is Clone at next to no cost: both have the same tables until one of them
// changes, which then takes a copy of the table, or of a part of it, along. It is for
// who changes s.
func (s *State) Snapshot() *State {
	s.lent = everyTable
	return s.sharing()
}

// sharing is a state with the same tables, but for what cannot be used and what is said
// about it: these are its own.
func (s *State) sharing() *State {
	c := *s
	c.recent, c.lent = recent{}, everyTable
	c.Invalid, c.Stale, c.Warnings = ownMap(s.Invalid), ownMap(s.Stale), ownMap(s.Warnings)
	return &c
}

// ownMap is a copy that can be written to.
func ownMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
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
	if is, _ := s.Get(k); is == r || is != nil && r != nil && reflect.DeepEqual(is, r) {
		return false
	}
	s.ownTable(k.Kind)
	switch k.Kind {
	case KindNode:
		put(s.Nodes, k.Name, r)
	case KindBGPConfiguration:
		put(s.BGPConfigurations, k.Name, r)
	case KindBGPPeer:
		put(s.BGPPeers, k.Name, r)
	case KindBGPFilter:
		put(s.BGPFilters, k.Name, r)
	case KindIPPool:
		put(s.IPPools, k.Name, r)
	case KindBlockAffinity:
		put(s.BlockAffinities, k.Name, r)
	case KindFelixConfiguration:
		put(s.FelixConfigurations, k.Name, r)
	case KindService:
		putIn(&s.Services, k, r)
	case KindEndpointSlice:
		putIn(&s.EndpointSlices, k, r)
	case KindSecret:
		put(s.Secrets, k, r)
	case KindEndpointStatus:
		put(s.EndpointStatuses, k.Name, r)
	}
	return true
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
func put[K comparable, P pointer](table map[K]P, k K, r Resource) {
	var none P
	if v, ok := r.(P); ok && v != none {
		table[k] = v
	} else {
		delete(table, k)
	}
}

// putIn is put for a Table.
func putIn[P pointer](table *Table[P], k Key, r Resource) {
	var none P
	if v, ok := r.(P); ok && v != none {
		table.put(k, v)
	} else {
		table.remove(k)
	}
}

// pointer is one to a resource.
type pointer interface {
	comparable
	Resource
}
