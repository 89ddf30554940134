package kubernetes

import (
	"hash/maphash"
	"slices"

	"confd/backends"
)

// table is what was delivered of a collection: not the objects, only how to
// know them again.
type table struct {
	seed    maphash.Seed
	entries map[objectID]entry
}

// entry is an object of which something was delivered.
type entry struct {
	hash uint64 // of its essence
	keys []backends.Key
}

func newTable() *table { return &table{seed: maphash.MakeSeed(), entries: map[objectID]entry{}} }

// changes are events that have not been delivered, and what the table will say
// once they are.
type changes struct {
	table  *table
	events []backends.Event
	// entries are those that change; one without keys goes.
	entries  map[objectID]entry
	revision string // of the collection after these changes
	// removals says that an object was deleted, or is missing in a list.
	removals bool
}

func (t *table) change() *changes {
	return &changes{table: t, entries: map[objectID]entry{}}
}

func (c *changes) lookup(id objectID) (entry, bool) {
	e, ok := c.entries[id]
	if !ok {
		e, ok = c.table.entries[id]
	}
	return e, ok && len(e.keys) > 0
}

// put notes an object as it is now.
func (c *changes) put(o *object, read reader) error {
	data, err := o.essence()
	if err != nil {
		return err
	}
	id, hash := o.id(), maphash.Bytes(c.table.seed, data)
	old, had := c.lookup(id)
	if had && old.hash == hash {
		return nil
	}
	events := read(data)
	e := entry{hash: hash}
	for _, ev := range events {
		e.keys = append(e.keys, ev.Key)
	}
	c.withdraw(old, e.keys)
	c.events = append(c.events, events...)
	if had || len(e.keys) > 0 {
		c.entries[id] = e
	}
	return nil
}

// remove notes that an object is gone.
func (c *changes) remove(id objectID) {
	if old, had := c.lookup(id); had {
		c.withdraw(old, nil)
		c.entries[id] = entry{}
		c.removals = true
	}
}

// removeAllBut notes that only these objects are there.
func (c *changes) removeAllBut(present map[objectID]struct{}) {
	for id := range c.table.entries {
		if _, ok := present[id]; !ok {
			c.remove(id)
		}
	}
}

// withdraw adds the events of what an object no longer gives.
func (c *changes) withdraw(old entry, still []backends.Key) {
	for _, k := range old.keys {
		if !slices.Contains(still, k) {
			c.events = append(c.events, backends.Event{Key: k})
		}
	}
}

// commit notes that the events were delivered.
func (c *changes) commit() {
	for id, e := range c.entries {
		if len(e.keys) == 0 {
			delete(c.table.entries, id)
		} else {
			c.table.entries[id] = e
		}
	}
}

// clear returns the events that withdraw everything, and empties the table.
func (t *table) clear() []backends.Event {
	c := t.change()
	c.removeAllBut(nil)
	c.commit()
	return c.events
}
