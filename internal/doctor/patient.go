package doctor

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"confd/backends"
	"confd/bgp"
	"confd/internal/explain"
)

// patient is a cluster that is looked at: what the checks have in common is worked
// out once.
type patient struct {
	Question
	cluster *bgp.Cluster
	asker   *explain.Asker
	// inside has the nodes by kind; links are the sessions between kinds.
	inside *bgp.Alike
	links  []link
	// outside is how many sessions with routers each node has.
	outside map[string]int
	// problems are those that working out configurations has shown.
	problems map[backends.Code][]complaint
	// own is this node's configuration; nil: it is none of the nodes.
	own *bgp.Config
	// tunnelPool is a pool whose routes need krt_tunnel; empty: none.
	tunnelPool string

	mu sync.Mutex
	// ends are the sessions of examples with other examples.
	ends map[pairKey]*bgp.Session
}

// pairKey names the end of a session: whose it is, with whom, and its family.
type pairKey struct {
	node, peer string
	version    int
}

// link says that nodes of one kind have sessions with nodes of another one, or with
// each other.
type link struct {
	a, b int // kinds, a <= b
	// x and y are examples: of kinds a and b.
	x, y     string
	version  int
	atX, atY *bgp.Session // nil: only the other side has it
}

func newPatient(ctx context.Context, q Question) (*patient, error) {
	state := q.State.WithoutWorkloads() // they are of no check
	p := &patient{
		Question: q, cluster: bgp.NewCluster(state), asker: explain.New(state, q.Options),
		outside: map[string]int{}, problems: map[backends.Code][]complaint{}, ends: map[pairKey]*bgp.Session{},
	}
	p.inside = p.cluster.AlikeInside()
	p.countOutside()
	examples := p.examples()
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	known := map[bgp.Problem]bool{}
	for _, name := range slices.Sorted(maps.Keys(examples)) {
		g.Go(func() error {
			if running.Err() != nil {
				return running.Err()
			}
			p.look(name, examples, known)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	p.keepProblems(known)
	p.link(examples)
	return p, nil
}

// exampleNodes is how many nodes of a kind are looked at: with two, one sees what
// they have with each other.
const exampleNodes = 2

// examples are the nodes whose configurations are worked out, and whether their
// sessions with each other are: some of each kind, and others where something of
// their own may be wrong.
func (p *patient) examples() map[string]bool {
	out := map[string]bool{}
	for _, kind := range p.inside.Kinds {
		for _, n := range kind[:min(len(kind), exampleNodes)] {
			out[n.Name] = true
		}
	}
	alone := func(name string) {
		if p.State.Nodes[name] != nil && !out[name] {
			out[name] = false
		}
	}
	for _, peer := range p.State.BGPPeers {
		if nodes, err := p.cluster.LocalSide(peer); err == nil && len(nodes) > 0 && !p.cluster.IsInside(peer) {
			alone(nodes[0].Name)
		}
	}
	for name := range p.State.BGPConfigurations {
		alone(trimNode(name))
	}
	for name := range p.State.FelixConfigurations {
		alone(trimNode(name))
	}
	for _, name := range p.covering() {
		alone(name)
	}
	alone(p.Options.Node)
	return out
}

func trimNode(name string) string {
	const prefix = "node."
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return name[len(prefix):]
	}
	return ""
}

// covering are the nodes that have blocks in which addresses of nodes lie.
func (p *patient) covering() []string {
	var addresses []netip.Addr
	for _, n := range p.cluster.Nodes() {
		for _, a := range []netip.Addr{n.IPv4.Addr, n.IPv6.Addr} {
			if a.IsValid() {
				addresses = append(addresses, a)
			}
		}
	}
	for _, peer := range p.State.BGPPeers {
		if peer.PeerIP.IsValid() {
			addresses = append(addresses, peer.PeerIP)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	var out []string
	for _, b := range p.State.BlockAffinities {
		i, _ := slices.BinarySearchFunc(addresses, b.CIDR.Addr(), netip.Addr.Compare)
		if i < len(addresses) && b.CIDR.Contains(addresses[i]) {
			out = append(out, b.Node)
		}
	}
	return out
}

// look works out the configuration of an example.
func (p *patient) look(name string, examples map[string]bool, known map[bgp.Problem]bool) {
	cfg, err := p.cluster.Compute(p.Options.For(name))
	if err != nil {
		return // the node is there: only a router ID of settings can be wrong, which a command has checked
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == p.Options.Node {
		p.own = cfg
	}
	if pool, needed := cfg.NeedsTunnel(); needed {
		p.tunnelPool = pool.Name
	}
	for _, problem := range cfg.Problems {
		known[problem] = true
	}
	if !examples[name] {
		return
	}
	for _, f := range cfg.Families() {
		for _, s := range f.Sessions {
			if examples[s.PeerNode] {
				p.ends[pairKey{name, s.PeerNode, f.Version}] = s
			}
		}
	}
}

func (p *patient) keepProblems(known map[bgp.Problem]bool) {
	for problem := range known {
		p.problems[problem.Code] = append(p.problems[problem.Code], complaint{problem.Object.String(), problem.Text, problem.Place})
	}
}

// link puts the ends of examples together: one link of each two kinds and family.
func (p *patient) link(examples map[string]bool) {
	type linkKey struct{ a, b, version int }
	done := map[linkKey]bool{}
	keys := slices.SortedFunc(maps.Keys(p.ends), func(x, y pairKey) int {
		return slices.Compare([]string{x.node, x.peer, string(rune(x.version))}, []string{y.node, y.peer, string(rune(y.version))})
	})
	for _, k := range keys {
		x, y := k.node, k.peer
		if p.inside.KindOf(x) > p.inside.KindOf(y) || p.inside.KindOf(x) == p.inside.KindOf(y) && x > y {
			x, y = y, x
		}
		l := link{
			a: p.inside.KindOf(x), b: p.inside.KindOf(y), x: x, y: y, version: k.version,
			atX: p.ends[pairKey{x, y, k.version}], atY: p.ends[pairKey{y, x, k.version}],
		}
		if done[linkKey{l.a, l.b, l.version}] {
			continue
		}
		done[linkKey{l.a, l.b, l.version}] = true
		p.links = append(p.links, l)
	}
}

// countOutside counts the sessions with routers, and with workloads of its own, that
// each node is asked to have.
func (p *patient) countOutside() {
	for _, peer := range p.State.BGPPeers {
		if p.cluster.IsInside(peer) {
			continue
		}
		nodes, err := p.cluster.LocalSide(peer)
		if err != nil {
			continue
		}
		for _, n := range nodes {
			if !peer.PeerIP.IsValid() || address(n, peer.PeerIP.Is4()).IsValid() {
				p.outside[n.Name]++
			}
		}
	}
}

func address(n *backends.Node, v4 bool) netip.Addr {
	if v4 {
		return n.IPv4.Addr
	}
	return n.IPv6.Addr
}

func (l link) internal() bool { return l.atX != nil && l.atY != nil && l.atX.Internal }

func (p *patient) pools() []*backends.IPPool {
	return slices.SortedFunc(maps.Values(p.State.IPPools), func(a, b *backends.IPPool) int { return cmp.Compare(a.Name, b.Name) })
}
