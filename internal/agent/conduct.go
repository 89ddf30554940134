package agent

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/edition"
	"confd/internal/hold"
	"confd/internal/inbox"
	"confd/internal/metrics"
	"confd/internal/plan"
	"confd/internal/quarantine"
	"confd/internal/report"
	"confd/internal/rollout"
	"confd/reload"
	"confd/reload/control"
)

// errNoTemplates is why nothing is rendered where the templates were broken when
// the program was started, and still are.
var errNoTemplates = errors.New("templates that work: those of the configuration folder are broken")

// patience is for how much longer a set may take to answer than the others.
const patience = 2 * time.Second

// conductor takes candidates through the stages of a rollout. Each of its methods
// is told what has happened, and says what comes next.
type conductor struct {
	*desk
	*judge
	rollout  rollout.Rollout
	planner  plan.Planner // without templates: those in use are the edition's
	jobs     jobs
	culprits quarantine.Memory
	journal  *journal
	care     *care
	// waiting is what is waited for besides the datastore; empty: nothing.
	waiting string
}

// begin looks at the state: something is due.
func (c *conductor) begin(now time.Time) {
	c.schedule.Begin()
	c.edition.Retry()
	c.rollout.Begin(c.inbox.Batch())
	c.plan(now, c.inbox.State(), nil)
}

// idle says whether no rollout is under way.
func (c *conductor) idle() bool { return c.rollout.Stage() == rollout.Idle }

