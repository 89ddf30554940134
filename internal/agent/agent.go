package agent

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/internal/inbox"
	"confd/internal/settings"
	"confd/reload"
	"confd/reload/control"
)

// Agent is the loop. Its goroutine alone touches what is in it.
type Agent struct {
	*desk
	opts     Options
	observer *observer
	reporter *reporter
	start    *startup
	care     *care
	conduct  *conductor
	trials   trials
	upkeep   *upkeep
	patrol   *patrol
	jobs     jobs

	rest rest

	updates <-chan backends.Update
	events  chan control.Event
	done    chan any
	watched []string
}

// Run keeps this node's BIRD in step until ctx ends. Its error is why it ended,
// which is that of ctx where nothing else was wrong.
func Run(ctx context.Context, o Options) error {
	g, ctx := errgroup.WithContext(ctx)
	return newAgent(ctx, g, o).run(ctx, g)
}

func (a *Agent) run(ctx context.Context, g *errgroup.Group) error {
	if err := a.observer.start(ctx, g, a.settings.Watch); err != nil {
		return settings.Error{Err: err}
	}
	if watch := a.opts.Watcher; watch != nil {
		g.Go(func() error { watch(ctx, a.observer.last.Load); return nil })
	}
	a.rest.begin()
	defer a.rest.end()
	a.updates = inbox.Start(ctx, g, a.opts.Sources)
	g.Go(func() error { return a.loop(ctx) })
	return g.Wait()
}

// loop takes what arrives, and does what is due.
func (a *Agent) loop(ctx context.Context) error {
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer a.observer.stop()
	a.log.Info("started", "node", a.settings.Node, "datastore", a.settings.Datastore)
	a.look(ctx, time.Now())
	for {
		if at := a.schedule.Due(); !at.IsZero() && a.mayBegin(time.Now()) {
			due.Reset(time.Until(at))
		}
		a.observer.turned()
		select {
		case <-ctx.Done():
			a.rememberLast(time.Now())
			a.publishLast(time.Now())
			return ctx.Err()
		case u := <-a.updates:
			a.take(time.Now(), u)
		case e := <-a.events:
			a.birdEvent(time.Now(), e)
		case <-a.opts.Changed:
			a.templatesChanged(time.Now())
		case s := <-a.opts.Signals:
			a.signal(time.Now(), s)
		case e := <-a.done:
			a.came(time.Now(), e)
		case <-due.C:
			a.ring(ctx, time.Now())
		case <-ticker.C:
			a.look(ctx, time.Now())
		}
		a.remember(time.Now())
		a.publish(time.Now())
	}
}

// mayBegin says whether a rollout may begin: none is under way, nothing is on trial,
// or was just now and has cost sessions, and it is known which BIRD there is.
func (a *Agent) mayBegin(now time.Time) bool {
	return a.conduct.idle() && !a.runs.OnTrial() && !a.conduct.recovery.open(now) && a.birds.known() && len(a.start.trials) == 0
}

// ring does what is due. While something is missing (a Secret that a new password
// is in) nothing is: it is due again the moment that it is there.
func (a *Agent) ring(ctx context.Context, now time.Time) {
	switch {
	case !a.schedule.IsDue(now) || !a.mayBegin(now):
	case a.inbox.Complete():
		a.conduct.begin(now)
		a.watch(ctx)
	default:
		a.schedule.Begin()
	}
}

// look is what the loop does whenever it turns without an event.
func (a *Agent) look(ctx context.Context, now time.Time) {
	a.rest.lookAt(now, a.runs.Running().ConfigOrNil())
	a.seek(now)
	if !a.start.resume() {
		a.trials.look(now)
	}
	a.conduct.hurry(now)
	if a.start.look(now, a.conduct.isStuck()) {
		a.watch(ctx)
	}
	a.care.approvals(now)
	a.care.retellUnasked(now)
	a.care.verify(now)
	a.upkeep.look(now)
	if a.conduct.isTimeToSurvey(now, a.conduct.after.watch.Watching()) {
		a.jobs.survey(a.runs.InUse(), false, nil)
	}
	a.patrol.look(now)
}

// take takes an update of a source.
func (a *Agent) take(now time.Time, u backends.Update) {
	was := a.inbox.InSync(u.Source)
	a.conduct.memory.note(now, u.Events)
	changed := a.inbox.Take(u)
	if was != u.InSync || changed || u.Server != nil || u.Err != nil {
		a.news = true
	}
	if !changed || !a.inbox.Complete() {
		return
	}
	var wait time.Duration
	if a.runs.Running() != nil {
		wait = spread(a.settings.Safety.Splay, a.settings.Node, len(a.inbox.State().Nodes), u.Events)
	}
	a.schedule.Changed(now, wait)
}

// birdEvent notes that a BIRD came or went.
func (a *Agent) birdEvent(now time.Time, e control.Event) {
	wasUp := a.known.Of(a.setAt(e.Socket)).BIRD.Health() == control.Up
	a.noteEvent(e)
	if !e.Up && wasUp {
		a.conduct.lost(now, a.setAt(e.Socket))
	}
	if e.Up {
		a.patrol.hurry(now, a.setAt(e.Socket))
	}
	if !e.Up || !a.known.Of(a.setAt(e.Socket)).BIRD.MustTell() {
		return
	}
	a.birds.stale() // it may be another version
	a.seek(now)
	if a.inbox.Complete() {
		a.schedule.Soon(now)
	}
}

