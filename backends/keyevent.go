package backends

import (
	"fmt"

	"confd/backends/internal/plain"
)

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
		var plain bool
		if e, plain = c.plainEvent(kind, name, value); !plain {
			e, ok = c.Event(kind, name, value)
		}
	}
	if !HasEffect(e.Key) {
		if e.Err != nil { // it may be something else that is in the wrong place
			e.Warnings = append(e.Warnings, Warning{Code: Unusable, Text: "left out: " + e.Err.Error()})
		}
		e = Event{Key: e.Key, Warnings: e.Warnings}
	}
	return e, ok
}

// plainEvent is Event for an object of which there is nothing to say, in a fraction of
// the time. False: there may be something, or the kind has objects that are never read
// so.
func (c *Checker) plainEvent(kind Kind, name string, value []byte) (Event, bool) {
	switch kind {
	case KindNode, KindBGPPeer, KindBGPFilter, KindIPPool:
	default:
		return Event{}, false
	}
	object, ok := plain.Read(c.table[string(kind)], c.annotations, value)
	if !ok {
		return Event{}, false
	}
	if otherKind(kind, object.Get("kind")) != nil {
		return Event{}, false
	}
	res, err := decode(kind, name, newReader(object))
	if err != nil || len(Ignored(res)) > 0 {
		return Event{}, false
	}
	return Event{Key: res.ResourceKey(), Resource: res}, true
}

// otherKind is the error of an object that is where those of a kind are, and says that
// it is of another one; nil: it is of that kind, or does not say.
func otherKind(kind Kind, says any) error {
	if says == nil || says == "" || says == string(kind) {
		return nil
	}
	return fmt.Errorf("kind: %s, where a %s should be", quoted(says), kind)
}
