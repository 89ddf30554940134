package fleet

import (
	"fmt"
	"slices"
	"strings"
)

// Approvable are those of changes that can be approved for all nodes: where some
// are chosen, those with these IDs. An error says which ID nobody holds, or that one has to be chosen.
func Approvable(changes []Change, chosen []string) ([]Change, error) {
	var list []Change
	var known []string
	for _, c := range changes {
		if !c.Trial && ids.MatchString(c.ID) && len(c.Nodes) > 0 {
			list, known = append(list, c), append(known, c.ID)
		}
	}
	if len(chosen) == 0 {
		if len(list) > 1 {
			return nil, fmt.Errorf("%d changes are held back: say with --id which of them is meant: %s", len(list), strings.Join(known, ", "))
		}
		return list, nil
	}
	for _, id := range chosen {
		if !slices.Contains(known, id) {
			return nil, fmt.Errorf("--id %s: no node holds that back now; held are: %s", id, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(list, func(c Change) bool { return !slices.Contains(chosen, c.ID) }), nil
}
