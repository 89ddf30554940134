package explain

import (
	"fmt"
	"net/netip"
	"strings"

	"confd/backends"
	"confd/internal/terminal"
)

// PlaceAnswer says where an address or a block is, and how the others get there.
type PlaceAnswer struct {
	Net netip.Prefix `json:"net"`
	// Pool is the one that it lies in; empty: none.
	Pool string `json:"pool,omitempty"`
	// Blocks are the affinities of the blocks that hold it, the smallest first.
	Blocks []PlaceBlock `json:"blocks"`
	// Owner is the node that the others are led to; empty: none.
	Owner string `json:"owner,omitempty"`
	// Announced is the route that the owner has for it; empty: it announces none.
	Announced string `json:"announced,omitempty"`
	// Ways are how nodes and routers are told, those of which the same is true
	// together.
	Ways []Way `json:"ways"`
	// Swallowed says where packets to it would be lost, and why.
	Swallowed []string `json:"swallowed"`
	// Service says which Service has the address, or which range of service addresses
	// holds it; empty: none.
	Service string `json:"service,omitempty"`
	// Inside are the blocks in a net that is no block itself, nor in one.
	Inside []PlaceBlock `json:"inside,omitempty"`
	// Down are the sessions of the node that was Asked, of the address's family, that its
	// BIRD says are not up: nothing is told by them, whatever the resources say. Empty
	// where no BIRD was asked, too.
	Asked string        `json:"-"`
	Down  []LiveSession `json:"down,omitempty"`
	// Notes say what else matters.
	Notes []string `json:"notes,omitempty"`
}

// PlaceBlock is a block with an affinity.
type PlaceBlock struct {
	CIDR  netip.Prefix `json:"cidr"`
	Node  string       `json:"node"`
	State string       `json:"state"`
}

// Way is how some are told.
type Way struct {
	// By says in words which way the route takes.
	By string `json:"by"`
	// Whom are the first of them by name, Count how many there are.
	Whom  []string `json:"whom"`
	Count int      `json:"count"`
	// Kernel says what those nodes' BIRD does with the route; empty of routers.
	Kernel string `json:"kernel,omitempty"`
	// Told is false where they are not told; By says why.
	Told bool `json:"told"`
}

const fewNames = 5

// first are the first few of names.
func first(names []string) []string { return names[:min(len(names), fewNames)] }

func countText(names []string) string { return terminal.Count(len(names), "node") }

func stateText(b *backends.BlockAffinity) string {
	switch {
	case b.Deleted:
		return "deleted"
	case b.State == "":
		return "confirmed"
	}
	return b.State
}

// listText is "a, b and 3 more".
func listText(names []string) string {
	if len(names) <= fewNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(first(names), ", "), len(names)-fewNames)
}
