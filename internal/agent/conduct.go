package agent

import (
	"reflect"
	"slices"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/edition"
	"confd/internal/guard"
	"confd/internal/hold"
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
	computed bgp.Memory
	jobs     jobs
	culprits quarantine.Memory
}

// begin looks at the state: something is due.
func (c *conductor) begin(now time.Time) {
	c.schedule.Begin()
	c.edition.Retry()
	if r, ok := c.recalled(); ok {
		c.inbox.Recall(r.Running.State)
	}
	c.rollout.Begin(c.inbox.Batch())
	c.plan(now, c.inbox.State(), false, nil)
}

// using is the planner with the templates in use.
func (c *conductor) using() plan.Planner {
	p := c.planner
	p.Templates = c.edition.InUse()
	return p
}

// plan computes and renders a state; or the rest of one, in which some objects are
// as they were, which are held.
func (c *conductor) plan(now time.Time, state *backends.State, rest bool, held []backends.Key) {
	cfg, err := c.computed.Compute(state, c.planner.Settings.BGP)
	if err != nil {
		c.stop(now, err)
		return
	}
	if !rest {
		c.runs.Asked(cfg)
		c.journal.computed(cfg)
	}
	switch same := !rest && c.isRunning(cfg); {
	case c.edition.State() == edition.Missing:
		c.stop(now, errNoTemplates)
	case same && len(c.known.MustTell()) == 0:
		c.runs.Same(state.Snapshot())
		c.memory.settled(c.runs.Running().State, now)
		c.succeeded(now)
	case same:
		c.again(now)
	default:
		c.render(now, cfg, state, rest, held)
	}
}

// isRunning says whether what runs already would come out again.
func (c *conductor) isRunning(cfg *bgp.Config) bool {
	r := c.runs.Running()
	return r != nil && !c.runs.InDoubt() && c.edition.MadeBy(r.Templates) && r.Birds.Version == c.birds.daemon.Version &&
		!r.Templates.DependOnState() && (r.Full == cfg || reflect.DeepEqual(r.Full, cfg))
}

// again rolls out what runs already, as a BIRD must be told.
func (c *conductor) again(now time.Time) {
	same := *c.runs.Running()
	same.Changed, same.Revision, same.State = c.rollout.Batch().Keys, c.inbox.Revision(), c.inbox.State().Snapshot()
	same.Sets = slices.Clone(same.Sets)
	same.Times = plan.Times{Event: c.rollout.Batch().Since, Began: now, Computed: now, Rendered: now}
	for i := range same.Sets {
		same.Sets[i].Guard = nil
	}
	c.survey(now, &same)
}

func (c *conductor) render(now time.Time, cfg *bgp.Config, state *backends.State, rest bool, held []backends.Key) {
	batch := c.rollout.Batch()
	base := plan.Candidate{
		Full: cfg, Revision: c.inbox.Revision(), Changed: batch.Keys,
		Times: plan.Times{Event: batch.Since, Began: now, Computed: time.Now()},
	}
	if rest { // what waits since long ago is what is held
		base.Full, base.Times.Event, base.Changed = nil, time.Time{}, withoutKeys(batch.Keys, held)
	} else {
		state = state.Snapshot()
	}
	c.jobs.plan(c.using(), cfg, state, c.birds.daemon, base, c.runs.Running())
}

// survey asks which sessions there are, where the candidate is judged by them.
func (c *conductor) survey(now time.Time, candidate *plan.Candidate) {
	c.rollout.Planned(candidate)
	held := c.failedBefore(candidate)
	switch same := c.runs.IsRunning(candidate.Hash); {
	case same && candidate.IsRest():
		if c.rollout.Part() == rollout.WithoutFailed {
			c.holdOver(c.hold)
		}
		for _, s := range candidate.Sets {
			c.of(s).Files.Stays(s.Hash())
		}
		c.restDone(now)
	case held != nil && !same:
		c.keep(now, c.tried, *held, rollout.WithoutFailed, c.restOfFailed(candidate))
	case c.mustSurvey(candidate):
		c.jobs.survey(candidate.Sets, false, nil)
	default:
		c.pass(now)
	}
}

