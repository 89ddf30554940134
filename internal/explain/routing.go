package explain

import (
	"net/netip"

	"confd/bgp"
)

// routing is one look at a route.
type routing struct {
	a        *Asker
	q        RouteQuestion
	cfg      *bgp.Config
	family   *bgp.Family
	policies bgp.Policies
}

// RouteAnswer says what becomes of a route at a node.
type RouteAnswer struct {
	Node string       `json:"node"`
	Net  netip.Prefix `json:"net"`
	// Sources are the routes to the net that the node has, the one first that counts.
	Sources  []Source  `json:"sources"`
	Verdicts []Verdict `json:"verdicts"`
	// BIRD says what the node's BIRD has of it; nil: it was not asked.
	BIRD *Seen `json:"bird,omitempty"`
}

// Source is where a node has a route from.
type Source struct {
	// From is given, static, workload, peer, or nowhere.
	From string `json:"from"`
	Why  string `json:"why"`
	// Session is the one that it came by.
	Session    string      `json:"session,omitempty"`
	Attributes *Attributes `json:"attributes,omitempty"`
	// Refused says why the node does not have it, where a peer tells of it.
	Refused string `json:"refused,omitempty"`

	route bgp.Route
	from  *bgp.Session
}

// Seen is what BIRD has of a net.
type Seen struct {
	Routes []SeenRoute `json:"routes"`
	// Told are the sessions, of those that were asked for, in which BIRD tells of it.
	Told []string `json:"told,omitempty"`
	// Differences are where BIRD and the resources do not agree.
	Differences []string `json:"differences"`
}

// SeenRoute is a route that BIRD has.
type SeenRoute struct {
	Session    string      `json:"session,omitempty"`
	Best       bool        `json:"best"`
	Attributes *Attributes `json:"attributes"`
}

// RouteQuestion asks what becomes of a route at a node.
type RouteQuestion struct {
	Node  string
	Route bgp.Route
	// Given: the route is as it is given; else it is looked for.
	Given bool
	// To, From and Kernel ask for one place, step by step; none: for all in short.
	To, From *Party
	Kernel   bool
}
