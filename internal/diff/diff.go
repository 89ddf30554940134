// Package diff says what another state of the cluster would do to its nodes: what
// would change in BIRD's files, and what that means for sessions and routes.
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

// Wanted is what is wanted of the live state.
type Wanted struct {
	// AllNodes is set where what concerns other nodes matters, too.
	AllNodes bool
	// Beside are resources that will be laid over it: what they refer to is needed
	// as well; nil: none.
	Beside *backends.State
}

// Options say what is compared.
type Options struct {
	// From and To are Live, or a path of YAML; From may be Disk.
	From, To string
	// Whole says that what a path of To holds is all there is; else it is laid
	// over the state of From.
	Whole bool
	// AllNodes compares for all nodes of the cluster, not for this one alone.
	AllNodes bool
}

// IsOverlay says whether the resources of To are laid over the state of From.
func (o Options) IsOverlay() bool { return o.To != Live && o.From != Disk && !o.Whole }

// Report is what a comparison has found.
type Report struct {
	Options
	// Bird is the version of BIRD that the files are for.
	Bird string
	// Files is how many files were compared, where it is for one node.
	Files int
	// Nodes is how many nodes were compared; Groups are those that change, by
	// what becomes of them: the largest group first.
	Nodes  int
	Groups []Group
	// Problems are what is wrong with the state after, as far as it concerns the
	// nodes: each once, sorted.
	Problems []bgp.Problem
}

// Changed is how many nodes change.
func (r *Report) Changed() int {
	n := 0
	for _, g := range r.Groups {
		n += len(g.Nodes)
	}
	return n
}

// Kind is what becomes of a node.
type Kind string

// The kinds.
const (
	NodeChanged Kind = "changed"
	NodeAdded   Kind = "added"   // it is only in the state after
	NodeRemoved Kind = "removed" // it is only in the state before
	NodeFailed  Kind = "failed"  // nothing can be said about it; Group.Err says why
)

// Group is nodes of which the same becomes.
type Group struct {
	Kind    Kind
	Nodes   []string // sorted
	Changes bgp.Changes
	Err     error // of NodeFailed
	// Files are those of the first of the nodes that differ; of nodes that are gone
	// there are none.
	Files []File
}

// File is how one file differs.
type File struct {
	// Path is where it goes.
	Path string
	// Diff is a unified diff, without passwords.
	Diff string
}

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