// isStuck says that what the datastore tells cannot be put in place. A BIRD that
// hangs would hang with other files, too.
func (c *conductor) isStuck() bool {
	return c.failures.failing() && !c.known.AnyIs(control.Hung) || c.waiting != "" || c.hold.Current() != nil
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
	if candidate.IsRest() && c.runs.IsRunning(candidate.Hash) {
		c.end(now)
		return
	}
	c.rollout.Planned(candidate)
	if held := c.failedBefore(candidate); held != nil && !c.runs.IsRunning(candidate.Hash) {
		c.keep(now, *held)
		return
	}
	if !c.mustSurvey(candidate) {
		c.pass(now)
		return
	}
	c.jobs.survey(candidate.Sets)
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
	if !v.Approved && !candidate.IsRest() && c.hold.State() != hold.None && c.failed == nil {
		c.holdOver()
	}
	c.pass(now)
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
		c.end(now)
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

// pass goes on after the judgement: several sets are checked first, so that one
// that is refused keeps the others from getting what the objects at fault ask for.
func (c *conductor) pass(now time.Time) {
	check := c.rollout.Pass(func(s reload.Set) bool { return c.of(s).Files.IsInstalled(s.Hash()) })
	for _, s := range check {
		c.lanes.queue(Order{Action: Check, For: ForRollout, Set: s})
	}
	if len(check) == 0 {
		c.install(now)
	}
}

// install has each set installed, and BIRD read it.
func (c *conductor) install(now time.Time) {
	sets := c.rollout.Install()
	c.runs.Began(sets)
	for _, s := range sets {
		c.metrics.Sets(s.Name)
		c.of(s).Files.Wanted(s.Hash())
		c.lanes.queue(Order{Action: Apply, For: ForRollout, Set: s, Tell: s.Daemon != nil && c.of(s).BIRD.MustTell()})
	}
	c.news = true
}

// answered has a set's answer.
func (c *conductor) answered(now time.Time, done Done) {
	stage := rollout.Checking
	if done.Action == Apply {
		stage = rollout.Installing
		done = c.installed(now, done)
	} else if rollout.IsRefusal(done.Err) {
		c.note(now, done)
	}
	if c.rollout.Answered(now, stage, done.Set.Name, rollout.Answer{Result: done.Result, Err: done.Err}) && c.rollout.IsDone() {
		c.allAnswered(now)
	}
}

// installed notes what came of installing a set. That nobody could check what nobody
// would read is no failure.
func (c *conductor) installed(now time.Time, done Done) Done {
	s := done.Set
	if errors.Is(done.Err, reload.ErrCannotCheck) && c.rollout.Candidate() != nil && !c.missedFor(c.rollout.Candidate().Config, s.Name) {
		c.count(done)
		c.of(s).Files.NotNeeded()
		done.Result, done.Err = reload.Result{State: reload.Installed}, nil // without a hash: what is on disk is not s
		return done
	}
	c.note(now, done)
	if done.Err == nil && s.Daemon != nil {
		c.children.InPlace(s.Daemon.Socket)
		if done.Tell {
			c.of(s).BIRD.HasRead()
		}
	}
	if candidate := c.rollout.Candidate(); candidate != nil && (done.Err != nil || len(done.Result.Changed) > 0 || done.Tell) {
		c.schedule.Applied(candidate.Times.Began)
	}
	return done
}

// late ends the wait for sets that take longer than the others.
func (c *conductor) late(now time.Time) {
	if stage := c.rollout.Stage(); stage != rollout.Checking && stage != rollout.Installing {
		return
	}
	if late := c.rollout.Late(now, patience); len(late) > 0 {
		c.log.Warn("a set takes long: the others go on without it", "sets", few(late), "stage", c.rollout.Stage().String())
		c.allAnswered(now)
	}
}

// allAnswered has the answer of each set.
func (c *conductor) allAnswered(now time.Time) {
	switch refused := c.rollout.Refused(); {
	case refused != nil:
		c.refused(now, refused)
	case c.rollout.Stage() == rollout.Checking:
		// What else is wrong than a refusal shows when the set is installed.
		c.install(now)
	default:
		c.finish(now)
	}
}

// finish ends a rollout whose sets are all installed, or have failed.
func (c *conductor) finish(now time.Time) {
	candidate, err := c.rollout.Candidate(), c.rollout.Err()
	c.journal.applied(candidate, &c.rollout, c.runs.Running())
	onTrial := c.onTrial(candidate)
	switch {
	case err != nil && len(onTrial) > 0:
		// A set that is on trial already goes on; it is no trial of the whole.
		c.runs.Try(nil, inbox.Batch{}, onTrial)
	case err != nil && !c.daemonsDone(candidate):
	case len(onTrial) > 0:
		c.journal.left(candidate, c.runs.Running())
		c.runs.Try(candidate, c.rollout.Batch(), onTrial)
	default:
		c.journal.left(candidate, c.runs.Running())
		c.live(candidate, err == nil)
	}
	if err != nil {
		c.stop(now, err)
		return
	}
	c.end(now)
}

// onTrial are the sets of a candidate that are on trial now.
func (c *conductor) onTrial(candidate *plan.Candidate) []reload.Set {
	return slices.DeleteFunc(slices.Clone(candidate.Sets), func(s reload.Set) bool {
		a := c.rollout.Answer(s.Name)
		return a.Err != nil || a.Result.State != reload.OnTrial
	})
}

// daemonsDone says whether each BIRD has what it should: what else has failed are
// files that no BIRD reads.
func (c *conductor) daemonsDone(candidate *plan.Candidate) bool {
	return !slices.ContainsFunc(candidate.Sets, func(s reload.Set) bool {
		return s.Daemon != nil && c.rollout.Answer(s.Name).Err != nil
	})
}

// live notes that BIRD uses a candidate, or will when it starts. sure says that all
// of it is in place.
func (c *conductor) live(candidate *plan.Candidate, sure bool) {
	c.runs.Live(candidate, sure)
	c.edition.Worked(candidate.Templates)
	c.care.live()
	c.children.InPlace()
	c.news = true
}

// end ends a rollout of which nothing has failed. Where something is held, what else
// there was is in place.
func (c *conductor) end(now time.Time) {
	if held := c.hold.Current(); held != nil {
		c.inbox.Return(c.rollout.Batch())
		c.rollout.End()
		c.care.notInPlace(now)
		return
	}
	c.succeeded(now)
}

// succeeded notes that what the state asks for is in place, on trial at least.
func (c *conductor) succeeded(now time.Time) {
	c.rollout.End()
	c.waiting, c.news = "", true
	c.hold.Live()
	c.settled()
	c.holdOver()
	c.recovered(now)
}

// holdOver notes that nothing is held back any more. An approval holds for one time.
func (c *conductor) holdOver() {
	if was := c.hold.Over(); was != nil {
		c.journal.holdOver(was)
		c.world.Forget(c.birds.daemon.Dir, was.Token)
	}
}

// stop ends a rollout that cannot go on: the last good configuration stays.
func (c *conductor) stop(now time.Time, err error) {
	c.inbox.Return(c.rollout.Batch())
	c.rollout.End()
	c.news = true
	switch {
	case errors.Is(err, context.Canceled):
		return
	case errors.Is(err, bgp.ErrUnknownNode), errors.Is(err, errNoTemplates):
		c.wait(err)
	default:
		c.fail(now, err)
	}
	c.care.notInPlace(now)
}

// wait says once what is waited for, which comes with a change.
func (c *conductor) wait(err error) {
	if err.Error() != c.waiting {
		c.waiting = err.Error()
		c.log.Warn("waiting: the last good configuration stays", "for", err)
	}
}
