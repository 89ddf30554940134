package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/guard"
	"confd/internal/plan"
	"confd/internal/quarantine"
	"confd/internal/routes"
	"confd/reload"
)

// searchLimit is how long the search for objects that BIRD refuses may take. The
// last good configuration stays meanwhile.
const searchLimit = time.Minute

// surveyLimit is for a BIRD to list its sessions, routesLimit for its routes besides.
const (
	surveyLimit = 3 * time.Second
	routesLimit = 10 * time.Second
)

// found says which BIRD there is, or why nobody knows.
type found struct {
	birds birds.Daemons
	left  Left // where this is the first time
	err   error
}

// planned is a candidate, or why there is none.
type planned struct {
	candidate *plan.Candidate
	err       error
}

// surveyed is what a look at the BIRDs has shown.
type surveyed struct {
	// sessions are those that are established, by set. Of a set that is missing they
	// are not known.
	sessions map[string][]guard.Seen
	whole    bool            // with their routes
	routes   []bgp.Route     // nil: not known, at least of one of the BIRDs
	asked    bool            // about neighbors
	deaf     map[string]bool // as guard.Question.Deaf
	unknown  error           // why sessions are not known, or routes that were asked for
	unheard  error           // why something about neighbors is not
	local    []netip.Addr    // of this machine's interfaces; nil: not known
	same     bool            // BIRD sees none but these
}

// saw notes what the BIRD of a set has said.
func (s *surveyed) saw(set string, seen []guard.Seen, routes []bgp.Route, err error) {
	if err == nil || seen != nil {
		s.sessions[set] = seen
	}
	s.routes = append(s.routes, routes...)
	if err != nil {
		s.unknown = errors.Join(s.unknown, fmt.Errorf("set %s: %w", set, err))
	}
}

// finished settles what is known of the routes: all of them, or none.
func (s *surveyed) finished() {
	switch {
	case !s.whole || s.unknown != nil:
		s.routes = nil
	case s.routes == nil:
		s.routes = []bgp.Route{}
	}
}

// searched is a candidate without the objects that BIRD refuses, or why there is
// none.
type searched struct {
	candidate *plan.Candidate
	err       error
}

// jobs carries out what takes time and concerns no set by itself, beside the loop.
type jobs struct {
	ctx   context.Context
	lanes *lanes
	world World
}

// start has a job done, and tells the loop what came of it.
func (j jobs) start(job func(context.Context) any) {
	j.lanes.group.Go(func() error {
		j.lanes.send(job(j.ctx))
		return nil
	})
}

// find finds out which BIRD there is; the first time it also has its folder for this
// program alone, and looks what lies there.
func (j jobs) find(first bool) {
	j.start(func(ctx context.Context) any {
		d, err := j.world.Find(ctx)
		if err == nil && first {
			err = j.world.Lock(d.Dir)
		}
		if err != nil || !first {
			return found{birds: d, err: err}
		}
		return found{birds: d, left: j.world.Left(d.Dir)}
	})
}

// plan renders what a state asks for; before is what runs, nil where that is not known.
func (j jobs) plan(p plan.Planner, cfg *bgp.Config, state *backends.State, d birds.Daemons, base plan.Candidate, before *plan.Candidate) {
	j.start(func(ctx context.Context) any {
		c, err := p.Candidate(ctx, cfg, state, d, base.Revision, before)
		if err != nil {
			return planned{err: err}
		}
		rendered := c.Times.Rendered
		c.Full, c.Changed, c.Times = base.Full, base.Changed, base.Times
		c.Times.Rendered = rendered
		return planned{candidate: c}
	})
}

// heard notes what the BIRD of a set has said of neighbors.
func (s *surveyed) heard(set string, deaf map[string]bool, err error) {
	maps.Copy(s.deaf, deaf)
	if err != nil {
		s.unheard = errors.Join(s.unheard, fmt.Errorf("set %s: %w", set, err))
	}
}

// survey asks the BIRDs of sets which sessions are established, all at once; with
// their routes where whole is set; and which neighbors of the sessions in ask cannot
// send their routes again.
func (j jobs) survey(sets []reload.Set, whole bool, ask []string) {
	sets = slices.DeleteFunc(slices.Clone(sets), func(s reload.Set) bool { return !hasDaemon(s) })
	limit := surveyLimit
	if whole {
		limit = routesLimit
	}
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		var mu sync.Mutex
		var wg sync.WaitGroup
		out := surveyed{sessions: map[string][]guard.Seen{}, whole: whole, asked: len(ask) > 0, deaf: map[string]bool{}}
		var sockets []string
		for _, s := range sets {
			sockets = append(sockets, s.Daemon.Socket)
		}
		wg.Go(func() { out.local, out.same = j.world.Local(ctx, sockets) })
		for _, s := range sets {
			wg.Go(func() {
				seen, routes, err := j.world.Survey(ctx, s.Daemon.Socket, whole)
				var deaf map[string]bool
				var unheard error
				if len(ask) > 0 && err == nil {
					deaf, unheard = j.world.Deaf(ctx, s.Daemon.Socket, ask)
				}
				mu.Lock()
				defer mu.Unlock()
				out.saw(s.Name, seen, routes, err)
				out.heard(s.Name, deaf, unheard)
			})
		}
		wg.Wait()
		out.finished()
		return out
	})
}

