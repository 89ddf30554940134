package runs

import (
	"slices"
	"time"

	"confd/internal/inbox"
	"confd/internal/plan"
	"confd/reload"
)

// Trial is what runs until further notice.
type Trial struct {
	whole *plan.Candidate
	batch inbox.Batch  // what led to it
	sets  []reload.Set // on trial still
}

// Whole is the candidate on trial; nil: only some sets of one are, or sets from
// before, or nothing.
func (t Trial) Whole() *plan.Candidate { return t.whole }

// Sets are those on trial.
func (t Trial) Sets() []reload.Set { return slices.Clone(t.sets) }

// Has says whether a set is on trial.
func (t Trial) Has(set string) bool { return t.index(set) >= 0 }

func (t Trial) index(set string) int {
	return slices.IndexFunc(t.sets, func(s reload.Set) bool { return s.Name == set })
}

// end takes a set off trial, and says whether it was the last one.
func (t *Trial) end(set string) bool {
	if i := t.index(set); i >= 0 {
		t.sets = slices.Delete(slices.Clone(t.sets), i, i+1)
	}
	return len(t.sets) == 0
}

// WayBack is the way back to what was before, where a set of something that was
// undone has not failed itself.
//
//	state  event           next  besides
//	done   a trial failed  open
//	open   Begun           open  due again a while later
//	open   Done            done
type WayBack struct {
	open bool
	at   time.Time // not before
}

// IsDue says whether sets are to be put back now.
func (b *WayBack) IsDue(now time.Time) bool { return b.open && !now.Before(b.at) }

// Begun notes that the sets are being put back; they are tried again at a time where
// they are not back by then.
func (b *WayBack) Begun(again time.Time) { b.at = again }

// Done notes that all sets are what they were before.
func (b *WayBack) Done() { *b = WayBack{} }
