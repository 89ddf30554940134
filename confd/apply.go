package main

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/metrics"
	"confd/internal/report"
	"confd/reload"
	"confd/templates"
)

// wanted is what BIRD should run, for the state of a moment.
type wanted struct {
	// full is what the whole state asks for; config lacks what is quarantined.
	full, config *bgp.Config
	version      templates.Version
	sets         []reload.Set
	hash         string // of sets
	revision     string // the datastore's
	// state is what both were made from.
	state *backends.State
	// quarantined are objects without which config was made, and why.
	quarantined map[backends.Key]string
	// changed are the objects that changed since what is live was made.
	changed []backends.Key
	// engine is what sets were made with; newTemplates: nothing made with it has
	// been live yet, though something made with others has.
	engine       *templates.Engine
	newTemplates bool
	// rest is set where a change that is held was taken out; then full is nil.
	rest  bool
	times times
}

// times are when the steps of one change were done. event is zero where no
// change of the state led to it.
type times struct{ event, began, computed, rendered time.Time }

// work brings BIRD into step with the state, and plans another try where that
// failed.
func (d *daemon) work(ctx context.Context, g *errgroup.Group) {
	d.pace.begin()
	d.retryTemplates()
	err := d.apply(ctx, g)
	d.observer.changed()
	held := (*heldError)(nil)
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &held):
		d.keepBack(held)
		if d.live == nil { // what lies on disk is what should run
			d.startChildren(ctx, g)
		}
		d.retell(ctx)
	case errors.Is(err, bgp.ErrUnknownNode), errors.Is(err, birds.ErrNoVersion), errors.Is(err, errNoTemplates):
		d.wait(err)
		d.retell(ctx)
	case err != nil:
		d.fail(err)
		d.retell(ctx)
	default:
		d.succeed()
	}
}

// succeed notes that what the state asks for is in place, on trial at least.
func (d *daemon) succeed() {
	if !d.onTrial() {
		d.recovered()
	}
	// What the program that ran here before held back is over, too.
	d.waiting, d.since, d.before.Held = "", time.Time{}, nil
	if d.held != nil {
		d.log.Info("nothing is held back any more", "hash", d.held.Hash)
		d.held, d.failed, d.approved = nil, nil, ""
		report.Forget(d.birds.Dir)
	}
	clear(d.changedKeys)
}

// recovered notes that what failed works again. A trial must have passed for
// that: it may end as the one before did.
func (d *daemon) recovered() {
	d.failures.over(d.log, time.Now())
	d.pace.succeeded()
}

// wait says once what the daemon waits for. An unknown node comes with a change
// of the state; a BIRD that cannot be asked has no event, so look again.
func (d *daemon) wait(err error) {
	if err.Error() != d.waiting {
		d.waiting = err.Error()
		d.log.Warn("waiting: the last good configuration stays", "for", err)
	}
	if errors.Is(err, birds.ErrNoVersion) {
		d.pace.due = time.Now().Add(time.Second)
	}
}

func (d *daemon) fail(err error) {
	d.pace.failed(time.Now())
	d.observer.metrics.Retry()
	d.failures.note(d.log, err, time.Now(), d.pace.backOff)
}

// apply computes, renders, checks, swaps and reloads, each only where what was
// before it changed.
func (d *daemon) apply(ctx context.Context, g *errgroup.Group) error {
	w, err := d.want(ctx, g)
	if err != nil || w == nil {
		return err
	}
	err = d.put(ctx, w)
	if held := (*heldError)(nil); errors.As(err, &held) {
		return d.holding(ctx, w, held)
	}
	if !refusal(err) {
		return err
	}
	if d.proven != nil {
		return d.withOldTemplates(ctx, g, err)
	}
	w, err = d.withoutCulprits(ctx, w, err)
	if err != nil {
		return err
	}
	err = d.put(ctx, w)
	if held := (*heldError)(nil); errors.As(err, &held) {
		return d.holding(ctx, w, held)
	}
	return err
}

// holding keeps w back, but for what has nothing to do with why.
func (d *daemon) holding(ctx context.Context, w *wanted, held *heldError) error {
	err := d.putRest(ctx, w)
	if more := (*heldError)(nil); errors.As(err, &more) {
		return more
	}
	d.keepBack(held)
	if err != nil {
		return err
	}
	return held
}

