// Package forecast says what a change of the cluster's resources would do, before it
// is made: on each node, and on those together of which the same becomes.
//
// It is pure: both states come in, and a Report comes out. Nodes that are asked for
// the same sessions are looked at once; what is one node's alone (its blocks) is
// looked at on each.
package forecast

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/internal/doctor"
)

// Forecast says what a change would do. Errors are those of ctx.
func Forecast(ctx context.Context, q Question) (*Report, error) {
	f := newForecaster(q)
	report := &Report{Objects: f.objects(), Nodes: len(f.names), Groups: []Group{}, Findings: []doctor.Finding{}}
	effects := make([]*effect, len(f.kinds))
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, k := range f.kinds {
		g.Go(func() error {
			if running.Err() != nil {
				return running.Err()
			}
			effects[i] = f.look(k)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	f.group(report, effects)
	return report, f.examine(ctx, report)
}

// examine compares what the doctor finds before and after.
func (f *forecaster) examine(ctx context.Context, report *Report) error {
	found := map[doctor.Finding]bool{}
	for i, s := range []*backends.State{f.Before, f.After} {
		r, err := doctor.Examine(ctx, doctor.Question{State: s, Options: f.Options, BIRD: f.BIRD})
		if err != nil {
			return err
		}
		for _, x := range r.Findings {
			switch {
			case i == 0:
				found[x] = true
			case found[x]:
				delete(found, x)
			default:
				report.Findings = append(report.Findings, x)
			}
		}
	}
	report.Cured = len(found)
	return nil
}

// group puts the effects together that are the same.
func (f *forecaster) group(report *Report, effects []*effect) {
	groups := map[string]*Group{}
	for i, e := range effects {
		for _, name := range f.kinds[i].nodes {
			g, changed := f.of(name, e)
			if !changed {
				continue
			}
			report.Changed++
			report.Totals.add(g)
			key := g.key()
			if groups[key] == nil {
				groups[key] = &Group{}
				*groups[key] = g
				continue
			}
			groups[key].Nodes = append(groups[key].Nodes, name)
			groups[key].RoutesLost = append(groups[key].RoutesLost, g.RoutesLost...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		slices.Sort(groups[key].Nodes)
		report.Groups = append(report.Groups, *groups[key])
	}
	slices.SortStableFunc(report.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.badness(), a.badness()), cmp.Compare(len(b.Nodes), len(a.Nodes)), cmp.Compare(a.Nodes[0], b.Nodes[0]))
	})
}
