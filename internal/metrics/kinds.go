package metrics

import (
	"slices"
	"strings"
)

// kinds are the prefixes of the names that we give sessions.
func kinds() []string { return []string{"Mesh", "Global", "Node", "Local_Workload"} }

// kindOf is the label's value for a kind.
func kindOf(kind string) string {
	if slices.Contains(kinds(), kind) {
		return strings.ToLower(kind)
	}
	return "other"
}
