package diff

import "confd/bgp"

// Report is what a comparison has found.
type Report struct {
	Options
	// Bird is the version of BIRD that the files are for.
	Bird string
	// Files is how many files were compared, where it is for one node.
	Files int
	// Nodes is how many nodes were compared; Groups are those that change, by
	// what becomes of them: the largest group first.
	Nodes  int
	Groups []Group
	// Problems are what is wrong with the state after, as far as it concerns the
	// nodes: each once, sorted.
	Problems []bgp.Problem
}

// Changed is how many nodes change.
func (r *Report) Changed() int {
	n := 0
	for _, g := range r.Groups {
		n += len(g.Nodes)
	}
	return n
}

// Kind is what becomes of a node.
type Kind string

// The kinds.
const (
	NodeChanged Kind = "changed"
	NodeAdded   Kind = "added"   // it is only in the state after
	NodeRemoved Kind = "removed" // it is only in the state before
	NodeFailed  Kind = "failed"  // nothing can be said about it; Group.Err says why
)

// Group is nodes of which the same becomes.
type Group struct {
	Kind    Kind
	Nodes   []string // sorted
	Changes bgp.Changes
	Err     error // of NodeFailed
	// Files are those of the first of the nodes that differ; of nodes that are gone
	// there are none.
	Files []File
}

// File is how one file differs.
type File struct {
	// Path is where it goes.
	Path string
	// Diff is a unified diff, without passwords.
	Diff string
}
