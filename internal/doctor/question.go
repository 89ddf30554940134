package doctor

import (
	"net/netip"

	"confd/backends"
	"confd/bgp"
	"confd/internal/explain"
)

// Question is what a doctor goes by.
type Question struct {
	State *backends.State
	// Options are those of the node that asks.
	Options bgp.Options
	// BIRD is the major version of this node's BIRD; 0: not known.
	BIRD int
	// Live is what is known of this machine; nil: it is none of the cluster's nodes,
	// or was not looked at.
	Live *Live
	// Usage is how much of the pools is taken, as the IPAM blocks say; nil: not known.
	Usage *backends.Usage
	// Ignore are the numbers of codes of which nothing is said; see Ignored.
	Ignore map[string]bool
}

// Live is what is known of this machine.
type Live struct {
	// BIRD is what its BIRDs say; nil: none answers.
	BIRD *explain.Live
	// Recovering: BIRD waits for its peers after a restart.
	Recovering bool
	// Unreachable are the nets of which BIRD's next hop cannot be reached.
	Unreachable []netip.Prefix
	// Held says why changes are held back that this node does not follow; empty: none is.
	Held []string
	// Addresses are those of the machine's interfaces; nil: not known.
	Addresses []netip.Addr
}
