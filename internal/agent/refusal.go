package agent

import (
	"time"

	"confd/internal/edition"
	"confd/internal/metrics"
	"confd/internal/rollout"
)

// What happens when BIRD's check refuses a candidate:
//
//  1. Nothing was installed of the sets that are refused; of several sets nothing at
//     all, as each is checked by itself first.
//  2. Where it was made by changed templates which have not worked yet, those from
//     before make it anew.
//  3. Else the objects that BIRD refuses are looked for. Without them it goes
//     through its judgement and its check again; they are quarantined.
//  4. Where that does not help, it has failed: the last good configuration stays, and
//     it is tried again after a pause, and when something changes.
//
// A BIRD that refuses what has passed its check keeps what it has, and the files from
// before are put back (package reload); that is the fourth case.

// planned has the candidate, or why there is none.
func (c *conductor) planned(now time.Time, p planned) {
	switch {
	case p.err == nil:
		c.metrics.Rendered(metrics.RenderOK)
		c.journal.rendered(p.candidate)
		c.survey(now, p.candidate)
	case c.oldTemplates(now, p.err):
		c.metrics.Rendered(metrics.RenderFailed)
	default:
		c.metrics.Rendered(metrics.RenderFailed)
		c.stop(now, p.err)
	}
}

// answer has a set's answer.
func (c *conductor) answer(now time.Time, done Done) {
	if refused := c.answered(now, done); refused != nil {
		c.refused(now, refused)
	}
}

// hurry ends the wait for sets that take longer than the others.
func (c *conductor) hurry(now time.Time) {
	if refused := c.late(now); refused != nil {
		c.refused(now, refused)
	}
}

// refused has what a check refuses.
func (c *conductor) refused(now time.Time, err error) {
	if c.oldTemplates(now, err) {
		return
	}
	if c.rollout.Candidate().Searched {
		c.stop(now, err)
		return
	}
	c.rollout.Search()
	c.jobs.search(c.using(), c.rollout.Candidate(), err, c.culprits.Unchanged(c.inbox.State()))
}

// searched has the candidate without the objects at fault, or why there is none.
func (c *conductor) searched(now time.Time, s searched) {
	if c.rollout.Stage() != rollout.Searching {
		return
	}
	if s.err != nil {
		c.stop(now, s.err)
		return
	}
	c.culprits.Keep(s.candidate.State, s.candidate.Quarantined)
	c.survey(now, s.candidate)
}

// oldTemplates goes back to the templates that worked, where those in use have not
// yet, and has them make the candidate anew. It says whether there are such.
func (c *conductor) oldTemplates(now time.Time, why error) bool {
	if c.edition.State() != edition.Trying || !c.edition.Refused(why.Error()) {
		return false
	}
	c.journal.templatesKept(c.edition)
	c.rollout.Anew(rollout.Whole)
	c.plan(now, c.inbox.State(), false, nil)
	return true
}
