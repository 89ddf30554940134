package bgp

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"confd/backends"
)

// DefaultAS is the AS number of a cluster that sets none.
const DefaultAS = 64512

// defaultPriority is the metric of ordinary routes where nobody sets one.
const defaultPriority = 1024

// largeMesh is the number of nodes past which Calico advises route reflectors.
const largeMesh = 100

// Options are what a node's own environment adds to what the cluster says.
type Options struct {
	// Node is this node's name in Calico; K8sNode is its name in EndpointSlices
	// (empty: the same).
	Node    string
	K8sNode string
	// RouterID is an IPv4 address, "hash" for one made from the node's name, or
	// empty for the node's IPv4 address.
	RouterID string
	// ClusterIPs, where not nil, replaces BGPConfiguration serviceClusterIPs.
	ClusterIPs []netip.Prefix
	// LogSeverity counts where no BGPConfiguration sets one.
	LogSeverity string
	// SecretNamespace is where passwords are.
	SecretNamespace string
	// UsePodCIDR takes this node's blocks from its podCIDRs instead of from
	// BlockAffinities, as where Kubernetes hands out the addresses.
	UsePodCIDR bool
	// CloseMissingFilters has sessions reject all routes whose BGPPeer names a
	// BGPFilter that does not exist; otherwise they go without it, as in Calico.
	CloseMissingFilters bool
	// Datastore are the addresses of the datastore's servers, as far as they are
	// known: no route of this node's may cover them.
	Datastore []netip.Addr
	// RequirePasswords leaves sessions out whose password is not there, which
	// otherwise go without one, as in Calico.
	RequirePasswords bool
	// LiveMigration says that workloads move while they run: see Family.PreferMoved.
	LiveMigration bool
	// RestartWait is how long a BIRD that starts into a graceful restart waits for
	// its sessions, rounded up to seconds; 0: as long as BIRD does by itself.
	RestartWait time.Duration
}

// ErrUnknownNode is returned while the datastore has no usable Node resource
// for this node.
var ErrUnknownNode = errors.New("the datastore has no such node")

// Compute works out what the node o.Node should speak. What cannot be used is
// left out and listed in Config.Problems; an error means that nothing can be
// said at all: the node is not known (ErrUnknownNode), or an option is wrong.
//
// For several nodes of a state, Cluster.Compute does what they have in common once.
func Compute(s *backends.State, o Options) (*Config, error) { return NewCluster(s).Compute(o) }

// Compute is the function Compute, for the cluster's state.
func (c *Cluster) Compute(o Options) (*Config, error) {
	me, ok := c.state.Nodes[o.Node]
	if !ok {
		return nil, unknownNode(c.state, o.Node)
	}
	return newComputer(c, o, me).compute()
}

// compute works out everything.
func (c *computer) compute() (*Config, error) {
	if err := c.general(); err != nil {
		return nil, err
	}
	c.families()
	c.sessions()
	c.staticsAndPolicies()
	c.finish()
	return c.config, nil
}

// computer is one run of Compute.
type computer struct {
	*Cluster
	options Options
	me      *backends.Node
	// own is this node's BGPConfiguration; empty where there is none.
	own    *backends.BGPConfiguration
	config *Config
	// added are the sessions so far, IPv4 and IPv6; taken has them by neighbor and port,
	// but for those of the mesh, where meshed says that there is one.
	added  [2]sessionList
	taken  map[endpoint]*Session
	meshed bool
	// before is what is remembered of the mesh, and after what is to be; the zero value is
	// nothing. same are the sessions, where they are remembered; nil: they are to be
	// worked out.
	before, after meshMemory
	same          *sessionsMemory
	// asked is what has come of working them out.
	asked sessionsMemory
	// services is what is remembered of the Services.
	services *serviceMemory
	// lost are the sessions whose neighbor and port were taken.
	lost []lostSession
	// filters has the names of BGPFilters that sessions use; standIns are those
	// that are not there and reject all routes.
	filters  map[string]bool
	standIns map[string]*backends.BGPFilter
	// unread names something that cannot be read and may hold any object; empty
	// where there is nothing.
	unread string
	// reported keeps a problem from being listed twice.
	reported map[Problem]bool
	// claimed is told of each session that is asked for, and of the one that has its
	// neighbor and port already, nil where they are free; nil: nobody wants to know.
	claimed func(s, first *Session)
}

