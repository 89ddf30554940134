package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/guard"
	"confd/internal/guard/recall"
	"confd/internal/hold"
	"confd/internal/known"
	"confd/internal/plan"
	"confd/internal/report"
	"confd/reload"
)

// judge puts together what the guard judges by.
//
// What is held stays held: the sessions that it takes away count as established,
// though BIRD, or this program, may have been restarted since. That is no approval.
type judge struct {
	*desk
	start    *startup
	memory   *memory
	options  bgp.Options
	sessions sightings
	surveyAt time.Time // not before
	// machine are the addresses of this machine that were judged by last; nil: they were
	// not known.
	machine []netip.Addr
	// failed is what did not pass its trial; nil: nothing has failed.
	failed *failed
	// recovery is from that.
	recovery recovery
}

// saw notes what a survey has seen, and says whether a session has come up: then the
// next start must know that.
func (j *judge) saw(now time.Time, s surveyed) (cameUp bool) {
	for set, sessions := range s.sessions {
		cameUp = j.sessions.saw(now, set, sessions) || cameUp
		j.recovery.saw(set, sessions)
	}
	j.sessions.forget(now.Add(-guard.DefaultWindow))
	if cameUp {
		j.memory.writeSoon()
	}
	return cameUp
}

// surveyEvery is how often it is looked which sessions are established, while
// nothing is rolled out: what was up minutes ago counts.
const surveyEvery = 15 * time.Second

// recoverEvery is the same while sessions are waited for that a failed trial has cost.
const recoverEvery = time.Second

// isTimeToSurvey says whether to look now, and that this is done.
func (j *judge) isTimeToSurvey(now time.Time, watching bool) bool {
	s, recovering := j.settings.Safety, j.recovery.open(now)
	if !s.Hold && s.Outcome == 0 && !recovering || now.Before(j.surveyAt) || j.runs.InUse() == nil {
		return false
	}
	switch {
	case recovering:
		j.surveyAt = now.Add(recoverEvery)
	case watching:
		j.surveyAt = now.Add(watchEvery)
	default:
		j.surveyAt = now.Add(surveyEvery)
	}
	return true
}

// mustSurvey says whether a candidate is judged by the sessions that there are:
// what runs already is not.
func (j *judge) mustSurvey(c *plan.Candidate) bool {
	s := j.settings.Safety
	return (s.Hold || s.Guard > 0) && !j.runs.IsRunning(c.Hash)
}

// question is what a candidate is judged by; c is nil where only what runs is asked
// for.
func (j *judge) question(now time.Time, c *plan.Candidate, s surveyed) guard.Question {
	q := guard.Question{
		Options: j.options, Now: now, Salt: j.memory.salt, BIRD: j.birds.daemon.Version.Major, History: j.memory.history,
		Seen: append(j.unseen(j.before()), j.sessions.all()...), Booted: j.known.Of("bird").BIRD.Rebooted(), Routes: s.routes, Local: j.local(s),
		Deaf: s.deaf, Doubt: j.inbox.Trust.Doubt(), Held: j.held(), Approved: approved(j.hold), Announced: j.memory.announced, Running: j.running(),
	}
	if c != nil {
		q.Candidate, q.OtherTemplates, q.Untried = side(c), j.otherTemplates(c), j.settings.Safety.Guard == 0
	}
	if r, ok := j.recalled(); ok {
		q.History, q.Seen = r.History, append(q.Seen, j.unseen(r.Seen)...)
	}
	return q
}

// recalled is what the program before knew, where nothing runs that this one has
// put in place; false: nothing.
func (j *judge) recalled() (recall.Recalled, bool) {
	if j.runs.Running() != nil {
		return recall.Recalled{}, false
	}
	return j.memory.recall(j.inbox.State())
}

// unseen are those sessions that were not seen since.
func (j *judge) unseen(before []guard.Seen) []guard.Seen {
	return slices.DeleteFunc(before, func(s guard.Seen) bool {
		_, seen := j.sessions.of(s.Set)[s.Name]
		return seen
	})
}

// local are the addresses of this machine's interfaces, where they are those that BIRD
// sees, too: it says so, or what runs shows it, as it has sessions from one of them.
func (j *judge) local(s surveyed) []netip.Addr {
	running := j.runs.Running().ConfigOrNil()
	switch {
	case s.same:
		return s.local
	case running == nil:
		return nil
	}
	for _, f := range running.Families() {
		if f.Address.IsValid() && slices.Contains(s.local, f.Address) {
			return s.local
		}
	}
	return nil
}

// failedBefore says what holds c since it comes from the same objects as what has
// failed its trial, and nobody has approved that; nil: nothing.
func (j *judge) failedBefore(c *plan.Candidate) *report.Held {
	if c.IsRest() {
		return nil
	}
	j.inherit(c)
	if j.failed == nil {
		return nil
	}
	if object, changed := j.failed.changed(c); changed {
		j.log.Info("what failed its trial has changed: it is tried again", "object", object)
		j.failed = nil
		j.tried.Over()
		return nil
	}
	if held := j.failed.held; !j.tried.Allows(held.Hash) {
		return &held
	}
	return nil
}

