package agent

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"confd/reload"
)

// lanes carry out orders: one goroutine a set, so that no set waits for another.
// But for do they are for the loop's goroutine.
type lanes struct {
	ctx   context.Context
	group *errgroup.Group
	world World
	out   chan<- any // what came of orders: Done, and commandsRan
	all   map[string]*lane
}

// lane is that of one set.
//
//	state  event     next
//	idle   give      busy
//	busy   queue     busy, with that order as the next one
//	busy   free      idle, or busy with the next one
type lane struct {
	target Target
	work   chan func()
	busy   bool
	next   *Order
	// commands are running; again are those to be run after them.
	commands, again *commands
}

// commands are a set's reload commands.
type commands struct {
	set  reload.Set
	list []string
}

// commandsRan says that a set's reload commands have ended.
type commandsRan struct {
	set reload.Set
	err error
}

func newLanes(ctx context.Context, g *errgroup.Group, world World, out chan<- any) *lanes {
	return &lanes{ctx: ctx, group: g, world: world, out: out, all: map[string]*lane{}}
}

// of is the lane of a set. It is there from then on.
func (l *lanes) of(set string) *lane {
	if l.all[set] != nil {
		return l.all[set]
	}
	// Two may be handed in while one is under way: the loop's and a search's.
	made := &lane{target: l.world.Target(set), work: make(chan func(), 2)}
	l.all[set] = made
	l.group.Go(func() error {
		for {
			select {
			case <-l.ctx.Done():
				return nil
			case work := <-made.work:
				work()
			}
		}
	})
	return made
}

// give has an order carried out, unless something else is: false.
func (l *lanes) give(o Order) bool {
	lane := l.of(o.Set.Name)
	if lane.busy {
		return false
	}
	lane.busy = true
	lane.work <- func() { l.send(perform(l.ctx, lane.target, o)) }
	return true
}

// queue has an order carried out now, or after what is being done. One that waits
// already makes way.
func (l *lanes) queue(o Order) {
	if !l.give(o) {
		l.all[o.Set.Name].next = &o
	}
}

// free notes that what was done to a set has ended.
func (l *lanes) free(set string) {
	lane := l.all[set]
	lane.busy = false
	if next := lane.next; next != nil {
		lane.next = nil
		l.give(*next)
	}
}

// do has something done to a set on behalf of another goroutine, after what is
// being done.
func (l *lanes) do(ctx context.Context, lane *lane, what func(Target) error) error {
	done := make(chan error, 1)
	select {
	case lane.work <- func() { done <- what(lane.target) }:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}

// send tells the loop.
func (l *lanes) send(event any) {
	select {
	case l.out <- event:
	case <-l.ctx.Done():
	}
}

// run runs a set's reload commands beside all else; those that come while others
// run are run after them.
func (l *lanes) run(set reload.Set, list []string) {
	lane := l.of(set.Name)
	if lane.commands != nil {
		lane.again = &commands{set, list}
		return
	}
	lane.commands = &commands{set, list}
	l.group.Go(func() error {
		l.send(commandsRan{set, l.world.Run(l.ctx, list)})
		return nil
	})
}

// ran notes that a set's commands have ended.
func (l *lanes) ran(set reload.Set) {
	lane := l.all[set.Name]
	again := lane.again
	lane.commands, lane.again = nil, nil
	if again != nil {
		l.run(again.set, again.list)
	}
}

// running says whether a set's reload commands are running.
func (l *lanes) running(set string) bool { return l.all[set] != nil && l.all[set].commands != nil }

// anyRuns says whether reload commands are running.
func (l *lanes) anyRuns() bool {
	for _, lane := range l.all {
		if lane.commands != nil {
			return true
		}
	}
	return false
}

// perform carries an order out.
func perform(ctx context.Context, t Target, o Order) Done {
	d := Done{Order: o}
	switch o.Action {
	case Check:
		d.Err = t.Check(ctx, o.Set)
	case Apply:
		d.Result, d.Err = applyAndTell(ctx, t, o.Set, o.Tell)
	case Reconfigure:
		d.Result, d.Err = t.Reconfigure(ctx, o.Set)
	case Look:
		d.Result, d.Err = t.Trial(ctx, o.Set)
	case Verify:
		d.Drift, d.Err = t.Verify(ctx, o.Set)
	case Mend:
		d.Result, d.Err = mend(ctx, t, o.Set, o.Found)
	case Boot:
		d.Result, d.Err = t.Boot(ctx, o.Record, o.Daemon)
	case Resume:
		d.Result, d.Err = t.Resume(ctx, o.Record, o.Daemon)
	case Ran:
		d.Result, d.Err = t.Ran(ctx, o.Set, o.Err)
	}
	return d
}

// applyAndTell applies a set. Where tell is set, BIRD reads it also where that did
// nothing, as it is in place already.
func applyAndTell(ctx context.Context, t Target, s reload.Set, tell bool) (reload.Result, error) {
	r, err := t.Apply(ctx, s)
	if err == nil && tell && isIdle(r) {
		return t.Reconfigure(ctx, s)
	}
	return r, err
}

// isIdle says that applying a set has done nothing.
func isIdle(r reload.Result) bool {
	return r.State == reload.Unchanged || r.State == reload.Installed && len(r.Changed) == 0
}

// mend puts right what has drifted; where nothing has, what could not be put right
// before.
func mend(ctx context.Context, t Target, s reload.Set, drift reload.Drift) (reload.Result, error) {
	if len(drift.Files) > 0 || !drift.Any() {
		r, err := t.Apply(ctx, s)
		if err != nil || !isIdle(r) || !drift.Restarted && !drift.Reconfigured {
			return r, err
		}
	}
	return t.Reconfigure(ctx, s)
}

// destinations are the paths of all files of sets.
func destinations(sets []reload.Set) []string {
	var all []string
	for _, s := range sets {
		for _, f := range s.Files {
			all = append(all, f.Dest)
		}
	}
	return slices.Clip(all)
}
