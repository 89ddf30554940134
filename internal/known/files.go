// Package known is what is known of each set of files, and of the BIRD that reads
// it: not what should be, but what was seen. Its machines are told what was done
// and what came of it; they do nothing themselves.
package known

import (
	"errors"
	"time"

	"confd/reload"
)

// FilesState is how far a set's files have come.
type FilesState int

// The states.
const (
	Absent    FilesState = iota // nothing is known to be on disk
	Installed                   // on disk; BIRD reads it when it starts
	OnTrial                     // BIRD uses it until further notice
	Confirmed                   // BIRD says that it uses it
	Failed                      // the last try did not work: Err says why
)

// String is the state in one or two words.
func (s FilesState) String() string {
	return [...]string{"absent", "installed", "on trial", "confirmed", "failed"}[s]
}

// Files is what is known of a set's files.
//
//	state     event                        next       besides
//	any       Wanted                       the same   what should be there is another
//	any       Done (installed)             installed  BIRD was not up
//	any       Done (on trial)              on trial   until TrialEnds
//	any       Done (confirmed)             confirmed
//	any       Done (unchanged)             confirmed
//	any       Erred                        failed     what was there stays known
//	on trial  Erred (undone and restored)  failed     what was confirmed is on disk again, and should be
//	on trial  Looked                       on trial   why it could not be looked at
//	on trial  TrialBroke                   failed     what BIRD uses is not known
//	any       NotNeeded                    absent     nobody would read it
//	any       Stays (what is confirmed)    confirmed  it is what should be there, whatever was tried
//	any       Stays (something else)       the same
//	any       Drifted, Repaired            the same   something was found changed; it is put right
type Files struct {
	state FilesState
	// The hashes of what should be there, is on disk, and is confirmed.
	wanted, installed, confirmed string
	revision                     string    // the datastore's, of what is confirmed
	at                           time.Time // when it was
	trialEnds                    time.Time
	err                          string
	// found is what was found changed, and is not put right yet, in words;
	// unrepaired: putting right what is there has failed.
	found      string
	unrepaired bool
	drifts     int
}

// State is how far the files have come.
func (f *Files) State() FilesState { return f.state }

// IsInstalled says whether the set of that hash is on disk.
func (f *Files) IsInstalled(hash string) bool { return f.installed == hash }

// Found is what was found changed and is not put right yet; empty: nothing.
func (f *Files) Found() string { return f.found }

// Unrepaired says whether putting the files right has failed.
func (f *Files) Unrepaired() bool { return f.unrepaired }

// Err is what went wrong last; empty: nothing.
func (f *Files) Err() string { return f.err }

// Wanted notes which set should be there.
func (f *Files) Wanted(hash string) { f.wanted = hash }

// Done notes what applying a set, or having it read again, has come to.
func (f *Files) Done(now time.Time, r reload.Result, revision string) {
	f.err, f.unrepaired = "", false
	f.installed, f.trialEnds = r.Hash, r.TrialEnds
	switch r.State {
	case reload.Installed:
		f.state = Installed
	case reload.OnTrial:
		f.state = OnTrial
	case reload.Confirmed, reload.Unchanged:
		f.state, f.confirmed, f.revision = Confirmed, r.Hash, revision
		if r.State == reload.Confirmed {
			f.at = now
		}
	}
}

// Erred notes that applying a set has failed.
func (f *Files) Erred(err error) {
	f.state, f.err = Failed, err.Error()
	if undone := (*reload.UndoneError)(nil); errors.As(err, &undone) {
		f.trialEnds = time.Time{}
		if undone.Restored {
			f.installed, f.wanted = f.confirmed, f.confirmed
		}
	}
}

// Looked notes that a trial could not be looked at.
func (f *Files) Looked(err error) { f.err = err.Error() }

// TrialBroke notes that a trial has ended without a word of BIRD's.
func (f *Files) TrialBroke() { f.state, f.trialEnds = Failed, time.Time{} }

// NotNeeded notes that the files were not written, as nobody would read them.
func (f *Files) NotNeeded() { f.state, f.installed, f.err = Absent, "", "" }

// Stays notes that the set of that hash is what should be there, and is used already:
// what was tried besides is not asked for.
func (f *Files) Stays(hash string) {
	if f.confirmed == hash && f.installed == hash {
		f.state, f.wanted, f.err = Confirmed, hash, ""
	}
}

// Drifted notes what was found changed, in words, and says whether that is news.
func (f *Files) Drifted(what string) bool {
	news := f.found != what
	f.found = what
	return news
}

// Counted counts something that was found changed.
func (f *Files) Counted() { f.drifts++ }

// Repaired notes how putting right has gone; nil: nothing is wrong any more.
func (f *Files) Repaired(err error) {
	f.unrepaired = err != nil
	if err == nil {
		f.found = ""
	}
}
