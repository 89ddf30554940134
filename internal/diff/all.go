package diff

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/plan"
	"confd/internal/settings"
)

// compareAll compares for all nodes of both states.
func (d Differ) compareAll(ctx context.Context, o Options) (*Report, error) {
	if o.From == Disk {
		return nil, settings.Error{Err: errors.New("--all-nodes needs two states: of the files that BIRD has there are only those of this node")}
	}
	if id := d.Planner.Settings.BGP.RouterID; id != "" && id != "hash" {
		return nil, settings.Error{Err: fmt.Errorf("--all-nodes: the router ID %s is that of one node: leave it out, or use hash", id)}
	}
	s, err := d.states(ctx, o)
	if err != nil {
		return nil, err
	}
	report := &Report{Options: o, Bird: d.Birds.Version.String()}
	c := comparison{Differ: d, Options: o, own: clustersOf(s.from, s.to), others: clustersOf(s.from.WithoutWorkloads(), s.to.WithoutWorkloads()), groups: map[[sha256.Size]byte]*Group{}, problems: map[bgp.Problem]bool{}}
	names := slices.Collect(maps.Keys(s.from.Nodes))
	names = slices.AppendSeq(names, maps.Keys(s.to.Nodes))
	slices.Sort(names)
	names = slices.Compact(names)
	report.Nodes = len(names)
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range names {
		g.Go(func() error {
			if err := running.Err(); err != nil {
				return err
			}
			return c.node(running, name)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if report.Groups, err = c.sorted(ctx); err != nil {
		return nil, err
	}
	report.Problems = slices.SortedFunc(maps.Keys(c.problems), func(a, b bgp.Problem) int {
		return cmp.Or(a.Object.Compare(b.Object), cmp.Compare(a.Text, b.Text))
	})
	return report, nil
}

// comparison compares the nodes of two states.
type comparison struct {
	Differ
	Options
	// own are both states as this node sees them, others as other nodes do: local
	// workloads are this machine's alone, and of other nodes nobody knows them.
	own, others clusters

	mu sync.Mutex
	// groups are nodes by what becomes of them.
	groups   map[[sha256.Size]byte]*Group
	problems map[bgp.Problem]bool
}

// clusters are the states before and after, to compute from.
type clusters struct{ from, to *bgp.Cluster }

func clustersOf(from, to *backends.State) clusters {
	return clusters{bgp.NewCluster(from), bgp.NewCluster(to)}
}

// of is the differ for a node of the cluster, and the states as it sees them.
func (c *comparison) of(name string) (d Differ, states clusters, err error) {
	d = c.Differ
	own := &d.Planner.Settings.BGP
	if name == own.Node {
		return d, c.own, nil
	}
	own.Node, own.K8sNode = name, name
	if !d.Planner.Templates.BuiltIn { // they may look up what is the node's
		d.Planner.Templates, err = plan.Load(d.Planner.Settings, slog.New(slog.DiscardHandler))
	}
	return d, c.others, err
}

// node compares for one node, and puts it into its group.
func (c *comparison) node(ctx context.Context, name string) error {
	d, states, err := c.of(name)
	if err != nil {
		return err
	}
	before, _, errBefore := d.compute(states.from)
	after, problems, errAfter := d.compute(states.to)
	c.note(problems)
	kind, err := kindOf(errBefore, errAfter, states.to.State().Invalid[backends.Key{Kind: backends.KindNode, Name: name}] != nil)
	switch {
	case err != nil:
		return c.put(name, Group{Kind: NodeFailed, Err: err})
	case kind == NodeRemoved:
		after = &bgp.Config{IPv4: bgp.Family{Version: 4}, IPv6: bgp.Family{Version: 6}}
	}
	changes := bgp.Compare(before, after, d.Birds.Version.Major)
	if kind != NodeChanged { // sessions and routes say it; all else is new or gone, too
		changes.Settings, changes.Families[0].Kernel, changes.Families[1].Kernel = nil, false, false
	}
	if kind == NodeChanged && changes.Empty() {
		same, err := c.same(ctx, d, before, after)
		if same || err != nil {
			return err
		}
	}
	return c.put(name, Group{Kind: kind, Changes: changes})
}

// kindOf says what becomes of a node by what hinders its configuration before and
// after; invalid says that it is there after, and cannot be used. Its error says
// why nothing can be said.
func kindOf(before, after error, invalid bool) (Kind, error) {
	unknown := func(err error) bool { return errors.Is(err, bgp.ErrUnknownNode) }
	switch {
	case before == nil && after == nil:
		return NodeChanged, nil
	case unknown(before) && after == nil:
		return NodeAdded, nil
	case before == nil && unknown(after) && !invalid:
		return NodeRemoved, nil
	case after != nil:
		return NodeFailed, fmt.Errorf("state after: %w", after)
	}
	return NodeFailed, fmt.Errorf("state before: %w", before)
}

// same says whether the node's files are the same in both states, which mean the
// same. They are only rendered where the configurations do not say it.
func (c *comparison) same(ctx context.Context, d Differ, before, after *bgp.Config) (bool, error) {
	x, y := *before, *after
	x.Problems, y.Problems = nil, nil
	if reflect.DeepEqual(x, y) && !d.Planner.Templates.DependOnState() {
		return true, nil
	}
	list, err := c.files(ctx, d.Planner.Settings.BGP.Node)
	return len(list) == 0, err
}

// note keeps what is wrong with the state after.
func (c *comparison) note(problems []bgp.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range problems {
		c.problems[p] = true
	}
}

// put puts a node into the group of those of which the same becomes.
func (c *comparison) put(name string, g Group) error {
	text := ""
	if g.Err != nil {
		// The node's own name makes no other error of it.
		text = strings.ReplaceAll(g.Err.Error(), name, "NODE")
	}
	data, err := json.Marshal([]any{g.Kind, text, changesJSON(g.Changes)})
	if err != nil {
		return err
	}
	key := sha256.Sum256(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.groups[key] == nil {
		c.groups[key] = &g
	}
	c.groups[key].Nodes = append(c.groups[key].Nodes, name)
	return nil
}

// sorted are the groups, with the files of the first node of each.
func (c *comparison) sorted(ctx context.Context) ([]Group, error) {
	var all []Group
	for _, g := range c.groups {
		slices.Sort(g.Nodes)
		if g.Kind == NodeChanged || g.Kind == NodeAdded {
			var err error
			if g.Files, err = c.files(ctx, g.Nodes[0]); err != nil {
				return nil, err
			}
		}
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(cmp.Compare(len(b.Nodes), len(a.Nodes)), cmp.Compare(a.Nodes[0], b.Nodes[0]))
	})
	return all, nil
}

// files are the files of a node that differ. A side that does not have the node
// has no files.
func (c *comparison) files(ctx context.Context, name string) ([]File, error) {
	d, states, err := c.of(name)
	if err != nil {
		return nil, err
	}
	before, err := d.side(ctx, c.From, states.from)
	if err != nil && !errors.Is(err, bgp.ErrUnknownNode) {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	after, err := d.side(ctx, c.To, states.to)
	if err != nil && !errors.Is(err, bgp.ErrUnknownNode) {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	before.name, after.name = c.From+", node "+name, c.To+", node "+name
	return files(before, after), nil
}