// want computes and renders; nil where what is live is what should be.
func (d *daemon) want(ctx context.Context, g *errgroup.Group) (*wanted, error) {
	w := &wanted{
		times: times{event: d.since, began: time.Now()}, revision: d.in.revision(), changed: d.changes(),
		engine: d.node.Templates.Engine, newTemplates: d.proven != nil,
	}
	cfg, err := d.node.Compute(d.in.state)
	if err != nil {
		return nil, err
	}
	w.full, w.config = cfg, cfg
	d.setLogLevel(cfg.LogSeverity)
	d.reportProblems(cfg.Problems)
	if err := d.findBirds(ctx); err != nil {
		return nil, err
	}
	d.watchBirds(ctx, g)
	if err := d.prepareChildren(ctx, g); err != nil {
		return nil, err
	}
	if d.node.Templates.Engine == nil {
		return nil, errNoTemplates
	}
	w.version = d.birds.Version
	w.times.computed = time.Now()
	unchanged := d.unchanged(cfg)
	if unchanged && len(d.restarted) == 0 {
		return nil, nil
	}
	w.state = d.in.state.Clone()
	if unchanged {
		w.config, w.sets, w.hash, w.quarantined = d.live.config, d.live.sets, d.live.hash, d.live.quarantined
		w.times.rendered = time.Now()
		return w, nil
	}
	if err := d.render(ctx, w, d.in.state); err != nil {
		d.observer.metrics.Rendered(metrics.RenderFailed)
		if d.proven == nil || ctx.Err() != nil {
			return nil, err
		}
		d.useOldTemplates(err)
		return d.want(ctx, g)
	}
	return w, nil
}

// render makes the sets of w.
func (d *daemon) render(ctx context.Context, w *wanted, state *backends.State) error {
	files, err := d.node.Render(ctx, w.config, state, w.version)
	if err != nil {
		return err
	}
	d.observer.metrics.Rendered(metrics.RenderOK)
	w.sets = d.node.Sets(files, d.birds)
	for i := range w.sets {
		w.sets[i].Mark = w.revision
	}
	w.hash = hashOf(w.sets)
	warnOfKeys(d.log, w.config, optmemPath)
	w.times.rendered = time.Now()
	return nil
}

// unchanged says whether what is live already would come out again.
func (d *daemon) unchanged(cfg *bgp.Config) bool {
	return d.live != nil && !d.stale && !d.dirty && d.live.version == d.birds.Version && !d.node.Templates.DependOnState() &&
		reflect.DeepEqual(d.live.full, cfg)
}

// put has BIRD use what is wanted.
func (d *daemon) put(ctx context.Context, w *wanted) error {
	if err := d.judge(ctx, w); err != nil {
		return err
	}
	if err := d.checkAll(ctx, w.sets); err != nil {
		return err
	}
	again := d.live != nil && w.hash == d.live.hash && !d.dirty
	d.dirty = true
	results, err := d.applySets(ctx, w)
	for i, r := range results {
		if again && len(r.Changed) > 0 { // found while BIRD was told again
			d.noteDrift(w.sets[i], reload.Drift{Files: r.Changed})
		}
	}
	d.logApplied(w, results)
	if err != nil {
		// A set that is on trial already goes on; it is no trial of the whole.
		d.begunTrial(w, results)
		d.trial = nil
		return err
	}
	clear(d.restarted)
	d.reportUnwritten(w.sets)
	d.reportQuarantine(w.quarantined)
	if !d.begunTrial(w, results) {
		d.goLive(w)
	}
	return nil
}