// surveyed has the sessions, by which the candidate is judged.
func (c *conductor) surveyed(now time.Time, seen surveyed) {
	cameUp := c.saw(now, seen)
	c.after.seen(now, seen)
	if c.rollout.Stage() != rollout.Surveying {
		// With a session more, or where the machine has moved, what is held may be
		// harmless by now.
		moved := !slices.Equal(c.machine, c.local(seen))
		if (cameUp || moved) && c.hold.State() == hold.Held && c.inbox.Complete() {
			c.schedule.Soon(now)
		}
		return
	}
	if seen.whole && seen.unknown != nil {
		c.log.Warn("a change is judged without BIRD's routes: they are not known", "error", seen.unknown)
	}
	if seen.unheard != nil {
		c.log.Warn("a change of import filters is judged without knowing which neighbors can send their routes again", "error", seen.unheard)
	}
	candidate := c.rollout.Candidate()
	if err := c.presume(now, candidate, seen); err != nil && c.settings.Safety.Hold {
		c.stop(now, err)
		return
	}
	q := c.question(now, candidate, seen)
	c.machine = q.Local
	v := guard.Judge(q)
	c.memory.judged(candidate, v)
	switch {
	case v.NeedRoutes && !seen.whole || len(v.Ask) > 0 && !seen.asked:
		c.jobs.survey(candidate.Sets, v.NeedRoutes || seen.whole, v.Ask)
		return
	case v.Held && c.settings.Safety.Hold && c.rollout.Part() == rollout.WithoutHeld:
		c.restDone(now) // it is held already
		return
	case v.Held && c.settings.Safety.Hold:
		c.journal.notes(v.Notes)
		c.keep(now, c.hold, report.Held{Hash: v.ID, Why: v.Why, Lost: v.Lost, Objects: v.Objects, Notes: v.Notes}, rollout.WithoutHeld, c.restOf(q))
		return
	}
	candidate.Ended = v.Ended
	c.journal.passes(v)
	c.watched(candidate, v)
	if c.rollout.Part() != rollout.WithoutHeld && c.hold.State() == hold.Held { // what was held is not asked for any more
		c.holdOver(c.hold)
	}
	c.pass(now)
}

// keep has one of the holds keep the candidate back. What has nothing to do with it,
// a part of it, goes on.
func (c *conductor) keep(now time.Time, in *hold.Hold, held report.Held, part rollout.Part, rest *backends.State) {
	c.waiting = ""
	if in.Keep(now, held) {
		c.metrics.Held()
		c.journal.held(*in.Current())
	}
	c.news = true
	candidate, running := c.rollout.Candidate(), c.runs.Running()
	if rest == nil || running != nil && running.Templates.Engine != candidate.Templates.Engine {
		c.restDone(now)
		return
	}
	c.rollout.Anew(part)
	c.plan(now, rest, true, c.heldObjects(rest))
}

// heldObjects are those of what led to a rollout that are others in a part of it.
func (c *conductor) heldObjects(rest *backends.State) []backends.Key {
	return slices.DeleteFunc(slices.Clone(c.rollout.Batch().Keys), func(k backends.Key) bool {
		is, _ := c.inbox.State().Get(k)
		left, _ := rest.Get(k)
		return is == left
	})
}

// restOfFailed is a candidate's state without the objects that failed their trial;
// nil where nothing can go on without them.
func (c *conductor) restOfFailed(candidate *plan.Candidate) *backends.State {
	before := c.stateBefore()
	if before == nil || c.failed == nil || len(c.failed.objects) == 0 || c.runs.Running() == nil && anySecret(c.failed.objects) {
		return nil
	}
	return without(candidate.State, before, c.failed.objects)
}

// restOf is the candidate's state without what is held, where it is known for sure
// what there was before; else nil.
func (c *conductor) restOf(q guard.Question) *backends.State {
	if c.runs.Running() == nil && !c.memory.exact {
		return nil
	}
	return guard.Rest(q)
}
