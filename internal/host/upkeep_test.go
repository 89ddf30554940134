package host

import (
	"errors"
	"net/netip"
	"testing"

	"confd/internal/listener"
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

// TestPortsAreLookedUpOnce: who has a port is looked up once for all sessions that want
// it, and our own BIRDs do not count.
func TestPortsAreLookedUpOnce(t *testing.T) {
	looks := 0
	any4, any6 := netip.MustParseAddrPort("0.0.0.0:179"), netip.MustParseAddrPort("[::]:179")
	ports := holders{own: []int{1}, found: map[netip.AddrPort]holder{}, look: func(_ string, port uint16, _ netip.Addr) []listener.Process {
		looks++
		var list []listener.Process
		for _, pid := range []int{0, 1, 3, 2, 3} {
			list = append(list, listener.Process{PID: pid, Name: "speaker", Address: netip.AddrPortFrom(any4.Addr(), port)})
		}
		return list
	}}
	for range 5000 {
		if got, want := ports.of(any4), (holder{"speaker (process 2), speaker (process 3)", true}); got != want {
			t.Fatalf("%s: got %v, want %v", any4, got, want)
		}
		if got := ports.of(any6); got.sure {
			t.Fatalf("%s: %v is sure to be in the way, and has the other family's", any6, got)
		}
	}
	if looks != 2 {
		t.Errorf("two ports were looked up %d times", looks)
	}
}
