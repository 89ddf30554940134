package onlink

import "net/netip"

// link is a network that an interface is connected to.
type link struct {
	net   netip.Prefix
	iface string
}

// found is what the kernel has of the links.
type found struct {
	addresses map[link]int  // how many the interface has in the network
	routes    map[link]bool // the kernel's own way there
	standIns  map[link]bool
}

// Protocol is the number of the routing protocol that stand-ins have in the kernel
// (`ip route` shows "proto 179"), and Metric what they cost.
const (
	Protocol = 179
	Metric   = 1 << 30
)

// kernel is what a Keeper works on.
type kernel interface {
	find() (found, error)
	add(link) error
	remove(link) error
}
