package agent

import (
	"errors"
	"slices"
	"time"

	"confd/internal/report"
	"confd/reload"
)

// bootAfter is how long the datastore may take to tell its whole state before
// BIRD runs on what it confirmed last; bootPause the time between two tries.
const (
	bootAfter = 500 * time.Millisecond
	bootPause = 5 * time.Second
)

// startup has BIRD run on the files that it confirmed last, where nothing tells in
// time what it should run, or what is told cannot be used.
//
//	state    event                  next     besides
//	waiting  look, and it is time   trying   each set that lies there is taken into use
//	waiting  look, nothing is there over
//	trying   answered, one failed   waiting  what has failed is tried again a while later
//	trying   answered, all work     over     BIRD runs on files from before
//	any      live                   over     BIRD runs what it should
type startup struct {
	*desk
	began  time.Time
	at     time.Time // not before
	left   Left
	trials []reload.Record // with a trial that is to be gone on with
	open   int             // sets that have not answered
	works  []string        // sets that BIRD runs on
	failed bool
	over   bool
	// stale is set while BIRD runs on files from before.
	stale *report.Stale
}

// leaves notes what lies in BIRD's folder at the start.
func (s *startup) leaves(l Left) {
	s.left = l
	if l.Err != nil {
		s.log.Warn("what a program left that ran here before is not known", "error", l.Err)
	}
	if l.Report != nil {
		s.inherit(l.Report.Held)
		s.inherit(l.Report.Tried)
	}
	for _, r := range l.Records {
		if r.Trial != nil {
			s.trials = append(s.trials, r)
		} else {
			s.lies(r)
		}
	}
}

// lies notes what a set's record says that lies on disk, where BIRD has confirmed it.
func (s *startup) lies(r reload.Record) {
	if set, g, err := r.OnDisk(); err == nil && !g.Confirmed.IsZero() && s.settings.Safety.Guard > 0 {
		s.runs.Found(s.read(set, r))
	}
}

// inherit takes over what a program held that ran here before; nil: nothing.
func (s *startup) inherit(held *report.Held) {
	switch {
	case held == nil:
	case held.Trial || len(held.Failed) > 0: // which is all that older reports say
		s.tried.Inherit(held)
	default:
		s.hold.Inherit(held)
	}
}

// resume goes on with trials that a program began which ran here before, and says
// whether there is still one that nobody knows of how it stands.
func (s *startup) resume() bool {
	for _, r := range s.trials {
		daemon := s.birds.daemon.Reader(r.Set, r.Main)
		s.lanes.give(Order{Action: Resume, For: ForStart, Set: reload.Set{Name: r.Set}, Record: r, Daemon: daemon})
	}
	return len(s.trials) > 0
}

// resumed has how a trial from before stands.
func (s *startup) resumed(now time.Time, done Done) {
	lapsed := (*reload.LapsedError)(nil)
	switch {
	case done.Err == nil:
		if set, _, err := done.Record.OnDisk(); err == nil {
			done.Set = s.read(set, done.Record)
			s.note(now, done)
			s.runs.Resumed(done.Set)
			s.log.Info("going on with a trial from before the start", "set", done.Set.Name, "until", done.Result.TrialEnds.Format(time.RFC3339))
		}
	case errors.As(done.Err, &lapsed):
		s.log.Warn("a trial from before the start is over", "set", done.Record.Set, "error", done.Err)
		for _, r := range s.world.Left(s.birds.daemon.Dir).Records {
			if r.Set == done.Record.Set {
				s.lies(r) // what was there before the trial
			}
		}
	case !errors.Is(done.Err, reload.ErrNoTrial):
		return // BIRD does not answer yet: tried again
	}
	s.trials = slices.DeleteFunc(s.trials, func(r reload.Record) bool { return r.Set == done.Record.Set })
}

// read is a set with the BIRD that reads it.
func (s *startup) read(set reload.Set, r reload.Record) reload.Set {
	daemon := s.birds.daemon.Reader(r.Set, r.Main)
	set.Daemon = &daemon
	return set
}

