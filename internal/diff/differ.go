package diff

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"

	"confd/backends"
	"confd/bgp"
	"confd/internal/birds"
	"confd/internal/birdtext"
	"confd/internal/plan"
	"confd/internal/unified"
	"confd/reload"
	"confd/reload/control"
)

// Differ compares states.
type Differ struct {
	// Planner computes and renders for this node; for other nodes of the cluster
	// it is told their names.
	Planner plan.Planner
	Birds   birds.Daemons
	// Statuses is the folder of the endpoint status files of this node.
	Statuses string
	// Live reads the live state.
	Live func(context.Context, Wanted) (*backends.State, error)
	// Sessions are those of the BIRDs that run on this machine, as far as is known.
	Sessions func(context.Context) []control.SessionState
	Log      *slog.Logger
}

// side is one of the two states, as a node's files.
type side struct {
	name string
	// config is nil for what is on disk.
	config *bgp.Config
	sets   []reload.Set
	// problems are config's, and what BIRD is known not to have.
	problems []bgp.Problem
}

// side renders a state.
func (d Differ) side(ctx context.Context, name string, cluster *bgp.Cluster) (side, error) {
	out := side{name: name}
	var err error
	if out.config, out.problems, err = d.compute(cluster); err != nil {
		return out, fmt.Errorf("state %s: %w", name, err)
	}
	files, err := d.Planner.Render(ctx, out.config, cluster.State(), d.Birds.Version)
	if err != nil {
		return out, fmt.Errorf("state %s: %w", name, err)
	}
	out.sets = d.Planner.Sets(files, d.Birds)
	return out, nil
}

// compute gives the node's configuration by a state, as its BIRD will have it, and what
// is wrong with it.
func (d Differ) compute(cluster *bgp.Cluster) (*bgp.Config, []bgp.Problem, error) {
	asked, err := d.Planner.ComputeIn(cluster)
	if err != nil {
		return nil, nil, err
	}
	config, left := plan.Fit(asked, d.Birds.Version)
	problems := slices.Clone(config.Problems)
	for _, key := range slices.SortedFunc(maps.Keys(left), backends.Key.Compare) {
		problems = append(problems, bgp.Problem{Object: key, Text: left[key], LeftOut: true})
	}
	return config, problems, nil
}

// files are the files that differ. Both sides have the same files: they come from
// the same templates. Those of a side that is empty are empty.
func files(from, to side) []File {
	all := to.sets
	if len(all) == 0 {
		all = from.sets
	}
	var out []File
	for i, set := range all {
		for j, f := range set.Files {
			text := unified.Diff(f.Dest+" ("+from.name+")", from.text(i, j), f.Dest+" ("+to.name+")", to.text(i, j))
			if text != "" {
				out = append(out, File{Path: f.Dest, Diff: unified.Hidden(text)})
			}
		}
	}
	return out
}

// text is the text of one of the side's files.
func (s side) text(set, file int) string {
	if len(s.sets) == 0 {
		return ""
	}
	return string(s.sets[set].Files[file].Data)
}

// compareSides says what differs in the words of the model. Of what is on disk
// only the text is known.
func compareSides(from, to side, bird int) bgp.Changes {
	if from.config == nil {
		return birdtext.Compare(plan.Texts(from.sets), plan.Texts(to.sets), bird)
	}
	return bgp.Compare(from.config, to.config, bird)
}

// withoutRefresh has those sessions restart whose neighbor cannot send its routes again,
// as this machine's BIRD knows: where it is the node's, its sessions come from the node's
// addresses. What comes of it with templates of a user's is not known: BIRD need not ask
// where they keep a table of what was received.
func (d Differ) withoutRefresh(ctx context.Context, c *bgp.Changes, to *bgp.Config) {
	if len(c.Reasked) == 0 || d.Sessions == nil || !d.Planner.Templates.BuiltIn {
		return
	}
	deaf := Deaf(to, d.Sessions(ctx))
	c.WithoutRefresh(func(session string) bool { return deaf[session] })
}

// Deaf says of which sessions of a configuration the neighbor cannot send its routes again
// (true), or can, as a BIRD has them: those that have the same ends there, and are up. So
// the sessions of another node's BIRD are none.
func Deaf(c *bgp.Config, has []control.SessionState) map[string]bool {
	type ends struct{ neighbor, source netip.Addr }
	is := map[string]ends{}
	for _, f := range c.Families() {
		for _, s := range f.Sessions {
			is[s.Name] = ends{s.Neighbor, f.Address}
		}
	}
	deaf := map[string]bool{}
	for _, s := range has {
		if s.Established() && is[s.Name] == (ends{s.Neighbor.WithZone(""), s.Source}) {
			deaf[s.Name] = s.NoRefresh
		}
	}
	return deaf
}
