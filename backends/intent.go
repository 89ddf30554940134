package backends

import (
	"strings"
	"unicode"
)

// Intent is what an operator says on a resource, by annotations, about changes
// that it makes to sessions or routes.
type Intent struct {
	// DisruptionUntil announces such changes, until a time (RFC 3339). It is as it
	// was written: whether it counts depends on when it is asked.
	DisruptionUntil string
	// Approved are the IDs of changes that are held back, and may go on, with commas or
	// spaces between them.
	Approved string
}

// ApprovedIDs are those IDs.
func (in Intent) ApprovedIDs() []string {
	return strings.FieldsFunc(in.Approved, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// The annotations that an Intent is read from.
const (
	AnnotationDisruption = "confd-bird.io/disruption-until"
	AnnotationApproved   = "confd-bird.io/approved"
)

// IntentOf is what is said on a resource; nothing can be on the kinds that cost
// no session, and nil is no resource.
func IntentOf(r Resource) Intent {
	switch r := r.(type) {
	case *Node:
		return r.Intent
	case *BGPConfiguration:
		return r.Intent
	case *BGPPeer:
		return r.Intent
	case *BGPFilter:
		return r.Intent
	case *IPPool:
		return r.Intent
	case *Secret:
		return r.Intent
	}
	return Intent{}
}

// setIntent notes what is said on a resource that was just made.
func setIntent(r Resource, in Intent) {
	switch r := r.(type) {
	case *Node:
		r.Intent = in
	case *BGPConfiguration:
		r.Intent = in
	case *BGPPeer:
		r.Intent = in
	case *BGPFilter:
		r.Intent = in
	case *IPPool:
		r.Intent = in
	case *Secret:
		r.Intent = in
	}
}
