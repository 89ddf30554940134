package host

import (
	"errors"
	"net/netip"
	"testing"

	"confd/internal/onlink"
)

// BIRD looks anew for a network that it has lost, once, until it has found it again;
// whatever else is not held.
func TestAnew(t *testing.T) {
	held := func(net, iface string, forgotten bool) error {
		return &onlink.NotHeldError{Net: netip.MustParsePrefix(net), Interface: iface, Forgotten: forgotten, Err: errors.New("no")}
	}
	a := anew{}
	for _, step := range []struct {
		err error
		due bool
	}{
		{nil, false},
		{errors.Join(held("fd00::/64", "eth0", false)), false},
		{errors.Join(held("fd00::/64", "eth0", false), errors.New("another"), held("fd01::/64", "eth0", true)), true},
		{errors.Join(held("fd01::/64", "eth0", true)), false}, // it was no help
		{errors.Join(held("fd01::/64", "eth0", true), held("fd01::/64", "eth1", true)), true},
		{errors.Join(held("fd01::/64", "eth1", true)), false},
		{errors.Join(held("fd01::/64", "eth0", true), held("fd01::/64", "eth1", true)), true}, // found, and lost again
		{errors.New("another"), false},
		{held("fd01::/64", "eth1", true), true},
	} {
		lost := onlink.Lost(step.err)
		if due := a.isDue(lost); due != step.due {
			t.Errorf("%v: due %t, want %t", step.err, due, step.due)
		}
		a.done(lost)
	}
}
