package routes

import (
	"cmp"
	"net/netip"
	"strings"
	"time"
)

// Kind is what a fault is called. Metrics and JSON have it as it is.
type Kind string

// The kinds of faults.
const (
	// Unreachable: BIRD uses a route of BGP whose next hop it cannot reach.
	Unreachable Kind = "unreachable"
	// NextHopByBGP: so it is, as what leads to the next hop is itself a route of BGP.
	NextHopByBGP Kind = "next_hop_by_bgp"
	// NextHopByRouter: BIRD reaches a next hop by a router that the kernel has on a
	// network of its own.
	NextHopByRouter Kind = "next_hop_by_router"
	// KernelMissing: the kernel does not have what BIRD means it to.
	KernelMissing Kind = "kernel_missing"
	// KernelOther: the kernel has another way there.
	KernelOther Kind = "kernel_other"
	// KernelStale: besides BIRD's route the kernel has an older one of BIRD's, with
	// another metric.
	KernelStale Kind = "kernel_stale"
	// KernelLeft: in a pool, the kernel has a route of BIRD's that BIRD does not have.
	KernelLeft Kind = "kernel_left"
	// NotTold: a peer is not told of this node's block or service route.
	NotTold Kind = "not_told"
	// BlockAbsent: BIRD has no route to another node's block.
	BlockAbsent Kind = "block_absent"
	// SourceNotLocal: a session is down, and its source address on no interface.
	SourceNotLocal Kind = "source_not_local"
	// PeerBlackholed: a session is down, and the kernel's route to the peer refuses.
	PeerBlackholed Kind = "peer_blackholed"
)

// Kinds are all kinds.
func Kinds() []Kind {
	return []Kind{
		Unreachable, NextHopByBGP, NextHopByRouter, KernelMissing, KernelOther, KernelStale, KernelLeft, NotTold, BlockAbsent, SourceNotLocal, PeerBlackholed,
	}
}

// Cure is what to do about a fault of that kind.
func (k Kind) Cure() string {
	switch k {
	case Unreachable:
		return "see what leads to the next hop: birdc show route for ADDRESS, ip route get ADDRESS"
	case NextHopByBGP:
		return "do not take that route from that peer (BGPFilter, importV4 or importV6), or give the next hop's network a route of its own in the kernel"
	case NextHopByRouter:
		return "see why BIRD's protocol direct does not have that network: ignoredInterfaces, birdc show route for ADDRESS"
	case KernelMissing, KernelOther:
		return "see what else programs routes there, and what BIRD logs about the kernel"
	case KernelStale:
		return "it is removed, where this program may do that (CAP_NET_ADMIN); else: ip route del NET metric METRIC proto bird"
	case KernelLeft:
		return "see which other BIRD programs it; ip route del takes it away"
	case NotTold:
		return "see birdc show route export SESSION, and the session's BGPFilters"
	case BlockAbsent:
		return "see whether that node's BIRD runs and tells it, and which import filters there are"
	case SourceNotLocal:
		return "give the interface that address, or correct the Node's BGP address"
	case PeerBlackholed:
		return "see ip route get ADDRESS; take that route away, or keep service addresses and pools from covering nodes"
	}
	return ""
}

// patience is how long a fault of that kind must last before it is one. BGP needs
// some time by itself to tell all peers of something.
func (k Kind) patience() time.Duration {
	switch k {
	case BlockAbsent:
		return 30 * time.Second
	case NotTold, KernelLeft:
		return 15 * time.Second
	}
	return 5 * time.Second
}

// Fault is something wrong with routes.
type Fault struct {
	Kind   Kind
	Family int
	// Net is the route's; not valid where it is about no single one.
	Net netip.Prefix
	// Session is the one concerned, if any.
	Session string
	// Text says what is wrong and what comes of it, on one line.
	Text string
	// Stale are the kernel's routes that can be removed.
	Stale []Entry
}

// compare sorts by kind, family, route and session.
func (f Fault) compare(g Fault) int {
	return cmp.Or(strings.Compare(string(f.Kind), string(g.Kind)), cmp.Compare(f.Family, g.Family), f.Net.Compare(g.Net), strings.Compare(f.Session, g.Session))
}

// id is what makes two faults the same one.
type id struct {
	kind    Kind
	family  int
	net     netip.Prefix
	session string
}

func (f Fault) id() id { return id{f.Kind, f.Family, f.Net, f.Session} }
