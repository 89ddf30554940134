package explain

import (
	"errors"
	"testing"

	"confd/backends"
	"confd/bgp"
)

// TestUnusableFilters: that a filter is closed is known by its error's type, whatever
// the words.
func TestUnusableFilters(t *testing.T) {
	for want, err := range map[string]error{
		"quarantined, so it is shut: BIRD said no":      &backends.Closed{How: "quarantined, so it is shut", Err: errors.New("BIRD said no")},
		"cannot be used: a rule that cannot be used":    errors.New("a rule that cannot be used"),
		"cannot be used: it is no object, but a number": errors.New("it is no object, but a number"),
	} {
		s := backends.NewState()
		s.Apply(backends.Event{Key: backends.Key{Kind: backends.KindBGPFilter, Name: "f"}, Resource: backends.ClosedFilter("f"), Err: err})
		a, failed := New(s, bgp.Options{Node: "node-1"}).Filter("f", nil)
		if failed != nil || a.Unusable != want {
			t.Errorf("%v: got %+v, %v, want %s", err, a, failed, want)
		}
	}
}
