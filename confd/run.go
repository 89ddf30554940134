package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/metrics"
	"confd/internal/plan"
	"confd/internal/quarantine"
	"confd/internal/report"
	"confd/internal/settings"
	"confd/reload"
	"confd/reload/control"
	"confd/templates"
)

// maxBackOff is the longest time between two tries of what failed.
const maxBackOff = 30 * time.Second

// turn is how often the loop turns where nothing happens: it looks at a trial,
// at what was approved, and whether all is as it was left.
const turn = 250 * time.Millisecond

// run keeps this node's BIRD in step until ctx ends; with --onetime or --noop
// it works once.
func run(ctx context.Context, s settings.Settings) error {
	log, level := newLevelLogger(s.Log)
	return runLogged(ctx, s, log, level)
}

// runLogged is run with a log of the caller's, whose level it changes as the
// datastore says.
func runLogged(ctx context.Context, s settings.Settings, log *slog.Logger, level *slog.LevelVar) error {
	// What changes while the templates are read is seen as a change.
	fingerprint, _ := templates.Fingerprint(s.Templates.ConfDir) // reading them says what is wrong
	n, broken := newNode(s, log)
	if s.OneTime || s.Noop {
		if broken != nil {
			return broken
		}
		return runOnce(ctx, n, log)
	}
	children, err := newChildren(s.Exec, log)
	if err != nil {
		return err
	}
	if len(s.Exec) > 0 && os.Getpid() == 1 {
		return asProcess1(log)
	}
	sources, err := newSources(s, log)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	d := newDaemon(n, log, level)
	d.in = newIntake(sources, s, log)
	d.children = children
	d.observer = newObserver(s, usageOf(sources), log)
	if err := d.observer.start(ctx, g, s); err != nil {
		return settings.Error{Err: err}
	}
	d.updates = start(ctx, g, sources)
	if broken != nil {
		d.keepTemplates(broken.Error())
	}
	signals, stop := passedSignals()
	defer stop()
	d.signals = signals
	g.Go(func() error { watchTemplates(ctx, s.Templates.ConfDir, fingerprint, d.changed, log); return nil })
	g.Go(func() error { return d.loop(ctx, g) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if len(s.Exec) > 0 {
		log.Info("stopped, after BIRD")
		return nil
	}
	log.Info("stopped: BIRD keeps the configuration that it has")
	return nil
}

func newApplier(s settings.Settings, log *slog.Logger) *reload.Applier {
	return reload.New(reload.Options{Logger: log, CheckTimeout: s.Timing.CheckTimeout, ReloadTimeout: s.Timing.ReloadTimeout})
}

// daemon is the state of the loop. Its goroutine is the only one that touches
// it.
type daemon struct {
	node    *node
	log     *slog.Logger
	level   *slog.LevelVar
	in      *intake
	updates <-chan backends.Update
	events  chan control.Event
	// changed says that templates may have changed.
	changed  chan struct{}
	signals  <-chan os.Signal
	applier  *reload.Applier
	pace     pace
	observer *observer
	began    time.Time

	birds birds.Daemons
	// watched are the control sockets that are watched already.
	watched []string
	// restarted are the sockets of BIRDs that came up, and must be told again.
	restarted map[string]bool
	// seen says what was seen of the BIRDs, by control socket.
	seen     map[string]*seen
	children *children

	// live is what BIRD runs, or reads when it starts, as far as we know; nil:
	// nothing of ours yet. trial is what it runs on trial; last the sets that were
	// to be put in place last.
	live, trial *wanted
	last        []reload.Set
	// found are the sets from before that BIRD runs until something is live.
	found     []reload.Set
	standings map[string]*setStanding
	// boot says that BIRD runs on files from before.
	boot     *report.Stale
	retellAt time.Time // not before
	booted   bool      // that was done, or there is nothing to do it with
	bootAt   time.Time // not before
	checkAt  time.Time

	// since is when the oldest change that is not live arrived; changedKeys are
	// the objects that changed since then.
	since       time.Time
	changedKeys map[backends.Key]bool
	// held is what is kept back; approved is the hash of what may go on.
	held     *report.Held
	approved string
	// heldAt is when what is held now was held first: what was approved before
	// that was something else.
	heldAt time.Time
	// failed is what did not pass its trial; nil: nothing has failed.
	failed *failedTrial
	// trying are the sets of trial that are on trial still.
	trying []reload.Set
	// culprits are objects that BIRD's check refused.
	culprits quarantine.Memory
	// back is set where something was undone, and not each set is back yet.
	back   bool
	backAt time.Time // not before
	// before is the last report of the program that ran here before.
	before report.Report
	// problems are those that were logged already.
	problems []bgp.Problem
	failures failures
	// waiting is the last reason to wait that was logged.
	waiting string
	// stale is set where what is live was rendered from other templates, and
	// dirty where it may not be what is on disk: something failed since.
	stale, dirty bool
	// proven are the templates that worked last, while changed ones have not yet;
	// nil: those in use have.
	proven *plan.Templates
	// refused are changed templates that did not work, to be tried again; nil:
	// none.
	refused *plan.Templates
	// brokenTemplates is what is wrong with the templates that are there now;
	// empty where they are those in use.
	brokenTemplates string
	toldTemplates   string // the last of it that was logged
	// sessions are those of listed, as in the report.
	listed   *wanted
	sessions []report.Session
}

func newDaemon(n *node, log *slog.Logger, level *slog.LevelVar) *daemon {
	timing := n.settings.Timing
	return &daemon{
		node: n, log: log, level: level, began: time.Now(),
		events:    make(chan control.Event, 8),
		changed:   make(chan struct{}, 1),
		applier:   newApplier(n.settings, log),
		pace:      pace{gather: timing.Gather, minInterval: timing.MinInterval, maxBackOff: maxBackOff},
		restarted: map[string]bool{}, seen: map[string]*seen{}, standings: map[string]*setStanding{}, changedKeys: map[backends.Key]bool{},
	}
}

// loop takes what arrives, and applies it when its time has come.
func (d *daemon) loop(ctx context.Context, g *errgroup.Group) error {
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	ticker := time.NewTicker(turn)
	defer ticker.Stop()
	defer d.observer.stop(d.node.settings.Watch.ReadyFile)
	d.log.Info("started", "node", d.node.settings.Node, "datastore", d.node.settings.Datastore)
	for {
		if at, ok := d.pace.pending(); ok && !d.onTrial() {
			due.Reset(time.Until(at))
		}
		d.observer.turned()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case u := <-d.updates:
			d.take(u)
		case e := <-d.events:
			d.birdEvent(e)
		case <-d.changed:
			d.reloadTemplates()
		case s := <-d.signals:
			d.signal(s)
		case <-due.C:
			d.ring(ctx, g)
		case <-ticker.C:
			d.look(ctx, g)
		}
		d.publish()
	}
}

// ring does what is due. While something is missing (a Secret that a new
// password is in) nothing is: it is due again the moment that it is there. What
// is on trial is waited for.
func (d *daemon) ring(ctx context.Context, g *errgroup.Group) {
	at, pending := d.pace.pending()
	switch {
	case !pending || d.onTrial() || time.Until(at) > 0:
	case d.in.complete():
		d.work(ctx, g)
	default:
		d.pace.begin()
	}
}

// look is what the loop does whenever it turns without an event.
func (d *daemon) look(ctx context.Context, g *errgroup.Group) {
	d.lookAtTrial(ctx)
	d.bootFromDisk(ctx, g)
	d.lookForApproval()
	d.retellUnasked(ctx)
	d.verify(ctx)
}

func (d *daemon) take(u backends.Update) {
	was, complete := d.in.sources[u.Source].inSync, d.in.complete()
	changed := d.in.take(u)
	if was != u.InSync {
		d.observer.changed()
	}
	if !changed {
		return
	}
	if d.live != nil || complete {
		for _, e := range u.Events {
			d.changedKeys[e.Key] = true
		}
	}
	if d.since.IsZero() {
		d.since = u.At
		d.observer.changed()
	}
	if !d.in.complete() {
		return
	}
	d.pace.changed(time.Now(), d.splay(u.Events))
}

// splayPerNode is how much of the time each node of a cluster adds over which
// they spread a common change: so some thousand of them reload in a second.
const splayPerNode = time.Millisecond

// splay is how long a change may be put off, at random, so that not all nodes do
// it in the same second. One that concerns this node alone, or takes routes
// away, is not put off.
func (d *daemon) splay(events []backends.Event) time.Duration {
	limit := d.node.settings.Safety.Splay
	if limit == settings.Auto {
		limit = time.Duration(len(d.in.state.Nodes)) * splayPerNode
	}
	if limit == 0 || d.live == nil || len(events) == 0 ||
		slices.ContainsFunc(events, func(e backends.Event) bool { return !d.common(e.Key) }) {
		return 0
	}
	return rand.N(limit)
}

// common says that an object concerns all nodes.
func (d *daemon) common(k backends.Key) bool {
	switch k.Kind {
	case backends.KindBGPConfiguration, backends.KindNode:
		return k.Name != d.node.settings.Node && k.Name != "node."+d.node.settings.Node
	case backends.KindBGPPeer, backends.KindBGPFilter, backends.KindIPPool, backends.KindFelixConfiguration:
		return true
	}
	return false
}

// seen is what was seen of a BIRD since the program runs.
type seen struct {
	// down and up: it has been so; isUp: it is, as far as is known.
	down, up, isUp bool
	// lost is when it was last seen to go.
	lost time.Time
	// told is when it last confirmed what it was told.
	told time.Time
}

func (d *daemon) seenAt(socket string) *seen {
	if d.seen[socket] == nil {
		d.seen[socket] = &seen{}
	}
	return d.seen[socket]
}

// birdEvent notes that a BIRD came up: it must be told again, since it may have
// read its file before the last change, and may be another version. Where it
// has confirmed since, it need not.
func (d *daemon) birdEvent(e control.Event) {
	d.noteBird(e)
	d.logBird(e)
	bird := d.seenAt(e.Socket)
	if bird.isUp {
		bird.lost = e.At
	}
	if bird.isUp = e.Up; !e.Up {
		bird.down = true
		return
	}
	if bird.up {
		d.observer.metrics.Drift(metrics.DriftRestart)
		d.standing(d.setAt(e.Socket)).drifts++
	}
	if bird.up || bird.down {
		d.noteFresh(e.Socket)
	}
	bird.up = true
	if e.At.Before(bird.told) {
		return
	}
	d.restarted[e.Socket] = true
	if d.in.complete() {
		d.pace.soon(time.Now())
	}
}

// logBird says that a BIRD came or went. That one is not there which nobody
// misses, or which is being started, is no reason to worry.
func (d *daemon) logBird(e control.Event) {
	if e.Up {
		d.log.Info("BIRD is up", "socket", e.Socket, "version", e.Version)
		return
	}
	level := slog.LevelWarn
	if starting := d.children.has(e.Socket) && !d.seenAt(e.Socket).up; starting || !d.missed(d.setAt(e.Socket)) {
		level = slog.LevelInfo
	}
	d.log.Log(context.Background(), level, "BIRD is not up", "socket", e.Socket, "error", e.Err)
}

// setAt is the name of the set that the BIRD of a socket reads.
func (d *daemon) setAt(socket string) string {
	if d.birds.Version.Major == 1 && socket == d.birds.Socket6 {
		return "bird6"
	}
	return "bird"
}

// signal passes a signal on to the BIRDs that we run. SIGHUP means to look at
// everything again, and that all BIRDs read their files.
func (d *daemon) signal(s os.Signal) {
	d.children.signal(s)
	if s != hangup {
		return
	}
	d.log.Info("told to look at everything again", "signal", s.String())
	d.observer.notifier.Reloading()
	d.reloadTemplates()
	d.dirty = true
	if d.live != nil {
		for _, socket := range d.birds.Sockets() {
			d.restarted[socket] = true
		}
	}
	if d.in.complete() {
		d.pace.changed(time.Now(), 0)
	}
}

// findBirds finds out which BIRD there is: at first, and when one was restarted
// (it may be another version).
func (d *daemon) findBirds(ctx context.Context) error {
	if d.birds.Version.Major != 0 && len(d.restarted) == 0 {
		return nil
	}
	here, err := birds.Find(ctx, d.node.settings.BIRD)
	if err != nil {
		return err
	}
	if here.Version != d.birds.Version {
		d.log.Info("writing for BIRD", "version", here.Version.String(), "folder", here.Dir)
	}
	first := d.birds.Dir == ""
	d.birds = here
	if first { // this program has written nothing yet
		if r, err := report.Read(here.Dir); err == nil && r != nil {
			d.before = *r
		}
		if d.node.settings.Safety.Guard > 0 {
			d.found = d.confirmedBefore()
		}
	}
	return nil
}

// watchBirds watches the control sockets that are used, and not watched yet.
func (d *daemon) watchBirds(ctx context.Context, g *errgroup.Group) {
	if !d.node.UsesSockets() {
		return
	}
	for _, socket := range d.birds.Sockets() {
		if !slices.Contains(d.watched, socket) {
			d.watched = append(d.watched, socket)
			g.Go(func() error { control.Watch(ctx, socket, d.events, slog.New(slog.DiscardHandler)); return nil })
		}
	}
}
