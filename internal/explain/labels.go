package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"confd/bgp"
	"confd/internal/terminal"
)

// labelBook has how many nodes have a label, and each of its values.
type labelBook struct {
	nodes  map[string]int
	values map[string]map[string]int
}

// valuesText are the values that a label has, the most frequent first.
func (b *labelBook) valuesText(label string) string {
	const most = 4
	values := slices.SortedFunc(maps.Keys(b.values[label]), func(x, y string) int {
		return cmp.Or(cmp.Compare(b.values[label][y], b.values[label][x]), cmp.Compare(x, y))
	})
	var parts []string
	for _, v := range values[:min(len(values), most)] {
		parts = append(parts, fmt.Sprintf("%q on %s", v, terminal.Count(b.values[label][v], "node")))
	}
	if len(values) > most {
		parts = append(parts, fmt.Sprintf("and %d other values", len(values)-most))
	}
	return strings.Join(parts, ", ")
}

func bookOf(c *bgp.Cluster) *labelBook {
	b := &labelBook{map[string]int{}, map[string]map[string]int{}}
	for _, n := range c.Nodes() {
		for label, value := range n.Labels {
			if b.values[label] == nil {
				b.values[label] = map[string]int{}
			}
			b.nodes[label]++
			b.values[label][value]++
		}
	}
	return b
}