// seek looks which BIRD there is.
func (a *Agent) seek(now time.Time) {
	if a.birds.seek(now) {
		a.jobs.find(!a.birds.everKnown())
	}
}

// hangup is the signal on which the program looks at everything again.
const hangup = syscall.SIGHUP

// signal passes a signal on to the BIRDs that we run. SIGHUP means to look at
// everything again, and that all BIRDs read their files.
func (a *Agent) signal(now time.Time, s os.Signal) {
	a.children.Signal(s)
	if s != hangup {
		return
	}
	a.log.Info("told to look at everything again", "signal", s.String())
	a.observer.notifier.Reloading()
	a.templatesChanged(now)
	a.runs.Doubt()
	if a.runs.Running() != nil {
		for _, set := range a.runs.Current() {
			a.of(set).BIRD.MustRead()
		}
	}
	if a.inbox.Complete() {
		a.schedule.Changed(now, 0)
	}
}

// templatesChanged takes changed templates into use. Where they are broken, or
// gone, those that are in use stay.
func (a *Agent) templatesChanged(now time.Time) {
	t, err := a.opts.Load()
	inUse := a.edition.InUse()
	a.conduct.journal.templates = ""
	switch {
	case err != nil:
		a.edition.Unreadable(err.Error())
	case t.BuiltIn && !inUse.BuiltIn && inUse.Engine != nil:
		a.edition.Unreadable("the configuration folder " + a.settings.Templates.ConfDir + " has no conf.d any more")
	case t.BuiltIn && inUse.BuiltIn: // there was no folder in use
		a.edition.Unchanged()
	default:
		a.log.Info("templates changed: rendering anew", "confdir", a.settings.Templates.ConfDir)
		a.edition.Changed(t, a.runs.Running() != nil)
		if a.inbox.Complete() {
			a.schedule.Changed(now, 0)
		}
	}
	a.conduct.journal.templatesKept(a.edition)
	a.news = true
}

// came takes what came of an order, or of a job.
func (a *Agent) came(now time.Time, event any) {
	switch e := event.(type) {
	case Done:
		a.lanes.free(e.Set.Name)
		a.dispatch(now, e)
	case commandsRan:
		a.care.commandsRan(now, e)
	case found:
		a.found(now, e)
	case planned:
		a.conduct.planned(now, e)
	case surveyed:
		a.conduct.surveyed(now, e)
	case searched:
		a.conduct.searched(now, e)
	case networksKept:
		a.upkeep.kept(now, e)
	case listened:
		a.upkeep.listened(now, e)
	case explained:
		a.conduct.after.explained(e)
	case routesSeen:
		a.patrol.seen(now, e)
	case routesRemoved:
		a.patrol.removed(e)
	case remembered:
		a.conduct.memory.written()
		a.observer.complain(notRemembered, e.err)
	}
}

// dispatch tells who wanted it what came of an order.
func (a *Agent) dispatch(now time.Time, d Done) {
	switch d.For {
	case ForRollout:
		a.conduct.answer(now, d)
	case ForTrial:
		a.trials.looked(now, d)
	case ForReturn:
		a.trials.returned(now, d)
	case ForRetell:
		a.care.retold(now, d)
	case ForStart:
		a.start.answered(now, d)
	case ForCommand:
		a.care.ran(now, d)
	case ForCare:
		if d.Action == Verify {
			a.care.verified(now, d)
		} else {
			a.care.mended(now, d)
		}
	}
}

// found takes which BIRD there is.
func (a *Agent) found(now time.Time, f found) {
	a.news = true
	if f.err != nil {
		a.birds.notFound(now, f.err)
		if a.inbox.Complete() {
			a.conduct.wait(f.err)
		}
		return
	}
	first, other := a.birds.found(f.birds)
	if other {
		a.log.Info("writing for BIRD", "version", f.birds.Version.String(), "folder", f.birds.Dir)
	}
	if first {
		a.start.leaves(f.left)
		a.observer.written = time.Time{} // there is a folder for the report from now on
		a.conduct.memory.remembered(f.left)
		a.inbox.Remember(f.left.Stores)
		a.start.resume()
	}
	if err := a.children.Prepare(f.birds.Sockets()); err != nil {
		a.fail(now, err)
	}
}

// daemonSets are the sets of what runs that a BIRD reads.
func (a *Agent) daemonSets() []reload.Set {
	return slices.DeleteFunc(slices.Clone(a.runs.Running().Sets), func(s reload.Set) bool { return s.Daemon == nil })
}

// watch watches the control sockets that are used, and not watched yet: from when
// it is known which of them are needed.
func (a *Agent) watch(ctx context.Context) {
	if !a.conduct.using().UsesSockets() {
		return
	}
	for _, socket := range a.birds.daemon.Sockets() {
		if !slices.Contains(a.watched, socket) {
			a.watched = append(a.watched, socket)
			a.lanes.group.Go(func() error { a.opts.World.Watch(ctx, socket, a.events); return nil })
		}
	}
}

// publishLast has others see, before the program ends, what they were to see soon.
func (a *Agent) publishLast(now time.Time) {
	if a.observer.hurry() {
		a.observer.publish(now, a.reporter.report(now), a.birds.daemon.Dir)
	}
}

// publish has others see where the loop stands, where that is due.
func (a *Agent) publish(now time.Time) {
	if a.observer.isDue(now, a.news) {
		a.news = false
		a.observer.publish(now, a.reporter.report(now), a.birds.daemon.Dir)
		a.observer.page.show(a.runs.Running(), a.birds.daemon.Sockets())
	}
}
