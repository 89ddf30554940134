package golden

import "time"

// Result is how a target went. It is good where Err is nil and there are no
// Diffs.
type Result struct {
	Target Target
	// Err is why nothing could be compared, or what BIRD refused.
	Err error
	// Diffs are the differences, by file; with Update there are none.
	Diffs []Diff
	// Updated are the files that were written or, as "-NAME", removed.
	Updated []string
	// CheckedBy names the program that read the files; empty: none did, and Note
	// says why, where it was asked for.
	CheckedBy, Note string
	Took            time.Duration
	// warnings are what the target's warnings were; rendered is set where they are known.
	warnings []Warning
	rendered bool
}

// Good says whether the target is as it should be.
func (r Result) Good() bool { return r.Err == nil && len(r.Diffs) == 0 }
