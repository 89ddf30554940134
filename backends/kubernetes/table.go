package kubernetes

import (
	"hash/maphash"
	"maps"

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
	key  backends.Key
}

func (e entry) delivered() bool { return e.key != backends.Key{} }

func newTable() *table { return &table{seed: maphash.MakeSeed(), entries: map[objectID]entry{}} }

// changes are events that have not been delivered, and what the table will say
// once they are.
type changes struct {
	table  *table
	events []backends.Event
	// entries are those that change; one without a key goes.
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
	return e, ok && e.delivered()
}

// put notes an object as it is now.
func (c *changes) put(o *object, read reader) error {
	is, err := o.essence()
	if err != nil {
		return err
	}
	id, hash := o.id(), maphash.Bytes(c.table.seed, is.bytes)
	old, had := c.lookup(id)
	if had && old.hash == hash {
		return nil
	}
	event, ok := read(is)
	var e entry
	if ok {
		e = entry{hash, event.Key}
	}
	if had && old.key != e.key {
		c.withdraw(old)
	}
	if ok {
		c.events = append(c.events, event)
	}
	if had || ok {
		c.entries[id] = e
	}
	return nil
}

// remove notes that an object is gone.
func (c *changes) remove(id objectID) {
	if old, had := c.lookup(id); had {
		c.withdraw(old)
		c.entries[id] = entry{}
		c.removals = true
	}
}

// removeAllBut notes that of what was delivered only these objects are there.
func (c *changes) removeAllBut(present map[objectID]struct{}) {
	for id := range c.table.entries {
		if _, ok := present[id]; !ok {
			c.remove(id)
		}
	}
}

// withdraw adds the event of what an object no longer gives.
func (c *changes) withdraw(old entry) {
	c.events = append(c.events, backends.Event{Key: old.key})
}

// commit notes that the events were delivered.
func (c *changes) commit() {
	if len(c.table.entries) == 0 { // at first there are many
		maps.DeleteFunc(c.entries, func(_ objectID, e entry) bool { return !e.delivered() })
		c.table.entries = c.entries
		return
	}
	for id, e := range c.entries {
		if e.delivered() {
			c.table.entries[id] = e
		} else {
			delete(c.table.entries, id)
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
