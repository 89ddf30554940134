package backends

import "slices"

// Mark is a moment in a state's life. The zero value is none.
type Mark struct {
	state *State
	count int
}

// Mark is the moment that it is now. From the first one on changes are remembered.
func (s *State) Mark() Mark {
	if s.recent.of != s {
		s.recent = recent{of: s}
	}
	return Mark{s, s.recent.count}
}

// Since are the keys of the resources that Apply has changed since a moment, some of
// them more than once; false where that is not known: it was in another state's life, or
// too much has changed.
func (s *State) Since(m Mark) ([]Key, bool) {
	n := s.recent.count - m.count
	if m.state != s || n > len(s.recent.keys) {
		return nil, false
	}
	return slices.Clone(s.recent.keys[len(s.recent.keys)-n:]), true
}

// Follow has s have the resources under these keys that another state has, the very
// same ones.
func (s *State) Follow(other *State, keys []Key) {
	for _, k := range keys {
		s.put(k, nil)
		if r, ok := other.Get(k); ok {
			s.put(k, r)
		}
	}
}

// mostRecent is how many changes are remembered.
const mostRecent = 1024

// recent are the keys that were changed last.
type recent struct {
	// of is whose they are, once somebody asks; a copy of that state has none, and must
	// leave these alone.
	of    *State
	keys  []Key
	count int // of all that ever were
}

func (r *recent) add(k Key) {
	if len(r.keys) == mostRecent {
		r.keys = append(r.keys[:0], r.keys[mostRecent/2:]...)
	}
	r.keys = append(r.keys, k)
	r.count++
}
