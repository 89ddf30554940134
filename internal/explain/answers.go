package explain

import "confd/bgp"

// SessionAnswer says which sessions two parties have with each other, and why.
type SessionAnswer struct {
	A Party `json:"a"`
	B Party `json:"b"`
	// Sessions are those that at least one side has.
	Sessions []Pair `json:"sessions"`
	// Absent says, of each node that has no session with the other party, or not in
	// each family that it could, why.
	Absent []Absence `json:"absent,omitempty"`
	// LeftOut are the BGPPeers that are for these two, besides what there is, and of
	// which nothing is used: something is wrong with them, or they cannot be read, so
	// that nobody knows whom they are for.
	LeftOut []Miss `json:"left_out,omitempty"`
}

// Pair is one session, with one or both of its ends. The end of who is outside of
// the cluster is not known.
type Pair struct {
	Family int   `json:"family"`
	Ends   []End `json:"ends"`
	// OneSided: only one of two nodes has it.
	OneSided bool `json:"one_sided"`
	// Conflicts say why the two ends cannot come together.
	Conflicts []string `json:"conflicts,omitempty"`
}

// End is a session as one node has it.
type End struct {
	Node    string `json:"node"`
	Session string `json:"session"` // BIRD's name for it
	Kind    string `json:"kind"`
	Object  string `json:"object"` // that asks for it
	Why     string `json:"why"`
	Reverse bool   `json:"reverse"`
	// Chain is how the resources lead to it, a step each.
	Chain []string `json:"chain"`
	// Losers asked for the same session and do not have it.
	Losers  []Loser      `json:"losers,omitempty"`
	Options []Option     `json:"options"`
	Live    *LiveSession `json:"live,omitempty"`

	session bgp.Session
}

// Loser is who asked for a session that another object has.
type Loser struct {
	Object  string `json:"object"`
	Why     string `json:"why"`
	Session string `json:"session"`
}

// Option is one option of a session, and what it comes from.
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// Absence says why a node has no session.
type Absence struct {
	Node   string `json:"node"`
	Peer   string `json:"peer"`
	Family int    `json:"family,omitempty"` // 0: in none
	// Mesh says why there is none of the mesh.
	Mesh []string `json:"mesh"`
	// Misses are the BGPPeers, the nearest first; More is how many others there are,
	// which concern neither side.
	Misses []Miss `json:"misses"`
	More   int    `json:"more,omitempty"`
}

// Miss says why a BGPPeer asks for no session.
type Miss struct {
	Object string `json:"object"`
	// Sides is how many of its two sides fit.
	Sides int      `json:"sides"`
	Why   []string `json:"why"`

	near int // the more, the likelier it is meant
}

// ends are one node's sessions with a party.
type ends struct {
	config *bgp.Config
	list   []End
}
