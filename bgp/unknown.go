package bgp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"confd/backends"
)

// fewNodes is how many names are listed.
const fewNodes = 5

// unknownNode is the error about a node that has no usable Node, with what is
// known of why.
func unknownNode(s *backends.State, name string) error {
	err := fmt.Errorf("node %q: %w", name, ErrUnknownNode)
	if why, bad := s.Invalid[backends.Key{Kind: backends.KindNode, Name: name}]; bad {
		return fmt.Errorf("%w that can be used: %w", err, why)
	}
	hints := append(nodesThere(s, name), unreadHints(s)...)
	return fmt.Errorf("%w: %s", err, strings.Join(hints, "; "))
}

// nodesThere says which Nodes there are, and which of them is likely meant.
func nodesThere(s *backends.State, name string) []string {
	names := slices.Sorted(maps.Keys(s.Nodes))
	if len(names) == 0 {
		return []string{"it has no Node at all"}
	}
	if meant := LikelyNode(name, names); meant != "" {
		return []string{fmt.Sprintf("it has %d, and one that is called %q: names count letter by letter (--node, NODENAME)", len(names), meant)}
	}
	var list []string
	for _, n := range names[:min(len(names), fewNodes)] {
		list = append(list, strconv.Quote(n))
	}
	if len(names) > fewNodes {
		list = append(list, "...")
	}
	return []string{fmt.Sprintf("it has %d: %s", len(names), strings.Join(list, ", "))}
}

// LikelyNode is the node that was likely meant: the same name with a domain or
// without, in other letters, or mistyped.
func LikelyNode(name string, names []string) string {
	short, _, _ := strings.Cut(name, ".")
	for _, n := range names {
		if other, _, _ := strings.Cut(n, "."); strings.EqualFold(other, short) {
			return n
		}
	}
	// node-7 is no node-1 mistyped: numbers tell nodes apart.
	return backends.Nearest(name, slices.DeleteFunc(slices.Clone(names), func(n string) bool { return digits(n) != digits(name) }))
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// unreadHints say what cannot be read, where the node could be.
func unreadHints(s *backends.State) []string {
	var first backends.Key
	nodes, documents := 0, 0
	for key := range s.Invalid {
		switch key.Kind {
		case backends.KindNode:
			nodes++
		case backends.KindFile:
			if documents++; documents == 1 || key.Compare(first) < 0 {
				first = key
			}
		}
	}
	var hints []string
	if nodes > 0 {
		hints = append(hints, fmt.Sprintf("Nodes that cannot be used: %d", nodes))
	}
	if documents > 0 {
		hints = append(hints, fmt.Sprintf("documents that cannot be read: %d, such as %v", documents, s.Invalid[first]))
	}
	return hints
}