// routesSeen is what a look at the routes of a set's BIRD has shown, which should have
// what config says.
type routesSeen struct {
	set     string
	config  *bgp.Config
	verdict routes.Verdict
	took    time.Duration
}

// routesSet is what is looked at: the BIRD of a set, the address families that are its,
// and what it should have.
type routesSet struct {
	set      reload.Set
	families []*bgp.Family
	config   *bgp.Config
	state    *backends.State
	builtIn  bool // the templates are the program's own
}

// question asks of the routes of a set.
func (r routesSet) question() RoutesQuestion {
	want := routes.WantOf(r.config, r.state, r.families, r.builtIn)
	return RoutesQuestion{Socket: r.set.Daemon.Socket, Want: want, Whole: true}
}

// routes looks at the routes of a set.
func (j jobs) routes(r routesSet, p *routes.Patrol, now time.Time) {
	whole, signature, turn := p.Begin(now)
	before := p.Before()
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, routesLimit)
		defer cancel()
		q := r.question()
		q.Whole, q.Before, q.Turn, q.Again = whole, signature, turn, before.Untold()
		l := j.world.Routes(ctx, q)
		return routesSeen{r.set.Name, r.config, routes.Judge(q.Want, l, before), l.Took}
	})
}

// routesRemoved are routes that were taken out of the kernel.
type routesRemoved struct {
	set     string
	entries []routes.Entry
	err     error
}

// remove takes the older routes of faults out of the kernel.
func (j jobs) remove(r routesSet, faults []routes.Fault) {
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, routesLimit)
		defer cancel()
		removed, err := j.world.Remove(ctx, r.question(), faults)
		return routesRemoved{r.set.Name, removed, err}
	})
}

// explained is what BIRD says of sessions of a set, by name.
type explained struct {
	set   string
	words map[string]string
}

// mostExplained is of how many sessions BIRD is asked why they are down.
const mostExplained = 5

// explain asks the BIRD of a set why sessions are not up.
func (j jobs) explain(s reload.Set, names []string) {
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, surveyLimit)
		defer cancel()
		e := explained{set: s.Name, words: map[string]string{}}
		for _, name := range names[:min(len(names), mostExplained)] {
			if text, err := j.world.Explain(ctx, s.Daemon.Socket, name); err == nil && text != "" {
				e.words[name] = text
			}
		}
		return e
	})
}

// remember writes a memory down.
func (j jobs) remember(folder string, k Knowledge) {
	j.start(func(context.Context) any { return remembered{j.world.Remember(folder, k)} })
}

// remembered says whether a memory could be written.
type remembered struct{ err error }

// search looks for the objects for which a check refuses c.
func (j jobs) search(p plan.Planner, c *plan.Candidate, refused error, remembered map[backends.Key]string) {
	lanes := map[string]*lane{}
	for _, s := range c.Sets {
		lanes[s.Name] = j.lanes.of(s.Name)
	}
	try := func(ctx context.Context, without map[backends.Key]string) (quarantine.Attempt, error) {
		return j.attempt(ctx, p, c, without, lanes)
	}
	j.start(func(ctx context.Context) any {
		ctx, cancel := context.WithTimeout(ctx, searchLimit)
		defer cancel()
		r, err := quarantine.Find(ctx, quarantine.Attempt{Config: c.Config, Sets: c.Sets}, refused,
			quarantine.Options{Try: try, Remembered: remembered})
		if err != nil {
			return searched{err: err}
		}
		return searched{candidate: c.Without(r.Culprits, r.Attempt.Config, r.Attempt.Sets)}
	})
}

// attempt makes c without some objects, and has it checked.
func (j jobs) attempt(ctx context.Context, p plan.Planner, c *plan.Candidate, without map[backends.Key]string, lanes map[string]*lane) (quarantine.Attempt, error) {
	state := c.State.Without(without)
	cfg, err := p.Compute(state)
	if err != nil {
		return quarantine.Attempt{}, err
	}
	made, err := p.Candidate(ctx, cfg, state, c.Birds, c.Revision, c)
	if err != nil {
		return quarantine.Attempt{}, err
	}
	var errs []error
	for _, s := range made.Sets {
		if lanes[s.Name] == nil {
			continue // a set that only comes where the others are left out
		}
		errs = append(errs, j.lanes.do(ctx, lanes[s.Name], func(t Target) error { return t.Check(ctx, s) }))
	}
	return quarantine.Attempt{Config: made.Config, Sets: made.Sets}, errors.Join(errs...)
}
