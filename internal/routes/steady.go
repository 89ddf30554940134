package routes

import (
	"slices"
	"time"
)

// Steady tells faults that last from what comes and goes while BGP works.
//
//	state      event                 next
//	none       seen                  suspected
//	suspected  seen                  suspected
//	suspected  seen (its time over)  said
//	suspected  absent                none
//	said       seen                  said
//	said       absent                leaving
//	leaving    seen                  said
//	leaving    absent                leaving
//	leaving    absent (calm over)    none
type Steady struct {
	known map[id]*known
}

// known is what is known of one fault.
type known struct {
	fault  Fault
	said   bool
	since  time.Time // first seen
	absent time.Time // since when; zero: it is seen
}

// calm is how long a fault must be gone before it is over.
const calm = 10 * time.Second

// most is how many faults of a BIRD are followed. The first of the sorted list are: so
// it is the same ones from look to look.
const most = 1000

// Seen notes what a look has shown, and returns what is news: faults that last, and
// those of before that are over.
func (s *Steady) Seen(now time.Time, faults []Fault) (news, over []Fault) {
	if s.known == nil {
		s.known = map[id]*known{}
	}
	seen := map[id]bool{}
	for _, f := range faults[:min(len(faults), most)] {
		seen[f.id()] = true
		if s.see(now, f) {
			news = append(news, f)
		}
	}
	for key, k := range s.known {
		if !seen[key] && s.miss(now, k) {
			if k.said {
				over = append(over, k.fault)
			}
			delete(s.known, key)
		}
	}
	slices.SortFunc(over, Fault.compare)
	return news, over
}

// see notes that a fault is there, and says whether that is news.
func (s *Steady) see(now time.Time, f Fault) bool {
	k := s.known[f.id()]
	if k == nil {
		s.known[f.id()] = &known{fault: f, since: now}
		return false
	}
	k.fault, k.absent = f, time.Time{}
	if k.said || now.Sub(k.since) < f.Kind.patience() {
		return false
	}
	k.said = true
	return true
}

// miss notes that a fault is not there, and says whether it is forgotten.
func (s *Steady) miss(now time.Time, k *known) bool {
	if !k.said {
		return true
	}
	if k.absent.IsZero() {
		k.absent = now
		return false
	}
	return now.Sub(k.absent) >= calm
}

// Said are the faults that last, sorted.
func (s *Steady) Said() []Fault {
	var list []Fault
	for _, k := range s.known {
		if k.said {
			list = append(list, k.fault)
		}
	}
	slices.SortFunc(list, Fault.compare)
	return list
}

// Unsettled says that something is suspected, or may be over: another look will tell.
func (s *Steady) Unsettled() bool {
	for _, k := range s.known {
		if !k.said || !k.absent.IsZero() {
			return true
		}
	}
	return false
}

// Forget forgets all: nobody knows.
func (s *Steady) Forget() { s.known = nil }