func newComputer(c *Cluster, o Options, me *backends.Node) *computer {
	return &computer{
		Cluster:  c,
		options:  o,
		me:       me,
		own:      configuration(c.state, "node."+me.Name),
		config:   &Config{Node: o.Node, ClusterID: me.ClusterID, PodCIDRs: o.UsePodCIDR},
		taken:    map[endpoint]*Session{},
		filters:  map[string]bool{},
		standIns: map[string]*backends.BGPFilter{},
		unread:   unreadOf(c.state),
		reported: map[Problem]bool{},
		services: &serviceMemory{},
	}
}

func (c *computer) problem(object backends.Key, code backends.Code, leftOut bool, format string, args ...any) {
	c.report(Problem{Object: object, Code: code, Text: fmt.Sprintf(format, args...), LeftOut: leftOut})
}

// maxProblem is how long the text of a problem may be, in bytes: it is a line of a log, and
// quotes names that users choose.
const maxProblem = 2000

func (c *computer) report(p Problem) {
	if len(p.Text) > maxProblem {
		p.Text = strings.ToValidUTF8(p.Text[:maxProblem], "") + "..."
	}
	if !c.reported[p] {
		c.reported[p] = true
		c.config.Problems = append(c.config.Problems, p)
	}
}

// general fills in what does not depend on the address family.
func (c *computer) general() error {
	c.config.ASNumber = c.asNumber(c.me)
	c.config.RestartWait = uint32((c.options.RestartWait + time.Second - 1) / time.Second)
	c.config.LogSeverity = cmp.Or(c.own.LogSeverity, c.defaults.LogSeverity, c.options.LogSeverity)
	c.config.LogLevel = LogLevelOf(c.config.LogSeverity)
	c.unknownSeverities()
	for _, i := range c.defaults.IgnoredInterfaces {
		c.config.Interfaces = append(c.config.Interfaces, "-"+i)
	}
	c.config.Interfaces = append(c.config.Interfaces, "-cali*", "-kube-ipvs*", "*")
	return c.routerID()
}

func (c *computer) routerID() error {
	switch id := c.options.RouterID; id {
	case "hash":
		c.config.RouterID, c.config.RouterIDFrom = HashRouterID(c.me.Name), "a hash of the node's name"
	case "":
		c.config.RouterID, c.config.RouterIDFrom = c.me.IPv4.Addr, "the node's IPv4 address"
		if !c.me.IPv4.Addr.IsValid() {
			c.config.RouterID, c.config.RouterIDFrom = HashRouterID(c.me.Name), "a hash of the node's name, as it has no IPv4 address"
			c.problem(c.me.ResourceKey(), CodeRouterIDFromName, false, "has no IPv4 address to be its router ID: %s, made from its name, is used; set CALICO_ROUTER_ID (hash, or an IPv4 address) to choose",
				c.config.RouterID)
		}
	default:
		a, err := netip.ParseAddr(id)
		if err != nil || !a.Is4() || a.IsUnspecified() {
			return fmt.Errorf("router ID %q is neither an IPv4 address nor \"hash\"", id)
		}
		c.config.RouterID, c.config.RouterIDFrom = a, "CALICO_ROUTER_ID"
	}
	return nil
}

// HashRouterID is the router ID that Calico makes from a name: the first four
// bytes of its SHA-256, and 32 less in a first byte above 223, which keeps it
// out of the multicast and reserved ranges.
func HashRouterID(name string) netip.Addr {
	sum := sha256.Sum256([]byte(name))
	if sum[0] > 223 {
		sum[0] -= 32
	}
	return netip.AddrFrom4([4]byte(sum[:4]))
}

func (c *computer) families() {
	c.config.IPv4 = c.family(4, c.defaults.IPv4NormalPriority)
	c.config.IPv6 = c.family(6, c.defaults.IPv6NormalPriority)
}

