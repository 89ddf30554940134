package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/reload"
	"confd/templates"
)

// maxBackOff is the longest time between two tries of what failed.
const maxBackOff = 30 * time.Second

// run keeps this node's BIRD in step until ctx ends; with --onetime or --noop
// it works once.
func run(ctx context.Context, s Settings) error {
	return runLogged(ctx, s, newLogger(s.Log))
}

// runLogged is run with a log of the caller's.
func runLogged(ctx context.Context, s Settings, log *slog.Logger) error {
	// What changes while the templates are read is seen as a change.
	fingerprint, err := templates.Fingerprint(s.Templates.ConfDir)
	if err != nil {
		return err
	}
	n, err := newNode(s, log)
	if err != nil {
		return err
	}
	if s.OneTime || s.Noop {
		return runOnce(ctx, n, log)
	}
	sources, err := newSources(s, log)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	d := &daemon{
		node:    n,
		log:     log,
		in:      newIntake(sources, s, log),
		updates: start(ctx, g, sources),
		events:  make(chan reload.Event, 8),
		changed: make(chan struct{}, 1),
		applier: newApplier(s, log),
		pace:    pace{gather: s.Timing.Gather, minInterval: s.Timing.MinInterval, maxBackOff: maxBackOff},
	}
	g.Go(func() error { watchTemplates(ctx, s.Templates.ConfDir, fingerprint, d.changed, log); return nil })
	g.Go(func() error { return d.loop(ctx, g) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped: BIRD keeps the configuration that it has")
	return nil
}

func newApplier(s Settings, log *slog.Logger) *reload.Applier {
	return reload.New(reload.Options{Logger: log, CheckTimeout: s.Timing.CheckTimeout, ReloadTimeout: s.Timing.ReloadTimeout})
}

// daemon is the state of the loop. Its goroutine is the only one that touches
// it.
type daemon struct {
	node    *node
	log     *slog.Logger
	in      *intake
	updates <-chan backends.Update
	events  chan reload.Event
	// changed says that templates may have changed.
	changed chan struct{}
	applier *reload.Applier
	pace    pace

	birds daemons
	// watched are the control sockets that are watched already.
	watched []string
	// restarted are the sockets of BIRDs that came up, and must be told again.
	restarted map[string]bool
	// applied is what BIRD runs, as far as we know; nil: nothing yet.
	applied *applied
	// since is when the oldest change that is not applied arrived.
	since time.Time
	// problems are those that were logged already.
	problems []bgp.Problem
	// failure and waiting are the last error and reason to wait that were logged.
	failure, waiting string
	// stale is set where what is applied was rendered from other templates, and
	// dirty where it may not be what is on disk: something failed since.
	stale, dirty bool
	// proven are the templates that worked last, while changed ones have not yet;
	// nil: those in use have.
	proven *provenTemplates
	// brokenTemplates is what is wrong with the templates that are there now;
	// empty where they are those in use.
	brokenTemplates string
}

// applied is what was put in place last.
type applied struct {
	config  *bgp.Config
	version templates.Version
	sets    []reload.Set
}

// loop takes what arrives, and applies it when its time has come.
func (d *daemon) loop(ctx context.Context, g *errgroup.Group) error {
	d.restarted = map[string]bool{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	d.log.Info("started", "node", d.node.settings.Node, "datastore", d.node.settings.Datastore)
	for {
		if due, ok := d.pace.pending(); ok {
			timer.Reset(time.Until(due))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-d.updates:
			d.take(u)
		case e := <-d.events:
			d.birdEvent(e)
		case <-d.changed:
			d.reloadTemplates()
		case <-timer.C:
			d.ring(ctx, g)
		}
	}
}

// ring does what is due. While something is missing (a Secret that a new
// password is in) nothing is: it is due again the moment that it is there.
func (d *daemon) ring(ctx context.Context, g *errgroup.Group) {
	_, pending := d.pace.pending()
	switch {
	case !pending:
	case d.in.complete():
		d.work(ctx, g)
	default:
		d.pace.begin()
	}
}

func (d *daemon) take(u backends.Update) {
	if !d.in.take(u) || !d.in.complete() {
		return
	}
	if d.since.IsZero() {
		d.since = u.At
	}
	d.pace.changed(time.Now())
}

// birdEvent notes that a BIRD came up: it must be told again, since it may have
// read its file before the last change, and may be another version.
func (d *daemon) birdEvent(e reload.Event) {
	if !e.Up {
		return
	}
	d.restarted[e.Socket] = true
	if d.in.complete() {
		d.pace.changed(time.Now())
	}
}

// work brings BIRD into step with the state, and plans another try where that
// failed.
func (d *daemon) work(ctx context.Context, g *errgroup.Group) {
	d.pace.begin()
	err := d.apply(ctx, g)
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, bgp.ErrUnknownNode), errors.Is(err, errNoVersion):
		d.wait(err)
	case err != nil:
		d.fail(err)
	default:
		d.failure, d.waiting, d.since = "", "", time.Time{}
		d.pace.succeeded()
	}
}

// wait says once what the daemon waits for. An unknown node comes with a change
// of the state; a BIRD that cannot be asked has no event, so look again.
func (d *daemon) wait(err error) {
	if err.Error() != d.waiting {
		d.waiting = err.Error()
		d.log.Warn("waiting: the last good configuration stays", "for", err)
	}
	if errors.Is(err, errNoVersion) {
		d.pace.due = time.Now().Add(time.Second)
	}
}

// numbers are what differs between two errors of one kind: names of temporary
// files, durations.
var numbers = regexp.MustCompile(`\d+`)

func (d *daemon) fail(err error) {
	d.pace.failed(time.Now())
	level := slog.LevelError
	text := numbers.ReplaceAllString(err.Error(), "N")
	if text == d.failure {
		level = slog.LevelDebug
	}
	d.failure = text
	attributes := []any{"error", err, "retry_in", d.pace.backOff}
	if refused := (*reload.CheckError)(nil); errors.As(err, &refused) && refused.Excerpt != "" {
		attributes = append(attributes, "at", refused.Excerpt)
	}
	d.log.Log(context.Background(), level, "not applied: the last good configuration stays", attributes...)
}

// apply computes, renders, checks, swaps and reloads, each only where what was
// before it changed.
func (d *daemon) apply(ctx context.Context, g *errgroup.Group) error {
	began := time.Now()
	cfg, err := d.node.compute(d.in.state)
	if err != nil {
		return err
	}
	d.reportProblems(cfg.Problems)
	if err := d.findBirds(ctx); err != nil {
		return err
	}
	d.watchBirds(ctx, g)
	computed := time.Now()
	unchanged := d.unchanged(cfg)
	if unchanged && len(d.restarted) == 0 {
		return nil
	}
	sets, version := []reload.Set(nil), d.birds.version
	if unchanged {
		sets = d.applied.sets
	} else {
		files, err := d.node.render(ctx, cfg, d.in.state, version)
		if err != nil {
			return d.withOldTemplates(ctx, g, err)
		}
		sets = d.node.sets(files, d.birds)
		warnOfKeys(d.log, cfg, optmemPath)
	}
	rendered := time.Now()
	d.dirty = true
	results, err := d.applySets(ctx, sets, began)
	d.logApplied(cfg, sets, results, times{event: d.since, began: began, computed: computed, rendered: rendered})
	if err != nil {
		if refused := (*reload.CheckError)(nil); errors.As(err, &refused) {
			return d.withOldTemplates(ctx, g, err)
		}
		return err
	}
	clear(d.restarted)
	d.reportUnwritten(sets)
	d.applied = &applied{config: cfg, version: version, sets: sets}
	d.stale, d.dirty, d.proven = false, false, nil
	return nil
}

// withOldTemplates goes back to the templates that worked, where the ones in
// use have not yet; else it returns err.
func (d *daemon) withOldTemplates(ctx context.Context, g *errgroup.Group, err error) error {
	if d.proven == nil || ctx.Err() != nil {
		return err
	}
	d.keepTemplates(err.Error())
	d.node.engine, d.node.builtIn = d.proven.engine, d.proven.builtIn
	d.proven, d.stale = nil, false
	return d.apply(ctx, g)
}

// unchanged says whether what is applied already would come out again.
func (d *daemon) unchanged(cfg *bgp.Config) bool {
	return d.applied != nil && !d.stale && !d.dirty && d.applied.version == d.birds.version && !d.node.dependsOnState() &&
		reflect.DeepEqual(d.applied.config, cfg)
}

// findBirds finds out which BIRD there is: at first, and when one was restarted
// (it may be another version).
func (d *daemon) findBirds(ctx context.Context) error {
	if d.birds.version.Major != 0 && len(d.restarted) == 0 {
		return nil
	}
	birds, err := findDaemons(ctx, d.node.settings.BIRD)
	if err != nil {
		return err
	}
	if birds.version != d.birds.version {
		d.log.Info("writing for BIRD", "version", birds.version.String(), "folder", birds.dir)
	}
	d.birds = birds
	return nil
}

// watchBirds watches the control sockets that are used, and not watched yet.
func (d *daemon) watchBirds(ctx context.Context, g *errgroup.Group) {
	if !d.node.usesSockets() {
		return
	}
	for _, socket := range d.birds.sockets() {
		if !slices.Contains(d.watched, socket) {
			d.watched = append(d.watched, socket)
			g.Go(func() error { reload.Watch(ctx, socket, d.events, d.log); return nil })
		}
	}
}

// applySets applies each set; one that fails does not keep the others back.
func (d *daemon) applySets(ctx context.Context, sets []reload.Set, began time.Time) ([]reload.Result, error) {
	var results []reload.Result
	var errs []error
	for _, s := range sets {
		r, err := d.applySet(ctx, s)
		if err != nil {
			errs = append(errs, err)
		}
		if err != nil || len(r.Changed) > 0 {
			d.pace.applied(began)
		}
		results = append(results, r)
	}
	return results, errors.Join(errs...)
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

// reportProblems logs what is new among the problems, and what is gone.
func (d *daemon) reportProblems(problems []bgp.Problem) {
	const most = 20
	isIn := func(list []bgp.Problem) map[bgp.Problem]bool {
		m := make(map[bgp.Problem]bool, len(list))
		for _, p := range list {
			m[p] = true
		}
		return m
	}
	old, now := isIn(d.problems), isIn(problems)
	count := 0
	for _, p := range problems {
		if !old[p] {
			if count++; count <= most {
				d.log.Warn(p.Text, "object", p.Object.String())
			}
		}
	}
	if count > most {
		d.log.Warn("more problems like these are not listed", "count", count-most)
	}
	count = 0
	for _, p := range d.problems {
		if !now[p] {
			if count++; count <= most {
				d.log.Info("no longer a problem: "+p.Text, "object", p.Object.String())
			}
		}
	}
	if count > most {
		d.log.Info("more problems that are gone are not listed", "count", count-most)
	}
	d.problems = problems
}

// times are when the steps of one change were done.
type times struct{ event, began, computed, rendered time.Time }

// logApplied writes one line for each set that something was done with.
func (d *daemon) logApplied(cfg *bgp.Config, sets []reload.Set, results []reload.Result, t times) {
	var old *bgp.Config
	if d.applied != nil {
		old = d.applied.config
	}
	var c bgp.Changes
	compared := false
	for i, r := range results {
		if r.State == reload.Unchanged || r.State == reload.Installed && len(r.Changed) == 0 {
			continue
		}
		if !compared {
			c, compared = bgp.Compare(old, cfg, d.birds.version.Major), true
		}
		d.log.Info("applied", "set", sets[i].Name, "state", r.State.String(), "bird", r.Version, "files", r.Changed,
			"sessions", len(cfg.IPv4.Sessions)+len(cfg.IPv6.Sessions),
			"added", few(c.Added), "removed", few(c.Removed), "restarted", few(c.Restarted), "refiltered", few(c.Refiltered),
			"took", time.Since(t.began).Round(time.Millisecond))
		d.log.Debug("times", "set", sets[i].Name,
			"gathered", since(t.event, t.began), "computed", since(t.began, t.computed), "rendered", since(t.computed, t.rendered),
			"staged", since(t.rendered, r.Staged), "checked", since(r.Staged, r.Checked), "swapped", since(r.Checked, r.Swapped),
			"confirmed", since(r.Swapped, r.Confirmed), "total", since(t.event, time.Now()))
	}
}

// since is the time between two steps, 0 where one was not taken.
func since(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return to.Sub(from).Round(10 * time.Microsecond)
}

// few keeps log lines readable: the first names, and how many there are.
func few(names []string) string {
	const most = 5
	if len(names) == 0 {
		return "0"
	}
	more := ""
	if len(names) > most {
		more = " ..."
	}
	return fmt.Sprintf("%d %v%s", len(names), names[:min(len(names), most)], more)
}