// checkAll checks all sets where there are several, so that one that is refused
// keeps the others from getting what the objects at fault ask for.
func (d *daemon) checkAll(ctx context.Context, sets []reload.Set) error {
	if len(sets) < 2 {
		return nil
	}
	var errs []error
	for _, s := range sets {
		if st := d.standing(s.Name); st.installed == s.Hash() {
			continue
		}
		// What else is wrong than a refusal shows when the set is applied.
		if err := d.applier.Check(ctx, s); refusal(err) {
			d.noteResult(s, reload.Result{}, err)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// goLive notes that BIRD uses w, or will when it starts.
func (d *daemon) goLive(w *wanted) {
	if d.boot != nil {
		d.log.Info("BIRD runs what it should: no longer on files because they were there", "hash", w.hash)
	}
	d.live, d.trial, d.found = w, nil, nil
	d.stale, d.dirty, d.proven, d.boot = false, false, nil, nil
	if d.approved != "" && (!w.rest || d.failed != nil) {
		d.approved = ""
		report.Forget(d.birds.Dir)
	}
	d.noteStarted(w.config)
	d.children.inPlace()
	d.observer.changed()
}

// withOldTemplates goes back to the templates that worked; what BIRD's check
// refused were the new ones' files.
func (d *daemon) withOldTemplates(ctx context.Context, g *errgroup.Group, err error) error {
	if ctx.Err() != nil {
		return err
	}
	d.useOldTemplates(err)
	return d.apply(ctx, g)
}

func (d *daemon) useOldTemplates(why error) {
	d.keepTemplates(why.Error())
	refused := d.node.Templates
	d.refused, d.node.Templates = &refused, *d.proven
	d.proven, d.stale = nil, false
}

// applySets applies each set; one that fails does not keep the others back.
func (d *daemon) applySets(ctx context.Context, w *wanted) ([]reload.Result, error) {
	d.last = w.sets
	for _, s := range w.sets {
		d.observer.metrics.Sets(s.Name)
	}
	var results []reload.Result
	var errs []error
	for _, s := range w.sets {
		d.observer.turned()
		r, err := d.applySet(ctx, s)
		if d.forNobody(err, w.config, s.Name) {
			r, err = reload.Result{State: reload.Installed}, nil // without a hash: what is on disk is not s
		}
		if err != nil {
			errs = append(errs, err)
		} else if s.Daemon != nil {
			d.children.inPlace(s.Daemon.Socket)
		}
		if err != nil || len(r.Changed) > 0 {
			d.pace.applied(w.times.began)
		}
		d.standing(s.Name).rendered = cmp.Or(r.Hash, s.Hash())
		d.noteResult(s, r, err)
		if err != nil {
			r = reload.Result{} // nothing that counts
		}
		results = append(results, r)
	}
	return results, errors.Join(errs...)
}

// forNobody says that err keeps files from being written which nobody would
// read: there is no BIRD to check them, and by cfg none is missed.
func (d *daemon) forNobody(err error, cfg *bgp.Config, set string) bool {
	return errors.Is(err, reload.ErrCannotCheck) && cfg != nil && !d.missedFor(cfg, set)
}

func (d *daemon) applySet(ctx context.Context, s reload.Set) (reload.Result, error) {
	r, err := d.applier.Apply(ctx, s)
	if err != nil || s.Daemon == nil || !d.restarted[s.Daemon.Socket] {
		return r, err
	}
	if len(r.Changed) == 0 {
		r, err = d.applier.Reconfigure(ctx, s)
	}
	if err == nil {
		delete(d.restarted, s.Daemon.Socket)
	}
	return r, err
}

// retell has BIRDs that came up read what is live again, while what should be
// cannot be put in place.
func (d *daemon) retell(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	for _, s := range d.inUse() {
		if s.Daemon == nil || !d.restarted[s.Daemon.Socket] || d.live == nil && d.standing(s.Name).installed != s.Hash() {
			continue
		}
		r, err := d.applier.Reconfigure(ctx, s)
		d.noteResult(s, r, err)
		if err == nil {
			delete(d.restarted, s.Daemon.Socket)
			if d.live != nil {
				d.noteStarted(d.live.config)
			}
		}
	}
}

// retellUnasked does so while nobody knows what should be.
func (d *daemon) retellUnasked(ctx context.Context) {
	if d.in.complete() || d.onTrial() || len(d.restarted) == 0 || time.Now().Before(d.retellAt) {
		return
	}
	if d.retell(ctx); len(d.restarted) > 0 {
		d.retellAt = time.Now().Add(d.node.settings.Timing.Verify)
	}
}

// changes are the objects that changed since what is live was made.
func (d *daemon) changes() []backends.Key {
	return sortedKeys(maps.Keys(d.changedKeys))
}