func (c *computer) family(version int, priority *uint32) Family {
	own := addressOf(c.me, version)
	f := Family{
		Version: version, Address: own.Addr, Subnet: own.Subnet,
		ListenPort: c.listenPort(c.me), NormalPriority: defaultPriority, PreferMoved: c.options.LiveMigration,
	}
	if priority != nil {
		f.NormalPriority = *priority
	}
	if c.defaults.BindNodeIP {
		f.ListenAddress = own.Addr
	}
	return f
}

// finish adds what concerns the whole, and puts everything in order.
func (c *computer) finish() {
	c.input()
	c.reportIgnored()
	c.reportLost()
	c.listenEverywhere()
	for _, name := range slices.Sorted(maps.Keys(c.filters)) {
		c.config.Filters = append(c.config.Filters, cmp.Or(c.state.BGPFilters[name], c.standIns[name]))
	}
	slices.SortFunc(c.config.Problems, func(a, b Problem) int {
		return cmp.Or(a.Object.Compare(b.Object), cmp.Compare(a.Text, b.Text), cmp.Compare(a.Place, b.Place))
	})
}

// reportIgnored reports what in resources counts as unset.
func (c *computer) reportIgnored() {
	report := func(r backends.Resource, ignored []string) {
		for _, text := range ignored {
			c.ignored(r.ResourceKey(), text)
		}
	}
	// Of other nodes' BGPConfigurations their ports count here, too.
	for _, b := range c.state.BGPConfigurations {
		report(b, b.Ignored)
	}
	for _, n := range c.nodes {
		report(n, n.Ignored)
	}
	for _, p := range c.state.BGPPeers {
		report(p, p.Ignored)
	}
	for _, p := range c.state.IPPools {
		report(p, p.Ignored)
	}
}

// ignored reports something in a resource that counts as unset.
func (c *computer) ignored(object backends.Key, text string) {
	p := Problem{Object: object, Code: backends.IgnoredValue, Text: "ignored: " + text, LeftOut: true}
	for _, w := range c.state.Warnings[object] {
		if w.Code == backends.IgnoredValue && w.Text == text {
			p.Place, p.Excerpt = w.Place, w.Excerpt
		}
	}
	c.report(p)
}

// input reports what there is to say about the input itself.
func (c *computer) input() {
	for key, err := range c.state.Invalid {
		why := err
		var closed *backends.Closed
		if errors.As(err, &closed) {
			why = closed.Err // what it means is said below
		}
		p := Problem{Object: key, Code: backends.Unusable, Text: why.Error(), LeftOut: true}
		var w *backends.Warning
		if errors.As(err, &w) {
			p.Code, p.Place, p.Excerpt = w.Code, w.Place, w.Excerpt
		}
		if errors.As(why, &w) {
			p.Text = w.Text
		}
		switch {
		case c.state.Stale[key]:
			p.LeftOut, p.Stale, p.Text = false, true, "the last good version of it stays: "+p.Text
		case closed != nil:
			p.Text = "left out: " + closed.How + ": " + p.Text
		default:
			p.Text = "left out: " + p.Text
		}
		c.report(p)
	}
	for key, warnings := range c.state.Warnings {
		for _, w := range warnings {
			if w.Code == backends.IgnoredValue {
				continue // it says where that is; see ignored
			}
			c.report(Problem{Object: key, Code: w.Code, Text: w.Text, Place: w.Place, Excerpt: w.Excerpt})
		}
	}
}

// listenEverywhere reports sessions for which BIRD 2 and 3 cannot listen on the
// node's address alone: they bind per session, to its source address.
func (c *computer) listenEverywhere() {
	for _, f := range c.config.Families() {
		if !f.ListenAddress.IsValid() {
			continue
		}
		for _, s := range f.Sessions {
			if !s.Source.IsValid() {
				c.problem(s.Reason.Object, CodeListensEverywhere, false, "its sessions have no source address, so BIRD 2 and 3 listen on every address for them, whatever bindMode says")
			}
		}
	}
}
