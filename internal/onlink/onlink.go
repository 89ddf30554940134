// Package onlink has BIRD keep the networks that this machine is connected to.
//
// Of several IPv6 addresses of an interface in one network, BIRD forgets the whole
// network when any one of them is removed (1.6.8, 2.0.12, 2.17.6 and 3.1.8 do), and
// with it how to reach the peers there: their routes become unreachable, while the
// sessions stay up. Nothing but a restart of its protocol "direct" has BIRD look
// again, and that takes all networks away for a moment.
//
// But BIRD also learns routes from the kernel. So while an interface has several
// addresses in a network, the kernel has a second route to it, of the same meaning:
// a stand-in, which is worse than all others, so that nothing uses it but BIRD once
// it has forgotten the network. It stays as long as the interface has an address
// there, since BIRD does not remember until it is started again.
package onlink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
)

// Change is what was done to the stand-in of a link.
type Change struct {
	Net       netip.Prefix
	Interface string
	Added     bool // else it was taken away
	// Forgotten: BIRD had lost the network.
	Forgotten bool
}

// Keeper keeps the stand-ins. It remembers what it has seen, and is for one
// goroutine at a time.
type Keeper struct {
	kernel kernel
	// counts are the addresses of links as they were last, where BIRD is known to have
	// the network or to need a stand-in.
	counts map[link]int
}

// New keeps the stand-ins of the network namespace that the program runs in.
func New() *Keeper { return &Keeper{kernel: netlinkKernel{}, counts: map[link]int{}} }

// Look puts right what is to be: stand-ins for the networks of interfaces that match
// the patterns ("-" in front excludes), which are those of BIRD's protocol "direct".
// knows asks BIRD whether it has a network. The error says what could not be done; it
// wraps that of the system.
func (k *Keeper) Look(ctx context.Context, patterns []string, knows func(context.Context, netip.Prefix) (bool, error)) ([]Change, error) {
	now, err := k.kernel.find()
	if err != nil {
		return nil, err
	}
	changes, errs := k.dropped(now, patterns)
	counts := map[link]int{}
	for l, n := range now.addresses {
		if !now.routes[l] || !matches(patterns, l.iface) {
			continue
		}
		added, err := k.keep(ctx, l, n, now.standIns[l], knows)
		if err != nil {
			errs = append(errs, err)
			continue // and BIRD is asked again
		}
		counts[l] = n
		changes = append(changes, added...)
	}
	k.counts = counts
	return changes, errors.Join(errs...)
}

// dropped takes away the stand-ins of networks that the interface has no address in.
func (k *Keeper) dropped(now found, patterns []string) (changes []Change, errs []error) {
	for l := range now.standIns {
		if now.addresses[l] > 0 && matches(patterns, l.iface) {
			continue
		}
		if err := k.kernel.remove(l); err != nil {
			errs = append(errs, fmt.Errorf("taking away the stand-in for %s on %s: %w", l.net, l.iface, err))
			continue
		}
		changes = append(changes, Change{Net: l.net, Interface: l.iface})
	}
	return changes, errs
}

// keep adds the stand-in of a link with n addresses, where it needs one and has none.
func (k *Keeper) keep(ctx context.Context, l link, n int, there bool, knows func(context.Context, netip.Prefix) (bool, error)) ([]Change, error) {
	before, seen := k.counts[l]
	if there || n == 1 && seen && before == 1 {
		return nil, nil
	}
	change := Change{Net: l.net, Interface: l.iface, Added: true}
	if n == 1 {
		has, err := knows(ctx, l.net)
		if err != nil || has {
			return nil, err
		}
		change.Forgotten = true
	}
	switch err := k.kernel.add(l); {
	case errors.Is(err, fs.ErrExist):
		// It is there: Linux may leave IPv6 routes out of a list while others change.
		return nil, nil
	case err != nil:
		return nil, &NotHeldError{Net: l.net, Interface: l.iface, Forgotten: change.Forgotten, Err: err}
	}
	return []Change{change}, nil
}

// NotHeldError says that a stand-in cannot be added.
type NotHeldError struct {
	Net       netip.Prefix
	Interface string
	Forgotten bool // BIRD has lost the network already
	Err       error
}

// Error says what is not held, and why.
func (e *NotHeldError) Error() string {
	allows := ""
	if errors.Is(e.Err, fs.ErrPermission) {
		allows = " (CAP_NET_ADMIN allows it)"
	}
	return fmt.Sprintf("the kernel does not take a second route to %s on %s, by which BIRD would keep that network%s: %v", e.Net, e.Interface, allows, e.Err)
}

// Unwrap is the system's error.
func (e *NotHeldError) Unwrap() error { return e.Err }

// Lost are the networks that BIRD has lost already, of those that an error of Look says
// are not held.
func Lost(err error) []*NotHeldError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*NotHeldError
		for _, e := range joined.Unwrap() {
			list = append(list, Lost(e)...)
		}
		return list
	}
	var e *NotHeldError
	if errors.As(err, &e) && e.Forgotten {
		return []*NotHeldError{e}
	}
	return nil
}

// matches says whether BIRD's interface patterns take an interface: the first that
// fits decides.
func matches(patterns []string, name string) bool {
	i := slices.IndexFunc(patterns, func(p string) bool { return fits(strings.TrimPrefix(p, "-"), name) })
	return i >= 0 && !strings.HasPrefix(patterns[i], "-")
}

// fits is BIRD's way with * and ? in patterns.
func fits(pattern, name string) bool {
	if pattern == "" || name == "" {
		return strings.Trim(pattern, "*") == name
	}
	switch pattern[0] {
	case '*':
		return fits(pattern[1:], name) || fits(pattern, name[1:])
	case '?', name[0]:
		return fits(pattern[1:], name[1:])
	}
	return false
}
