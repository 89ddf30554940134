package bgp

import (
	"cmp"
	"reflect"
	"slices"

	"confd/backends"
)

// serviceMemory is what a node says of the Services of a state: the function announce
// of each, with the EndpointSlices counted beside it, so that a change costs as much
// as the Services that it is about. The zero value remembers nothing.
type serviceMemory struct {
	rules   *serviceRules // nil: nothing is remembered
	tallies map[backends.Key]tally
	said    map[backends.Key]announcement // those that say something
}

// tally counts the EndpointSlices of a Service: those of IPv4, and those of IPv6.
type tally struct{ slices, ready, here [2]int }

// tallyOf counts a slice; here are its ready endpoints on that node.
func tallyOf(e *backends.EndpointSlice, node string) (t tally) {
	family := 0
	if e.IPv6 {
		family = 1
	}
	t.slices[family] = 1
	if e.Ready {
		t.ready[family] = 1
	}
	if slices.Contains(e.Nodes, node) {
		t.here[family] = 1
	}
	return t
}

// plus is the sum of t and, so many times, o.
func (t tally) plus(o tally, times int) tally {
	for i := range 2 {
		t.slices[i] += times * o.slices[i]
		t.ready[i] += times * o.ready[i]
		t.here[i] += times * o.here[i]
	}
	return t
}

// endpointsOf is what the slices of s say of it: endpoints of families that it has
// not do not count.
func (t tally) endpointsOf(s *backends.Service) serviceEndpoints {
	e := serviceEndpoints{slices: t.slices != [2]int{}}
	for i, has := range [2]bool{s.IPv4, s.IPv6} {
		e.anywhere = e.anywhere || has && t.ready[i] > 0
		e.here = e.here || has && t.here[i] > 0
	}
	return e
}

// of are the announcements of a state that m, where it remembers anything, has
// followed.
func (m *serviceMemory) of(rules serviceRules, s *backends.State) map[backends.Key]announcement {
	if m.rules != nil && reflect.DeepEqual(*m.rules, rules) {
		return m.said
	}
	*m = serviceMemory{rules: &rules, tallies: map[backends.Key]tally{}, said: map[backends.Key]announcement{}}
	for _, e := range s.EndpointSlices.All() {
		m.count(e, 1)
	}
	for key, service := range s.Services.All() {
		m.announce(key, service)
	}
	return m.said
}

// follow goes from what d says was to what is in what concerns Services, and tells whether
// anything else is said of one. services are all that there are.
func (m *serviceMemory) follow(d difference, services backends.Table[*backends.Service]) bool {
	touched := map[backends.Key]bool{}
	eachDifference(d.was.EndpointSlices, d.is.EndpointSlices, func(was, is *backends.EndpointSlice) {
		touched[m.count(was, -1)], touched[m.count(is, 1)] = true, true
	})
	eachDifference(d.was.Services, d.is.Services, func(was, is *backends.Service) { touched[cmp.Or(was, is).ResourceKey()] = true })
	changed := false
	for key := range touched {
		service, _ := services.Get(key)
		changed = m.announce(key, service) || changed
	}
	return changed
}

// eachDifference tells of what differs between two tables; nil is where there is no such
// resource.
func eachDifference[R any](old, new backends.Table[*R], differs func(was, is *R)) {
	for k, is := range new.All() {
		if was, _ := old.Get(k); was != is {
			differs(was, is)
		}
	}
	for k, was := range old.All() {
		if _, still := new.Get(k); !still {
			differs(was, nil)
		}
	}
}

// count adds a slice, which may be nil, to what is counted of its Service, and returns
// whose that is.
func (m *serviceMemory) count(e *backends.EndpointSlice, times int) (service backends.Key) {
	if e == nil || m.rules == nil {
		return service
	}
	service = backends.Key{Kind: backends.KindService, Namespace: e.Namespace, Name: e.Service}
	t := m.tallies[service].plus(tallyOf(e, m.rules.node), times)
	if t == (tally{}) {
		delete(m.tallies, service)
	} else {
		m.tallies[service] = t
	}
	return service
}

// announce works out again what is said of a Service, and tells whether that is
// something else.
func (m *serviceMemory) announce(key backends.Key, s *backends.Service) bool {
	var is announcement
	if s != nil && m.rules != nil {
		is = m.rules.announce(s, m.tallies[key].endpointsOf(s))
	}
	if reflect.DeepEqual(m.said[key], is) {
		return false
	}
	if is.isNothing() {
		delete(m.said, key)
	} else {
		m.said[key] = is
	}
	return true
}
