package reload

import (
	"errors"
	"strings"
)

// What can keep a set from being applied, besides a *CheckError, a
// *RefusedError, and what is wrong with the control socket.
var (
	// ErrCannotCheck: there is no way to check a set now: no binary to do it
	// with, and no BIRD that answers. A set that is installed already stays; try
	// again when BIRD is up.
	ErrCannotCheck = errors.New("cannot check the configuration")
	// ErrOtherFile: BIRD was started with another file than the set's, so that it
	// uses that one.
	ErrOtherFile = errors.New("BIRD does not use what was written")
	// ErrOnTrial: the set before is still on trial. Call Trial until it is over.
	ErrOnTrial = errors.New("another configuration is on trial")
	// ErrNoTrial: there is nothing that Trial could look at. Where Trial ended with
	// another error before, the trial is over, and Apply goes on from there.
	ErrNoTrial = errors.New("no configuration is on trial")
)

// UndoneError says that a trial has failed: BIRD was seen to lose what it must
// keep while it used the set. BIRD is back to what it used before.
type UndoneError struct {
	Hash     string   // of the set that was tried
	Sessions []string // those that did not stay up, or are not up again; empty where it was something else
	Reason   string   // in words
	// Restored says that the files from before are back on disk too. They are not
	// where nobody knows what BIRD agreed to before: a BIRD that starts reads the
	// set then.
	Restored bool
}

// Error is one line.
func (e *UndoneError) Error() string {
	text := "the configuration " + e.Hash + " was undone: " + e.Reason
	if len(e.Sessions) > 0 {
		text += ": " + strings.Join(e.Sessions, ", ")
	}
	return text + whereFilesAre(e.Restored)
}

// LapsedError says that a trial has ended without a verdict: nobody looked while
// BIRD used the set, or somebody else had BIRD use something else. Nothing speaks
// against the set: apply it again.
type LapsedError struct {
	Hash     string // of the set that was tried
	Reason   string // in words
	Restored bool   // the files from before are back on disk, and what BIRD uses, where it runs
}

// Error is one line.
func (e *LapsedError) Error() string {
	return "the trial of the configuration " + e.Hash + " ended without a verdict: " + e.Reason + whereFilesAre(e.Restored)
}

func whereFilesAre(restored bool) string {
	if restored {
		return ""
	}
	return " (its files are still on disk)"
}