// inherit takes over what the program has found to fail that ran here before, where
// c is the same.
func (j *judge) inherit(c *plan.Candidate) {
	before := j.tried.Before()
	if before == nil || j.failed != nil || j.runs.Running() != nil || j.settings.Safety.Guard == 0 {
		return
	}
	if before.Hash == c.Hash || sameObjects(before.Failed, c.State) {
		j.failed = inherited(*before)
	}
}

// stateBefore is the state that was made what runs; nil: it is not known.
func (j *judge) stateBefore() *backends.State {
	if running := j.running(); running != nil {
		return running.State
	}
	return nil
}

// changedWith are the objects that changed with a candidate since what ran before;
// false where that is not known.
func (j *judge) changedWith(c *plan.Candidate) ([]backends.Key, bool) {
	if running := j.runs.Running(); running != nil {
		return blamed(c, running), true
	}
	r, ok := j.recalled()
	if !ok {
		return nil, false
	}
	keys := r.Since(j.settings.Node, c.State)
	return preferred(keys), len(keys) > 0
}

// settled says that nothing is held by a trial any more.
func (j *judge) settled() { j.failed = nil }

// running is what BIRD runs, as the guard knows it; nil: that is not known.
func (j *judge) running() *guard.Side {
	if c := j.runs.Running(); c != nil {
		s := side(c)
		s.Outline = j.memory.outline
		return &s
	}
	found := j.runs.Before()
	r, recalled := j.recalled()
	switch {
	case recalled:
		if plan.Hash(found) == r.Running.Hash {
			r.Running.Sets = plan.Texts(found)
		}
		return &r.Running
	case len(found) > 0:
		return &guard.Side{Hash: plan.Hash(found), Sets: plan.Texts(found)}
	}
	return nil
}

// otherTemplates says whether only texts tell what c changes: it is made by other
// templates than what runs, or by a user's, which may make of the model what they
// like.
func (j *judge) otherTemplates(c *plan.Candidate) bool {
	running := j.runs.Running()
	return running != nil && (running.Templates.Engine != c.Templates.Engine || !c.Templates.BuiltIn)
}

// before are the sessions that the program had which ran here before, where nothing
// runs that this one has put in place.
func (j *judge) before() []guard.Seen {
	report := j.start.before()
	if report == nil || j.runs.Running() != nil || j.memory.left != nil {
		return nil
	}
	var list []guard.Seen
	for _, s := range report.Sessions {
		set := "bird"
		if s.Family == 6 && j.birds.daemon.Version.Major == 1 {
			set = "bird6"
		}
		list = append(list, guard.Seen{Name: s.Name, Set: set})
	}
	return list
}

// lost notes that a BIRD went away: a change that comes while it is restarted must
// not pass for harmless, so that all the sessions that it should have count.
func (j *judge) lost(now time.Time, set string) {
	if names, known := j.should(set); known {
		j.sessions.lost(now, set, names)
	}
}

// should are the sessions that the BIRD of a set should have; false: that is not known.
func (j *judge) should(set string) ([]string, bool) {
	running := j.runs.Running().ConfigOrNil()
	if running == nil {
		return nil, false
	}
	var names []string
	for _, f := range running.Families() {
		if j.birds.daemon.Version.Major == 1 && f.Version != known.FamilyOf(set, running).Version {
			continue
		}
		for i := range f.Sessions {
			names = append(names, f.Sessions[i].Name)
		}
	}
	return names, true
}

// presume has all sessions count that a BIRD should have which cannot be asked, and of
// which it is not known when it had them. Its error says of which BIRD nobody knows
// even that.
func (j *judge) presume(now time.Time, c *plan.Candidate, s surveyed) error {
	_, recalled := j.recalled()
	for _, set := range c.Sets {
		if _, known := s.sessions[set.Name]; known || !hasDaemon(set) || recalled {
			continue
		}
		names, known := j.should(set.Name)
		if !known {
			return fmt.Errorf("which sessions there are is not known, so that what would become of them cannot be judged: %w", s.unknown)
		}
		j.sessions.presume(now, set.Name, names)
	}
	return nil
}

// held is what is held back by the guard, here or by the program before.
func (j *judge) held() *guard.Held {
	held := j.hold.Current()
	if held == nil && j.runs.Running() == nil {
		held = j.hold.Before()
	}
	if held == nil {
		return nil
	}
	return &guard.Held{Lost: held.Lost}
}

// approved are the holds that may go on.
func approved(h *hold.Hold) []string {
	if id := h.ApprovedHash(); id != "" {
		return []string{id}
	}
	return nil
}

func side(c *plan.Candidate) guard.Side {
	return guard.Side{Config: c.Config, State: c.State, Hash: c.Hash, Sets: plan.Texts(c.Sets)}
}

// watched gives the sets of a candidate what their trials go by.
func (j *judge) watched(c *plan.Candidate, v guard.Verdict) {
	within := j.settings.Safety.Guard
	if within == 0 || v.Same || j.tried.State() == hold.Approved {
		return
	}
	for i, s := range c.Sets {
		if w, known := v.Watch[s.Name]; known && s.Daemon != nil {
			c.Sets[i].Guard = &reload.Guard{Within: within, Stay: w.Stay, Return: w.Return}
		}
	}
}
