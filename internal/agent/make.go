package agent

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"confd/internal/edition"
	"confd/internal/hold"
	"confd/internal/inbox"
	"confd/internal/known"
	"confd/internal/outcome"
	"confd/internal/routes"
	"confd/internal/runs"
	"confd/internal/schedule"
	"confd/reload/control"
)

// maxPause is the longest time between two tries of what failed.
const maxPause = 30 * time.Second

// newAgent makes the loop, and what belongs to it.
func newAgent(ctx context.Context, g *errgroup.Group, o Options) *Agent {
	observer := newObserver(o.Settings, o.Program, o.Usage, o.Log)
	observer.page = &page{world: o.World, options: o.Planner.Settings.BGP}
	done := make(chan any, 16)
	d := newDesk(ctx, g, o, observer, done)
	now := time.Now()
	start := &startup{desk: d, began: now}
	care := &care{desk: d, start: start}
	jobs := jobs{ctx: ctx, lanes: d.lanes, world: o.World}
	outcomes := &outcomes{
		desk: d, care: care, after: &aftermath{desk: d, jobs: jobs, watch: outcome.Watch{For: o.Settings.Safety.Outcome}},
		judge:   &judge{desk: d, start: start, options: o.Planner.Settings.BGP, memory: newMemory(o.Settings.Node, now)},
		journal: &journal{log: o.Log, level: o.Level, given: o.Settings.Log.Given, metrics: observer.metrics},
	}
	conduct := &conductor{installer: &installer{outcomes}, planner: o.Planner, jobs: jobs}
	conduct.journal.templatesKept(d.edition)
	keep := &upkeep{desk: d, jobs: jobs, listen: map[string]*chore{}, said: map[string]string{}, heard: map[string]Heard{}}
	patrol := &patrol{desk: d, jobs: jobs, sets: map[string]*routes.Patrol{}, refused: map[string]string{}}
	return &Agent{
		desk: d, opts: o, observer: observer, start: start, care: care, conduct: conduct, trials: trials{conduct}, jobs: jobs, patrol: patrol, upkeep: keep,
		reporter: &reporter{outcomes: outcomes, start: start, patrol: patrol, upkeep: keep, program: o.Program, began: now},
		events:   make(chan control.Event, 8), done: done,
	}
}

// newDesk makes the machines.
func newDesk(ctx context.Context, g *errgroup.Group, o Options, observer *observer, done chan<- any) *desk {
	s := o.Settings
	return &desk{
		settings: s, log: o.Log, metrics: observer.metrics, world: o.World,
		children: o.Children(ctx, g, observer.metrics), lanes: newLanes(ctx, g, o.World, done),
		machines: machines{
			inbox:    inbox.New(o.Sources, inbox.Options{SecretNamespace: s.Kubernetes.Namespace, ClusterIPs: len(s.BGP.ClusterIPs) > 0, KeepGood: true, Log: o.Log}),
			schedule: schedule.New(schedule.Options{Gather: s.Timing.Gather, MinInterval: s.Timing.MinInterval, MaxPause: maxPause}),
			edition:  edition.New(o.Planner.Templates, o.Broken),
			hold:     hold.New(s.Safety.HoldFor), tried: hold.New(s.Safety.HoldFor), runs: &runs.Runs{}, known: &known.Sets{}, failures: failures{log: o.Log},
		},
	}
}
