package typha

import (
	"fmt"
	"hash/maphash"
	"strconv"

	"confd/backends"
	"confd/backends/typha/internal/wire"
)

// mostKeys is how many objects are taken of a server: no cluster has as many.
const mostKeys = 1 << 19

// table is what was delivered, and what is to be: not the objects that were, only
// how to know them again.
type table struct {
	reader
	seed maphash.Seed
	seen map[backends.Key]uint64 // the hash of what was delivered
	// pending is what has come and was not delivered, with where its event stands
	// in events.
	pending map[backends.Key]pending
	events  []backends.Event
	// present are the keys of the snapshot that is being sent; nil: it is there.
	present map[backends.Key]struct{}
	// newest is the highest revision that any key had.
	newest uint64
}

// pending is a key that is to change.
type pending struct {
	at   int // the place of its event
	hash uint64
	gone bool
}

func newTable(r reader) *table {
	return &table{reader: r, seed: maphash.MakeSeed(), seen: map[backends.Key]uint64{}, pending: map[backends.Key]pending{}}
}

// begin says that a server is about to send its whole state. What the one before
// had begun to say does not count.
func (t *table) begin() {
	t.drop()
	t.present, t.newest = make(map[backends.Key]struct{}, len(t.seen)), 0
}

// drop forgets what was not delivered, and leaves none of the room that a whole state took.
func (t *table) drop() {
	t.pending, t.events = map[backends.Key]pending{}, nil
}

// add notes keys as they are now.
func (t *table) add(kvs []wire.KV) error {
	for i := range kvs {
		if err := t.addOne(kvs[i]); err != nil {
			return err
		}
		kvs[i] = wire.KV{} // it may be large
	}
	return nil
}

func (t *table) addOne(kv wire.KV) error {
	if text, ok := kv.Revision.(string); ok {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			t.newest = max(t.newest, n)
		}
	}
	p, ok := t.place(kv.Key)
	if !ok {
		return nil
	}
	key := p.key
	if kv.UpdateType == wire.Deleted {
		delete(t.present, key)
		t.remove(key)
		return nil
	}
	if t.present != nil {
		t.present[key] = struct{}{}
	}
	hash := maphash.Bytes(t.seed, kv.Value)
	if old, had := t.current(key); had && old == hash {
		return nil
	}
	e, ok := t.event(p, kv.Value)
	if !ok {
		return nil
	}
	t.note(e, pending{hash: hash})
	if most := len(t.seen) + len(t.pending); most > mostKeys {
		return fmt.Errorf("the server has sent more than %d objects, which no cluster has", mostKeys)
	}
	return nil
}

// current is the hash of a key as it will be once all is delivered.
func (t *table) current(key backends.Key) (uint64, bool) {
	if p, ok := t.pending[key]; ok {
		return p.hash, !p.gone
	}
	hash, ok := t.seen[key]
	return hash, ok
}

// note takes an event in, in place of an older one of the same key.
func (t *table) note(e backends.Event, p pending) {
	old, had := t.pending[e.Key]
	if p.at = old.at; !had {
		p.at = len(t.events)
		t.events = append(t.events, backends.Event{})
	}
	t.events[p.at], t.pending[e.Key] = e, p
}

// remove notes that a key is gone, if it was there.
func (t *table) remove(key backends.Key) {
	if _, had := t.current(key); had {
		t.note(backends.Event{Key: key}, pending{gone: true})
	}
}

// end says that the whole state has been sent: what was not in it is gone.
func (t *table) end() {
	if t.present == nil {
		return
	}
	for key := range t.seen {
		if _, ok := t.present[key]; !ok {
			t.remove(key)
		}
	}
	t.present = nil
}

// delivered notes that all events were.
func (t *table) delivered() {
	if len(t.seen) == 0 {
		t.seen = make(map[backends.Key]uint64, len(t.pending))
	}
	for key, p := range t.pending {
		if p.gone {
			delete(t.seen, key)
		} else {
			t.seen[key] = p.hash
		}
	}
	t.drop()
}
