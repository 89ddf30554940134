package agent

import (
	"math/rand/v2"
	"slices"
	"time"

	"confd/backends"
	"confd/internal/settings"
)

// spreadPerNode is how much of the time each node of a cluster adds over which
// they spread a common change: so some thousand of them reload in a second.
const spreadPerNode = time.Millisecond

// spread is for how long changes are put off, at random, so that not all nodes do
// them in the same second. What concerns this node alone, or takes routes away, is
// not put off. limit is the setting; nodes is how many the cluster has.
func spread(limit time.Duration, node string, nodes int, events []backends.Event) time.Duration {
	if limit == settings.Auto {
		limit = time.Duration(nodes) * spreadPerNode
	}
	own := func(e backends.Event) bool { return !common(node, e.Key) }
	if limit == 0 || len(events) == 0 || slices.ContainsFunc(events, own) {
		return 0
	}
	return rand.N(limit)
}

// common says that an object concerns all nodes, and not this one more than others.
func common(node string, k backends.Key) bool {
	switch k.Kind {
	case backends.KindBGPConfiguration, backends.KindFelixConfiguration, backends.KindNode:
		return k.Name != node && k.Name != "node."+node
	case backends.KindBGPPeer, backends.KindBGPFilter, backends.KindIPPool:
		return true
	}
	return false
}
