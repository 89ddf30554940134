package guard

import (
	"fmt"
	"slices"
)

// finding is one reason to hold a candidate.
type finding struct {
	why string
	// lost are the sessions, routes the nets of the routes that it is about; once are
	// older names of the former.
	lost, remade, routes, once []string
	// ofRoutes: it is about routes, not only about sessions; kept: some of them are of
	// sessions that are kept.
	ofRoutes, kept bool
}

// all are the names of all that it is about.
func (f finding) all() []string { return slices.Concat(f.lost, f.once, f.routes) }

// noneLeft says that all n routes of a sort go.
func noneLeft(n, family int, which string) string {
	if n == 1 {
		return fmt.Sprintf("the only IPv%d route %s would be gone", family, which)
	}
	return fmt.Sprintf("none of the %d IPv%d routes %s would be left", n, family, which)
}