// before is the report of the program that ran here before; nil: there is none.
func (s *startup) before() *report.Report { return s.left.Report }

// look has BIRD run on files from before where it is time, and says whether it is.
// stuck says that what the datastore tells cannot be put in place.
func (s *startup) look(now time.Time, stuck bool) bool {
	switch {
	case s.over, s.open > 0, s.runs.Running() != nil, s.runs.OnTrial(), s.settings.Templates.SyncOnly, !s.birds.everKnown():
		return false
	case s.inbox.Complete() && !stuck, now.Sub(s.began) < bootAfter, now.Before(s.at):
		return false
	}
	s.at, s.failed = now.Add(bootPause), false
	l := s.world.Left(s.birds.daemon.Dir)
	if l.Err != nil {
		s.log.Warn("what BIRD confirmed last is not known", "error", l.Err)
	}
	if len(l.Records) == 0 {
		s.over = true
		s.log.Info(s.why()+": no set that BIRD has confirmed lies here from before, so BIRD is left as it is", s.lacks("folder", s.birds.daemon.Dir)...)
	}
	for _, r := range l.Records {
		if slices.Contains(s.works, r.Set) {
			continue
		}
		daemon := s.birds.daemon.Reader(r.Set, r.Main)
		if s.lanes.give(Order{Action: Boot, For: ForStart, Set: reload.Set{Name: r.Set}, Record: r, Daemon: daemon}) {
			s.open++
		}
	}
	return true
}

// why is why BIRD does not run what it should.
func (s *startup) why() string {
	if s.inbox.Complete() {
		return "what should run is not in place"
	}
	return "the datastore is away"
}

// lacks are a log line's attributes, and what the datastore has not told, where it has
// not told everything.
func (s *startup) lacks(attributes ...any) []any {
	if err := s.inbox.Missing(); err != nil {
		return append(attributes, "missing", err.Error())
	}
	return attributes
}

// answered has what came of a set from before.
func (s *startup) answered(now time.Time, done Done) {
	s.news = true
	if done.Action == Resume {
		s.resumed(now, done)
		return
	}
	if done.Err != nil {
		s.failed = true
		if s.known.Of(done.Record.Set).Files.Drifted(sameKind(done.Err.Error())) {
			s.log.Error("the files from before are not used: waiting for the datastore", "set", done.Record.Set, "error", done.Err)
		}
	} else {
		s.booted(now, done)
	}
	if s.open--; s.open == 0 {
		s.over = !s.failed
	}
}

// booted notes that BIRD runs on files from before: from now on they are looked
// after, as those are that this program has written itself.
func (s *startup) booted(now time.Time, done Done) {
	r, res := done.Record, done.Result
	g, _ := r.Find(res.Hash)
	at := g.Confirmed
	if at.IsZero() {
		at = g.Checked
	}
	why := s.why()
	s.works = append(s.works, r.Set)
	s.log.Warn(why+": BIRD runs on the files from before",
		s.lacks("set", r.Set, "state", res.State.String(), "age", now.Sub(at).Round(time.Second), "revision", g.Mark, "bird", res.Version)...)
	s.children.InPlace(done.Daemon.Socket)
	if res.State == reload.Confirmed {
		s.known.Of(r.Set).BIRD.HasRead()
	}
	if s.runs.Running() != nil {
		return // meanwhile what should run does
	}
	s.stale = &report.Stale{Why: why, Confirmed: at, Revision: g.Mark}
	if set, lies, err := r.OnDisk(); err == nil && lies.Hash == res.Hash {
		done.Set = s.read(set, r)
		s.runs.Found(done.Set)
		s.note(now, done)
	}
}

// live notes that what should run is in place, though BIRD may be down.
func (s *startup) live(hash string) {
	if s.stale != nil {
		s.log.Info("what should run is in place, and no longer the files from before", "hash", hash)
	}
	s.over, s.stale = true, nil
}
