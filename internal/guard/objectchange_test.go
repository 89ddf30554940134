package guard

import (
	"errors"
	"testing"

	"confd/backends"
)

// A filter that closes is told as that, and not as one that has changed.
func TestDescribesWhatCloses(t *testing.T) {
	key := backends.Key{Kind: backends.KindBGPFilter, Name: "f"}
	before, after := backends.NewState(), backends.NewState()
	before.Apply(backends.Event{Key: key, Resource: &backends.BGPFilter{Name: "f", ImportV4: []backends.FilterRule{{Accept: true}}}})
	r, err := backends.StandIn(key, errors.New("no sense"))
	after.Apply(backends.Event{Key: key, Resource: r, Err: err})
	if got, want := describeChange(before, after, key), ": cannot be used, so all routes that get to it are rejected: no sense"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
