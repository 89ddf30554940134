package agent

import (
	"reflect"
	"slices"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/edition"
	"confd/internal/hold"
	"confd/internal/metrics"
	"confd/internal/plan"
	"confd/internal/quarantine"
	"confd/internal/report"
	"confd/internal/rollout"
)

// conductor takes candidates through the stages of a rollout. Each of its methods
// is told what has happened, and says what comes next. It plans and has judged; the
// installer goes on from there, and outcomes end it.
type conductor struct {
	*installer
	planner  plan.Planner // without templates: those in use are the edition's
	jobs     jobs
	culprits quarantine.Memory
}

// begin looks at the state: something is due.
func (c *conductor) begin(now time.Time) {
	c.schedule.Begin()
	c.edition.Retry()
	c.rollout.Begin(c.inbox.Batch())
	c.plan(now, c.inbox.State(), nil)
}

// using is the planner with the templates in use.
func (c *conductor) using() plan.Planner {
	p := c.planner
	p.Templates = c.edition.InUse()
	return p
}

// plan computes and renders a state; without some objects, which are held, where
// there are any.
func (c *conductor) plan(now time.Time, state *backends.State, held []backends.Key) {
	cfg, err := c.planner.Compute(state)
	if err != nil {
		c.stop(now, err)
		return
	}
	if held == nil {
		c.runs.Asked(cfg)
		c.journal.computed(cfg)
	}
	switch same := held == nil && c.isRunning(cfg); {
	case c.edition.State() == edition.Missing:
		c.stop(now, errNoTemplates)
	case same && len(c.known.MustTell()) == 0:
		c.succeeded(now)
	case same:
		c.again(now)
	default:
		c.render(now, cfg, state, held)
	}
}

// isRunning says whether what runs already would come out again.
func (c *conductor) isRunning(cfg *bgp.Config) bool {
	r := c.runs.Running()
	return r != nil && !c.runs.InDoubt() && c.edition.MadeBy(r.Templates) && r.Birds.Version == c.birds.daemon.Version &&
		!r.Templates.DependOnState() && reflect.DeepEqual(r.Full, cfg)
}

// again rolls out what runs already, as a BIRD must be told.
func (c *conductor) again(now time.Time) {
	same := *c.runs.Running()
	same.Changed, same.Revision = c.rollout.Batch().Keys, c.inbox.Revision()
	same.Sets = slices.Clone(same.Sets)
	same.Times = plan.Times{Event: c.rollout.Batch().Since, Began: now, Computed: now, Rendered: now}
	for i := range same.Sets {
		same.Sets[i].Guard = nil
	}
	c.planned(now, planned{candidate: &same})
}

func (c *conductor) render(now time.Time, cfg *bgp.Config, state *backends.State, held []backends.Key) {
	batch := c.rollout.Batch()
	base := plan.Candidate{
		Full: cfg, Revision: c.inbox.Revision(), Changed: batch.Keys,
		Times: plan.Times{Event: batch.Since, Began: now, Computed: time.Now()},
	}
	if held != nil { // what waits since long ago is what is held
		base.Full, base.Times.Event, base.Changed = nil, time.Time{}, withoutKeys(batch.Keys, held)
	} else {
		state = state.Clone()
	}
	c.jobs.plan(c.using(), cfg, state, c.birds.daemon, base)
}

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

// survey asks which sessions there are, where the candidate is judged by them.
func (c *conductor) survey(now time.Time, candidate *plan.Candidate) {
	c.rollout.Planned(candidate)
	held := c.failedBefore(candidate)
	switch same := c.runs.IsRunning(candidate.Hash); {
	case same && candidate.IsRest():
		c.restDone(now)
	case held != nil && !same:
		c.keep(now, *held)
	case c.mustSurvey(candidate):
		c.jobs.survey(candidate.Sets)
	default:
		c.pass()
	}
}

// surveyed has the sessions, by which the candidate is judged.
func (c *conductor) surveyed(now time.Time, seen surveyed) {
	c.saw(now, seen)
	if c.rollout.Stage() != rollout.Surveying {
		return
	}
	candidate := c.rollout.Candidate()
	v := c.verdict(now, candidate, seen)
	if v.Held && c.settings.Safety.Hold {
		c.keep(now, report.Held{Hash: v.ID, Why: v.Why, Lost: v.Lost, Objects: v.Objects})
		return
	}
	c.watched(candidate, v)
	if !candidate.IsRest() && c.hold.State() == hold.Held { // what was held is not asked for any more
		c.holdOver()
	}
	c.pass()
}

// keep holds the candidate back. What has nothing to do with it goes on.
func (c *conductor) keep(now time.Time, held report.Held) {
	c.waiting = ""
	if c.hold.Keep(now, held) {
		c.metrics.Held()
		c.journal.held(*c.hold.Current())
	}
	c.news = true
	candidate := c.rollout.Candidate()
	out := c.heldBack(candidate)
	if len(out) == 0 {
		c.restDone(now)
		return
	}
	c.rollout.Anew()
	c.plan(now, without(candidate.State, c.runs.Running().State, out), out)
}

// heldBack are the objects that stay as they were where a candidate is held: those
// that failed their trial, or all that changed and can have to do with sessions.
// None where nothing can go on without them.
func (c *conductor) heldBack(candidate *plan.Candidate) []backends.Key {
	running := c.runs.Running()
	switch {
	case running == nil || candidate.IsRest() || running.Templates.Engine != candidate.Templates.Engine:
		return nil
	case c.failed != nil:
		return c.failed.objects
	}
	return ofSessions(candidate.Changed)
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
