// Package backends turns what a cluster's datastore says into one stream of
// typed resources, whatever the datastore is.
//
// The subpackages (etcd, kubernetes, typha, file, workload) each read one kind of
// store. They share this package's resource types, its decoder, and the Backend
// interface.
package backends

import (
	"context"
	"time"
)

// Backend reads one store.
type Backend interface {
	// Run sends the whole state once, then every change, until ctx ends. It
	// reconnects for ever, with back-off: it returns early only where trying
	// again cannot help (settings that can never work), and then with an error
	// that says what to change. On a cancelled context it returns nil.
	Run(ctx context.Context, out chan<- Update) error
}

// Update is what a backend has to say at one moment: the events of one store
// transaction (or of one difference after a new list), and where the backend
// stands after them. The events of one Update are applied together: nobody
// computes with half of them.
type Update struct {
	Source   string  // the backend, as in log lines: "etcd", "file", ...
	Events   []Event // changes; may be empty where only InSync or Err changes
	InSync   bool    // all that the store holds has been sent
	Err      error   // why it is not in step; nil where it is, or still loading
	Revision string  // the store's own version of this state, where it has one
	Cluster  string  // the store's own name of the cluster that it is, where it has one
	// Serves is, of a backend that is told what is needed, which of it has been
	// settled by this Update: sent, or found missing, or found unreadable (an
	// Event with Err). It is nil for other backends.
	Serves *Needs
	// Server is, of a backend that reads its store through one of several servers,
	// which one that is; nil: none, or another kind of backend. What has come
	// through one may be older than what came through the one before.
	Server *Server
	At     time.Time
}

// Server is a server between a backend and its store.
type Server struct {
	Address string // HOST:PORT
	Version string // as it says itself; empty: it does not
	Since   time.Time
	// Lag is how much later than it was written its last sign of life came, as far
	// as the clocks of both machines agree.
	Lag time.Duration
}

// Event is a change of one resource: it is now Resource; or, where Err is set,
// it is there and cannot be used, and Resource, if any, is what takes its place;
// or, where both are nil, it is gone (or, with Warnings, there is something to say
// about what never was a resource).
type Event struct {
	Key      Key
	Resource Resource
	Err      error
	// Stale: Resource is an older version, that was good.
	Stale bool
	// Warnings are about the object as it was written.
	Warnings []Warning
}

// Key names a resource. Namespace is empty for kinds that have none.
type Key struct {
	Kind      Kind
	Namespace string
	Name      string
}

// String is "Kind name" or "Kind namespace/name", with odd characters quoted.
func (k Key) String() string {
	name := k.Name
	if k.Namespace != "" {
		name = k.Namespace + "/" + name
	}
	return string(k.Kind) + " " + printable(name)
}

// Compare orders keys by kind, namespace and name.
func (k Key) Compare(o Key) int {
	return compareStrings(string(k.Kind), string(o.Kind), k.Namespace, o.Namespace, k.Name, o.Name)
}

// Send delivers u unless ctx ends first, and says whether it was delivered.
func Send(ctx context.Context, out chan<- Update, u Update) bool {
	if u.At.IsZero() {
		u.At = time.Now()
	}
	select {
	case out <- u:
		return true
	case <-ctx.Done():
		return false
	}
}

// Sleep waits for d, and says whether it was not cut short.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
