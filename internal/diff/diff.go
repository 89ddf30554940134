// Package diff says what another state of the cluster would do to its nodes: what
// would change in BIRD's files, and what that means for sessions and routes.
package diff

import (
	"context"

	"confd/bgp"
)

// Compare compares two states for this node. A node that one of the states does not
// have is an error.
func (d Differ) Compare(ctx context.Context, o Options) (*Report, error) {
	if o.AllNodes {
		return d.compareAll(ctx, o)
	}
	report := &Report{Options: o, Bird: d.Birds.Version.String(), Nodes: 1}
	s, err := d.states(ctx, o)
	if err != nil {
		return nil, err
	}
	to, err := d.side(ctx, o.To, bgp.NewCluster(s.to))
	if err != nil {
		return nil, err
	}
	report.Problems = to.problems
	for _, set := range to.sets {
		report.Files += len(set.Files)
	}
	var from side
	if o.From == Disk {
		from, err = onDisk(to.sets)
	} else {
		from, err = d.side(ctx, o.From, bgp.NewCluster(s.from))
	}
	if err != nil {
		return nil, err
	}
	if files := files(from, to); len(files) > 0 {
		g := Group{
			Kind: NodeChanged, Nodes: []string{d.Planner.Settings.BGP.Node}, Files: files,
			Changes: compareSides(from, to, d.Birds.Version.Major),
		}
		d.withoutRefresh(ctx, &g.Changes, to.config)
		report.Groups = []Group{g}
	}
	return report, nil
}
