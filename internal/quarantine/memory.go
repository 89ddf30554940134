package quarantine

import "confd/backends"

// Memory remembers culprits for as long as they are what they were. Its zero
// value is empty.
type Memory struct {
	culprits map[backends.Key]culprit
}

type culprit struct {
	why      string
	resource backends.Resource
}

// Keep replaces what is remembered by the culprits that Find has found in
// state. None empties it.
func (m *Memory) Keep(state *backends.State, culprits map[backends.Key]string) {
	m.culprits = make(map[backends.Key]culprit, len(culprits))
	for key, why := range culprits {
		if r, ok := state.Get(key); ok {
			m.culprits[key] = culprit{why, r}
		}
	}
}

// Unchanged are the remembered culprits that are the same in state as they
// were. What was changed deserves another try.
func (m *Memory) Unchanged(state *backends.State) map[backends.Key]string {
	same := map[backends.Key]string{}
	for key, c := range m.culprits {
		// A resource that changes is replaced, never written to.
		if r, ok := state.Get(key); ok && r == c.resource {
			same[key] = c.why
		}
	}
	return same
}
