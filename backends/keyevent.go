package backends

import "fmt"

// KeyEvent is what a resource of Calico's comes to that a datastore holds under a
// key: the kind and the name are the key's, the value is JSON. False: it has no
// meaning for any node.
func (c *Checker) KeyEvent(kind Kind, name string, value []byte) (Event, bool) {
	e, ok := Event{Key: Key{Kind: kind, Name: name}}, true
	switch {
	case name == "":
		e.Err = fmt.Errorf("the key of this %s ends where its name should be", kind)
	case len(value) > MaxObjectBytes:
		e.Resource, e.Err = StandIn(e.Key, fmt.Errorf("the value has %d bytes; more than %d are not read", len(value), MaxObjectBytes))
	default:
		e, ok = c.Event(kind, name, value)
	}
	if !HasEffect(e.Key) {
		e = Event{Key: e.Key, Warnings: e.Warnings}
	}
	return e, ok
}
