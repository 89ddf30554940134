package agent

import (
	"time"

	"confd/internal/birds"
)

// finderPause is the time between two looks for a BIRD where none could be asked.
const finderPause = time.Second

// finder knows which BIRD there is, and where.
//
//	state    event                    next     besides
//	unknown  Seek                     seeking
//	known    Stale                    stale    a BIRD came up: it may be another version
//	stale    Seek                     seeking
//	seeking  Found                    known
//	seeking  NotFound (never known)   unknown  it is looked for again a second later
//	seeking  NotFound (known before)  stale    the same
//	seeking  Stale                    seeking  once more after this
type finder struct {
	state  finderState
	daemon birds.Daemons
	err    error
	again  bool
	at     time.Time // not before
}

// finderState is where the search stands.
type finderState int

const (
	birdUnknown finderState = iota
	birdSeeking
	birdKnown
	birdStale
)

// known says whether it is known which BIRD there is, for what is done next.
func (f *finder) known() bool { return f.state == birdKnown }

// everKnown says whether it was ever known.
func (f *finder) everKnown() bool { return f.daemon.Dir != "" }

// seek says whether to look now, and that this is done.
func (f *finder) seek(now time.Time) bool {
	if f.state == birdKnown || f.state == birdSeeking || now.Before(f.at) {
		return false
	}
	f.state = birdSeeking
	return true
}

// stale notes that the BIRD may be another one by now.
func (f *finder) stale() {
	switch f.state {
	case birdKnown, birdStale:
		f.state, f.at = birdStale, time.Time{}
	case birdSeeking:
		f.again = true
	}
}

// found notes which BIRD there is, and says whether it is the first one, and
// whether it is another one than before.
func (f *finder) found(d birds.Daemons) (first, other bool) {
	first, other = !f.everKnown(), f.daemon.Version != d.Version
	f.state, f.daemon, f.err = birdKnown, d, nil
	if f.again {
		f.state, f.again = birdStale, false
	}
	return first, other
}

// notFound notes why nobody knows which BIRD there is.
func (f *finder) notFound(now time.Time, err error) {
	f.state, f.err, f.again, f.at = birdUnknown, err, false, now.Add(finderPause)
	if f.everKnown() {
		f.state = birdStale
	}
}
