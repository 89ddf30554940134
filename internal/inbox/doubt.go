package inbox

import (
	"fmt"
	"strconv"
)

// Store is how far a source's store had come when it was last heard of.
type Store struct {
	Cluster  string `json:"cluster,omitempty"`  // the store's own name; empty: it has none
	Revision string `json:"revision,omitempty"` // the newest that was seen
}

// Trust says whether what the stores hold can be believed as a whole.
//
//	state    event                                next
//	trusted  a store has gone back or is another  doubted
//	doubted  Restore                              trusted
type Trust struct{ doubt string }

// Doubt says why it cannot: a store has gone back to an older revision, or is another
// cluster's. Empty: it can.
func (t *Trust) Doubt() string { return t.doubt }

// Restore ends the doubt: somebody has approved what the stores hold, or it takes
// nothing away.
func (t *Trust) Restore() { t.doubt = "" }

// compare notes a doubt where now is older than then, or another.
func (t *Trust) compare(name string, then, now Store) {
	was, err1 := strconv.ParseUint(then.Revision, 10, 64)
	is, err2 := strconv.ParseUint(now.Revision, 10, 64)
	switch {
	case then.Cluster != "" && now.Cluster != "" && then.Cluster != now.Cluster:
		t.doubt = fmt.Sprintf("the datastore %s is another cluster's (%s) than before (%s)", name, now.Cluster, then.Cluster)
	case err1 == nil && err2 == nil && is < was:
		t.doubt = fmt.Sprintf("the datastore %s went back from revision %d to %d, as one does that is restored from an older snapshot", name, was, is)
	}
}
