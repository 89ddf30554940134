// Package backendstest is what tests of backends have in common.
package backendstest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"confd/backends"
)

// Patience is how long a test waits for what must come.
const Patience = 30 * time.Second

// Follower applies what a backend sends, one Update at a time, on the test's own
// goroutine: the backend waits while the test does not look.
type Follower struct {
	// Updates is where the backend sends.
	Updates chan backends.Update
	// State is all that was applied.
	State *backends.State
	tb    testing.TB
}

// Follow runs a backend until the test ends. That Run then returns an error fails the
// test.
func Follow(tb testing.TB, b backends.Backend) *Follower {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{Updates: make(chan backends.Update), State: backends.NewState(), tb: tb}
	ended := make(chan error)
	go func() { ended <- b.Run(ctx, f.Updates) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Run returned %v on a cancelled context", err)
		}
	})
	return f
}

// Next applies the next Update, and returns it.
func (f *Follower) Next(what string) backends.Update {
	f.tb.Helper()
	select {
	case u := <-f.Updates:
		for _, e := range u.Events {
			f.State.Apply(e)
		}
		return u
	case <-time.After(Patience):
		f.tb.Fatalf("no update while waiting for %s", what)
		panic("unreachable")
	}
}

// Until applies updates up to the first for which cond holds, and returns that one.
func (f *Follower) Until(what string, cond func(backends.Update) bool) backends.Update {
	f.tb.Helper()
	for {
		if u := f.Next(what); cond(u) {
			return u
		}
	}
}

// UntilInSync applies updates up to the first that says that all is known.
func (f *Follower) UntilInSync() backends.Update {
	f.tb.Helper()
	return f.Until("being in step", func(u backends.Update) bool { return u.InSync })
}

// UntilOutOfStep applies updates up to the first with an error.
func (f *Follower) UntilOutOfStep() backends.Update {
	f.tb.Helper()
	return f.Until("being out of step", func(u backends.Update) bool { return u.Err != nil })
}

// UntilState applies updates until cond holds for the state.
func (f *Follower) UntilState(what string, cond func(*backends.State) bool) {
	f.tb.Helper()
	for !cond(f.State) {
		f.Next(what)
	}
}

// Nodes are the nodes with their AS numbers, as Go prints a map of them.
func (f *Follower) Nodes() string {
	s := make(map[string]uint32)
	for name, n := range f.State.Nodes {
		s[name] = n.ASNumber
	}
	return fmt.Sprint(s) // sorted by name
}

// WantNodes fails the test where Nodes says something else.
func (f *Follower) WantNodes(want string) {
	f.tb.Helper()
	if got := f.Nodes(); got != want {
		f.tb.Errorf("nodes are %s, want %s", got, want)
	}
}
