package forecast

import (
	"fmt"
	"slices"
	"strings"

	"confd/internal/doctor"
)

// Condition is something that a change must not do.
type Condition string

// The conditions.
const (
	SessionLoss   Condition = "session-loss"   // sessions are removed whose peers stay
	SessionRemade Condition = "session-remade" // sessions go down and come up again
	IsolatedNode  Condition = "isolated-node"  // a node has no session left
	RouteLoss     Condition = "route-loss"     // peers are not told of routes any more
	HeldChange    Condition = "held"           // the guard would hold it back
	NewError      Condition = "new-error"      // the doctor would find an error more
	NewWarning    Condition = "new-warning"    // or a warning
)

// Conditions are all of them.
func Conditions() []Condition {
	return []Condition{SessionLoss, SessionRemade, IsolatedNode, RouteLoss, HeldChange, NewError, NewWarning}
}

// ParseConditions reads names of conditions.
func ParseConditions(list []string) ([]Condition, error) {
	var out []Condition
	for _, text := range list {
		if !slices.Contains(Conditions(), Condition(text)) {
			var names []string
			for _, c := range Conditions() {
				names = append(names, string(c))
			}
			return nil, fmt.Errorf("%q: expected some of %s", text, strings.Join(names, ", "))
		}
		out = append(out, Condition(text))
	}
	return out, nil
}

// Fails are those of the conditions that the change would fulfil.
func (r *Report) Fails(list []Condition) []Condition {
	found := func(s doctor.Severity) bool {
		return slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.Severity == s })
	}
	is := map[Condition]bool{
		SessionLoss: r.lost() > 0, SessionRemade: r.Totals.Remade > 0, IsolatedNode: r.Totals.Isolated > 0, RouteLoss: r.Totals.RoutesLost > 0,
		HeldChange: r.Totals.Held > 0, NewError: found(doctor.Error), NewWarning: found(doctor.Warning),
	}
	var out []Condition
	for _, c := range list {
		if is[c] {
			out = append(out, c)
		}
	}
	return out
}

// lost counts the ends of sessions that are removed, and whose peer is not gone.
func (r *Report) lost() int {
	n := 0
	for _, g := range r.Groups {
		for _, s := range g.Sessions {
			if s.How == Removed {
				n += (s.Count - s.Gone) * len(g.Nodes)
			}
		}
	}
	return n
}
