// Package golden runs golden checks: cases, which are folders with a cluster's
// resources, settings, and the files that a node's BIRD should be given.
//
// It finds and reads cases, renders, compares with what is wanted or writes it,
// and reports. Cases come one after the other, and the nodes of one side by side;
// what was made for a node is gone when it has been reported.
package golden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sourcegraph/conc/stream"

	"confd/bgp"
	"confd/etc"
	"confd/internal/birdcheck"
	"confd/internal/plan"
	"confd/templates"
)

// Options say how to run cases.
type Options struct {
	// Match picks the targets whose IDs it matches; nil: all.
	Match *regexp.Regexp
	// Update writes what was rendered instead of comparing with it.
	Update bool
	// Strict fails targets with warnings that their case lists, too.
	Strict bool
	// Checker has BIRD read what was rendered; nil: none does.
	Checker *birdcheck.Checker
	// Report is told of each result, in the order of the cases.
	Report Reporter
}

// Reporter is told how targets went. Its methods are called one at a time.
type Reporter interface {
	// Planned says that n more targets will come; fewer, where a case is broken.
	Planned(n int)
	// Result says how one went.
	Result(Result) error
	// End says that there are no more.
	End(Summary) error
}

// ErrNoMatch is returned where no target has an ID that matches.
var ErrNoMatch = errors.New("no check's name matches")

// Run runs the cases, and reports. Its error is that of ctx or of the report, or
// says that no target matches; what is wrong with targets is in their results.
func Run(ctx context.Context, cases []*Case, o Options) (Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &runner{Options: o, builtIn: sync.OnceValues(builtInTemplates), began: time.Now()}
	r.stop = cancel
	for _, c := range cases {
		if !c.hasPatterns() {
			r.planned(r.count(c.targets(c.nodes)))
		}
	}
	s := stream.New().WithMaxGoroutines(runtime.GOMAXPROCS(0))
	for _, c := range cases {
		if ctx.Err() != nil {
			break
		}
		r.start(ctx, s, c)
	}
	s.Wait()
	r.summary.Took = time.Since(r.began)
	if ctx.Err() != nil {
		return r.summary, context.Cause(ctx)
	}
	if r.summary.Cases == 0 {
		return r.summary, fmt.Errorf("%w %q", ErrNoMatch, o.Match)
	}
	return r.summary, o.Report.End(r.summary)
}

// builtInTemplates are those inside the program. They look nothing up that
// depends on the node.
func builtInTemplates() (plan.Templates, error) {
	builtIn, err := fs.Sub(etc.Confd, "confd")
	if err != nil {
		return plan.Templates{}, err
	}
	engine, err := templates.Load(builtIn, templates.Options{})
	return plan.Templates{Engine: engine, BuiltIn: true}, err
}

// runner is one run of cases.
type runner struct {
	Options
	builtIn func() (plan.Templates, error)
	began   time.Time
	stop    context.CancelCauseFunc
	mu      sync.Mutex // of Report and summary
	summary Summary
}

// start runs a case's targets in s. What the case's data are is read when it is
// needed first, once.
func (r *runner) start(ctx context.Context, s *stream.Stream, c *Case) {
	if !c.hasPatterns() && r.count(c.targets(c.nodes)) == 0 {
		return
	}
	load := sync.OnceValues(func() (*bgp.Cluster, error) { return c.load(ctx) })
	names := c.nodes
	var err error
	if c.nodeFolders { // what is wrong with its data is wrong for all of them
		names, err = c.nodeNames(load)
	}
	if err != nil {
		r.broken(s, c, err)
		return
	}
	all := c.targets(names)
	if c.hasPatterns() {
		r.planned(r.count(all))
	}
	entries := listed{entries: slices.Clone(c.warnings), left: countAll(all)}
	for _, targets := range all {
		if targets = r.picked(targets); len(targets) == 0 {
			continue
		}
		s.Go(func() stream.Callback {
			results := r.run(ctx, targets, load)
			return func() {
				entries.compare(results)
				r.report(results)
			}
		})
	}
}

func countAll(all [][]Target) int {
	n := 0
	for _, targets := range all {
		n += len(targets)
	}
	return n
}

// broken reports that a case is broken as a whole, which is one failure.
func (r *runner) broken(s *stream.Stream, c *Case, err error) {
	if c.hasPatterns() {
		r.planned(1)
	}
	result := Result{Target: Target{Case: c, ID: c.Name}, Err: err}
	s.Go(func() stream.Callback { return func() { r.report([]Result{result}) } })
}

func (r *runner) picks(t Target) bool { return r.Match == nil || r.Match.MatchString(t.ID) }

func (r *runner) picked(targets []Target) []Target {
	var out []Target
	for _, t := range targets {
		if r.picks(t) {
			out = append(out, t)
		}
	}
	return out
}

// count is how many of a case's targets are picked.
func (r *runner) count(all [][]Target) int {
	n := 0
	for _, targets := range all {
		n += len(r.picked(targets))
	}
	return n
}

func (r *runner) planned(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Report.Planned(n)
}

// report counts results, and reports them.
func (r *runner) report(results []Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range results {
		if errors.Is(result.Err, context.Canceled) {
			return // it was stopped, and is no result
		}
		r.summary.add(result)
		if err := r.Report.Result(result); err != nil {
			r.stop(err)
			return
		}
	}
}

// run runs the targets of one node.
func (r *runner) run(ctx context.Context, targets []Target, load func() (*bgp.Cluster, error)) []Result {
	results := make([]Result, len(targets))
	began := time.Now()
	render, err := r.prepare(targets[0], load)
	for i, t := range targets {
		results[i] = Result{Target: t, Err: err}
		if err == nil {
			r.compare(ctx, &results[i], render)
		}
		results[i].Took = time.Since(began)
		began = time.Now()
	}
	return results
}

// renderer makes the files of one of a node's targets.
type renderer func(context.Context, Target) (Rendering, error)

// prepare computes what the node of t should speak: that is the same for every
// BIRD.
func (r *runner) prepare(t Target, load func() (*bgp.Cluster, error)) (renderer, error) {
	builtIn, err := r.builtIn()
	if err != nil {
		return nil, err
	}
	p, err := t.planner(t.Node, builtIn)
	if err != nil {
		return nil, err
	}
	cluster, err := load()
	if err != nil {
		return nil, err
	}
	cfg, err := p.ComputeIn(cluster)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t Target) (Rendering, error) {
		return t.render(ctx, p, cfg, cluster.State(), r.Checker)
	}, nil
}

// compare renders a target, and compares or updates what is wanted.
func (r *runner) compare(ctx context.Context, out *Result, render renderer) {
	t := out.Target
	got, err := render(ctx, t)
	out.CheckedBy, out.Note = got.Verdict.By, got.Verdict.Note
	if err != nil {
		out.Err = err
		return
	}
	out.warnings, out.rendered = got.Warnings, true
	if got.Verdict.Refused != nil {
		out.Err = fmt.Errorf("%s does not take it: %w", out.CheckedBy, got.Verdict.Refused)
	}
	c, err := t.compare(got)
	switch {
	case err != nil:
		out.Err = err
		return
	case !r.Update:
		out.Diffs, err = c.diffs()
	case out.Err == nil: // what BIRD refuses is nothing to want
		out.Updated, err = c.update()
	}
	out.Err = errors.Join(out.Err, err, t.unexpected(got.Warnings, c.warnings, r.Strict))
}
