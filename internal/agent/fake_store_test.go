package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"confd/backends"
	"confd/reload/control"
)

// fakeStore is a datastore that a script writes.
type fakeStore struct {
	mu     sync.Mutex
	state  *backends.State
	keys   map[backends.Key]bool
	queue  chan backends.Update
	inSync bool
	silent bool
	// revision and cluster are what it calls its state, and itself.
	revision, cluster string
	// why is why it is away.
	why string
}

func newFakeStore() *fakeStore {
	return &fakeStore{state: backends.NewState(), keys: map[backends.Key]bool{}, queue: make(chan backends.Update, 64), inSync: true, cluster: "a"}
}

// restart has the next Run tell everything.
func (f *fakeStore) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = make(chan backends.Update, 64)
}

func (f *fakeStore) Run(ctx context.Context, out chan<- backends.Update) error {
	f.mu.Lock()
	queue := f.queue
	u := f.update(f.all())
	silent := f.silent
	f.mu.Unlock()
	if !silent {
		out <- u
	}
	for {
		select {
		case u := <-queue:
			select {
			case out <- u:
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fakeStore) all() []backends.Event {
	var list []backends.Event
	for k := range f.keys {
		if r, ok := f.state.Get(k); ok {
			list = append(list, backends.Event{Key: k, Resource: r})
		} else if err := f.state.Invalid[k]; err != nil {
			list = append(list, backends.Event{Key: k, Err: err})
		}
	}
	slices.SortFunc(list, func(a, b backends.Event) int { return a.Key.Compare(b.Key) })
	return list
}

func (f *fakeStore) update(events []backends.Event) backends.Update {
	u := backends.Update{Source: "etcd", Events: events, InSync: f.inSync, At: time.Now(), Revision: f.revision, Cluster: f.cluster}
	if !f.inSync {
		u.Err = errors.New(f.why)
	}
	return u
}

// send changes objects, in one transaction.
func (f *fakeStore) send(events ...backends.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		f.keys[e.Key] = true
		f.state.Apply(e)
	}
	if !f.silent {
		f.queue <- f.update(events)
	}
}

// stand has the store be silent (before a start), away (for a reason) or back, of
// another cluster, or at a revision.
func (f *fakeStore) stand(args ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch how := args[0]; how {
	case "revision":
		f.revision = args[1]
	case "cluster":
		f.cluster = args[1]
	case "silent":
		f.silent = true
	case "away", "back":
		f.inSync, f.why = how == "back", "the store is away"
		if len(args) > 1 {
			f.why = strings.Join(args[1:], " ")
		}
		events := []backends.Event(nil)
		if f.silent && how == "back" {
			f.silent, events = false, f.all()
		}
		f.queue <- f.update(events)
	}
}

// fakeChildren are the BIRDs that the program would run: real ones are started where
// their files are in place.
type fakeChildren struct {
	world *fakeWorld
	say   func(string, ...any)
	real  bool

	mu     sync.Mutex
	told   map[string]bool
	frozen time.Duration
}

func (c *fakeChildren) Prepare([]string) error { return nil }
func (c *fakeChildren) Has(string) bool        { return c.real }

// Signal is where the loop stands still that is to.
func (c *fakeChildren) Signal(os.Signal) {
	c.mu.Lock()
	d := c.frozen
	c.frozen = 0
	c.mu.Unlock()
	time.Sleep(d)
}

func (c *fakeChildren) freeze(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = d
}

func (c *fakeChildren) InPlace(sockets ...string) {
	if len(sockets) == 0 {
		sockets = c.world.daemons.Sockets()
	}
	for _, socket := range sockets {
		if c.told[socket] {
			continue
		}
		c.told[socket] = true
		c.say("may start: %s", filepath.Base(socket))
		if c.real && c.world.birds[socket].status().health == control.Absent {
			time.AfterFunc(100*time.Millisecond, func() { c.world.startBIRD(socket) })
		}
	}
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
