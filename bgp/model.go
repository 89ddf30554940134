// Package bgp works out what one node should speak: from what the cluster says
// and the node's name to that node's sessions, policies and static routes,
// each with the reason why it is there.
//
// It is pure computation. Compute has no I/O, no clock and no state, and gives
// the same Config for the same input every time.
package bgp

import (
	"net/netip"
	"slices"

	"confd/backends"
)

// Config is all that one node's BIRD must be told, for both address families.
type Config struct {
	// Node is this node's name in Calico.
	Node string
	// RouterID is the BGP identifier (RFC 4271 section 4.2), for both families.
	RouterID netip.Addr
	// RouterIDFrom says where RouterID comes from, in words.
	RouterIDFrom string
	// ASNumber is this node's.
	ASNumber uint32
	// ClusterID is valid where the node is a route reflector (RFC 4456).
	ClusterID netip.Addr
	// RestartWait is how many seconds a BIRD that starts into a graceful restart
	// (RFC 4724) waits for its sessions before it puts routes into the kernel; 0:
	// BIRD's own, 240.
	RestartWait uint32
	// LogLevel is how much BIRD logs.
	LogLevel LogLevel
	// LogSeverity is the setting as it was given ("" where nobody set it).
	LogSeverity string
	// Interfaces are the patterns of the direct protocol, in order: a leading
	// "-" excludes.
	Interfaces []string
	// IPv4 is what belongs to IPv4.
	IPv4 Family
	// IPv6 is what belongs to IPv6.
	IPv6 Family
	// PodCIDRs is set where the node's blocks are what Kubernetes gave to it.
	PodCIDRs bool
	// Filters are the BGPFilters that sessions of this node name, by name. Those
	// that cannot be used reject all routes.
	Filters []*backends.BGPFilter
	// Problems are what was left out, or looks wrong, sorted.
	Problems []Problem
}

// LogLevel is how much BIRD logs.
type LogLevel string

// The log levels that BIRD's configuration distinguishes.
const (
	LogNone   LogLevel = "none"   // above info
	LogStates LogLevel = "states" // info, and where nobody set one
	LogAll    LogLevel = "all"    // debug
)

// Family is one address family of a Config.
type Family struct {
	// Version is 4 or 6.
	Version int
	// Address is this node's; where it is not valid the family has no sessions.
	Address netip.Addr
	// Subnet is the network around Address; not valid where that is not.
	Subnet netip.Prefix
	// ListenPort is 0 for BGP's own, 179.
	ListenPort uint16
	// ListenAddress is valid where BIRD must listen on that address alone.
	ListenAddress netip.Addr
	// Sessions are sorted by name; no two have the same neighbor and port.
	Sessions []*Session
	// Statics are sorted by net, without repetition.
	Statics []StaticRoute
	// Export decides which routes BGP peers are told.
	Export ExportPolicy
	// Kernel decides which routes go into the kernel.
	Kernel KernelPolicy
	// NormalPriority is the metric of routes that nobody prefers or avoids.
	NormalPriority uint32
	// PreferMoved: a workload that has moved here, as the metric of its route says, is
	// better than what peers still tell of it.
	PreferMoved bool
}

// SessionKind is where a session comes from, and the start of its name.
type SessionKind string

// The kinds of sessions. The text is the session name's prefix, which
// calicoctl node status and people's scripts read.
const (
	MeshSession          SessionKind = "Mesh"
	GlobalSession        SessionKind = "Global"
	NodeSession          SessionKind = "Node"
	LocalWorkloadSession SessionKind = "Local_Workload"
)

// NextHop is what a session does to the next hop of routes it sends.
type NextHop string

// The next hop modes; empty is BGP's own rule.
const (
	NextHopDefault NextHop = ""
	NextHopSelf    NextHop = "self"
	NextHopKeep    NextHop = "keep"
)

// Session is one BGP session.
type Session struct {
	// Name is the protocol's name for BIRD, such as Mesh_10_0_0_2.
	Name string
	// Kind is where the session comes from.
	Kind SessionKind
	// Neighbor is the peer's address.
	Neighbor netip.Addr
	// Port is the peer's port; 0 where none was given, which means 179.
	Port uint16
	// PortInName is set where the name ends in _port_N.
	PortInName bool
	// AS is the peer's AS number.
	AS uint32
	// LocalAS is the AS number that this node has in the session.
	LocalAS uint32
	// OwnLocalAS is set where LocalAS is not simply the node's AS number.
	OwnLocalAS bool
	// Internal: AS equals LocalAS (iBGP).
	Internal bool
	// Source is the address to speak from; not valid where BIRD may choose.
	Source netip.Addr
	// Passive is set where the peer is to open the connection.
	Passive bool
	// RRClient is set where the peer is a client of this route reflector.
	RRClient bool
	// ClusterID is this route reflector's cluster ID; valid with RRClient only.
	ClusterID netip.Addr
	// NextHop is what becomes of the next hop of routes that the peer is told.
	NextHop NextHop
	// TTLHops is 0 where TTL security (RFC 5082) is off.
	TTLHops uint8
	// AllowLocalAS is how often our own AS may stand in a path; nil: not set.
	AllowLocalAS *uint32
	// Password is the session's TCP MD5 password (RFC 2385); empty: none.
	Password string
	// GracefulRestartTime is in seconds (RFC 4724); nil: BIRD's own.
	GracefulRestartTime *uint32
	// KeepaliveTime is in seconds; nil: BIRD's own.
	KeepaliveTime *uint32
	// Filters are the BGPFilters of the session that exist, in order.
	Filters []string
	// Import are those of Filters that have import rules of this family.
	Import []FilterCall
	// Export are those of Filters that have export rules of this family.
	Export []FilterCall
	// PeerNode is the name of the cluster's node behind Neighbor, if any.
	PeerNode string
	// PeerClusterID is that node's cluster ID, if it has one.
	PeerClusterID netip.Addr
	// ReachableBy is the gateway to Neighbor; not valid: none given.
	ReachableBy netip.Addr
	// NextHopMode is the BGPPeer's nextHopMode as it was given.
	NextHopMode backends.NextHopMode
	// Reason says why the session is there.
	Reason Reason
}

// Equal says whether o is the same in everything.
func (s *Session) Equal(o *Session) bool {
	return s == o || s.Name == o.Name && s.Kind == o.Kind && s.Neighbor == o.Neighbor && s.Port == o.Port && s.PortInName == o.PortInName &&
		s.AS == o.AS && s.LocalAS == o.LocalAS && s.OwnLocalAS == o.OwnLocalAS && s.Internal == o.Internal &&
		s.Source == o.Source && s.Passive == o.Passive && s.RRClient == o.RRClient && s.ClusterID == o.ClusterID &&
		s.NextHop == o.NextHop && s.TTLHops == o.TTLHops && sameNumber(s.AllowLocalAS, o.AllowLocalAS) && s.Password == o.Password &&
		sameNumber(s.GracefulRestartTime, o.GracefulRestartTime) && sameNumber(s.KeepaliveTime, o.KeepaliveTime) &&
		slices.Equal(s.Filters, o.Filters) && slices.Equal(s.Import, o.Import) && slices.Equal(s.Export, o.Export) &&
		s.PeerNode == o.PeerNode && s.PeerClusterID == o.PeerClusterID && s.ReachableBy == o.ReachableBy &&
		s.NextHopMode == o.NextHopMode && s.Reason == o.Reason
}

func sameNumber(a, b *uint32) bool { return a == b || a != nil && b != nil && *a == *b }

// FilterCall is the use of one BGPFilter in one direction.
type FilterCall struct {
	// Filter is the BGPFilter's name.
	Filter string
	// BySession is set where a rule asks whether the session is internal.
	BySession bool
}

// Reason says why a session or route is there.
type Reason struct {
	// Object is the resource that asks for it.
	Object backends.Key
	// Text says it in words, on one line.
	Text string
	// Reverse is set where the session answers one that Object gives the peer.
	Reverse bool
}

// StaticRoute is a route that this node announces by itself, or needs.
type StaticRoute struct {
	// Net is where the route leads to.
	Net netip.Prefix
	// Via is the gateway; where it is not valid the route is a blackhole.
	Via netip.Addr
	// Reason says why the route is there.
	Reason Reason
}

// String is the route as people write it: "10.0.0.0/24 via 10.0.0.1", or
// "10.0.0.0/24 blackhole".
func (r StaticRoute) String() string {
	if r.Via.IsValid() {
		return r.Net.String() + " via " + r.Via.String()
	}
	return r.Net.String() + " blackhole"
}

// ExportPolicy decides which routes BGP peers are told, in the order of its
// fields. What nothing accepts is rejected.
type ExportPolicy struct {
	// RejectPools are pools with disableBGPExport.
	RejectPools []Pool
	// RejectTunnel: internal peers are not told of routes over tunl0.
	RejectTunnel bool
	// Communities are added to routes inside their CIDR.
	Communities []Advertisement
	// Blocks are this node's blocks of which one route each is told.
	Blocks []netip.Prefix
	// Services are the advertised service routes.
	Services []StaticRoute
	// ReflectedServices are service ranges that a route reflector passes on.
	ReflectedServices []netip.Prefix
	// Pools are the other pools.
	Pools []Pool
}

// Pool is an IP pool, as a policy refers to it.
type Pool struct {
	// Name is the IPPool's.
	Name string
	// CIDR is the network that the pool's addresses come from.
	CIDR netip.Prefix
}

// Advertisement is one prefixAdvertisements entry, its names looked up.
type Advertisement struct {
	// CIDR is the network whose routes get the communities.
	CIDR netip.Prefix
	// Communities are in ascending order, each once.
	Communities []backends.Community
}

// KernelPolicy decides which routes go into the kernel, in the order of its
// fields. What nothing rejects is accepted.
type KernelPolicy struct {
	// RejectServices are the advertised service ranges.
	RejectServices []netip.Prefix
	// RejectBlackholes are the other service addresses that this node advertises: a
	// blackhole in the kernel would take them from the node's own processes. Routes
	// to them that have a next hop are another node's, and lead somewhere.
	RejectBlackholes []netip.Prefix
	// RejectNextHops are nodes that WireGuard reaches.
	RejectNextHops []netip.Addr
	// Pools say who programs the routes of each pool, sorted by CIDR.
	Pools []PoolRoutes
}

// PoolRoutes says what becomes of routes inside a pool.
type PoolRoutes struct {
	// Pool is the pool.
	Pool
	// Action is what becomes of its routes.
	Action PoolAction
	// Text says why, in words.
	Text string
}

// PoolAction is what the kernel policy does with a pool's routes.
type PoolAction string

// The pool actions. Tunnel and CrossSubnet need krt_tunnel, which only Calico's
// fork of BIRD 1.6 has.
const (
	PoolReject      PoolAction = "reject"
	PoolAccept      PoolAction = "accept"
	PoolTunnel      PoolAction = "tunnel"
	PoolCrossSubnet PoolAction = "cross-subnet"
)

// NeedsTunnel names a pool whose routes need krt_tunnel, and says whether
// there is one.
func (c *Config) NeedsTunnel() (Pool, bool) {
	for _, p := range c.IPv4.Kernel.Pools {
		if p.Action == PoolTunnel || p.Action == PoolCrossSubnet {
			return p.Pool, true
		}
	}
	return Pool{}, false
}

// WithoutTunnels is the configuration for a BIRD that has no krt_tunnel, and the pools
// whose routes need it: they stay out of the kernel, where Felix may program them, and
// internal peers are told of no routes over tunl0. It is c itself where there are none.
func (c *Config) WithoutTunnels() (*Config, []Pool) {
	if _, needed := c.NeedsTunnel(); !needed {
		return c, nil
	}
	var pools []Pool
	out := *c
	out.IPv4.Kernel.Pools = slices.Clone(c.IPv4.Kernel.Pools)
	for i, p := range out.IPv4.Kernel.Pools {
		if p.Action == PoolTunnel || p.Action == PoolCrossSubnet {
			out.IPv4.Kernel.Pools[i].Action = PoolReject
			pools = append(pools, p.Pool)
		}
	}
	out.IPv4.Export.RejectTunnel = true
	return &out, pools
}

// Families returns both families, IPv4 first.
func (c *Config) Families() []*Family { return []*Family{&c.IPv4, &c.IPv6} }

// SessionNamed is the family's session of a name; nil: there is none.
func SessionNamed(f *Family, name string) *Session {
	if i, found := placeOf(f.Sessions, name); found {
		return f.Sessions[i]
	}
	return nil
}

// Problem is something that whoever runs the cluster should know about.
type Problem struct {
	// Object is the resource at fault.
	Object backends.Key
	// Code is what this kind of problem is called.
	Code backends.Code
	// Text says what is wrong, on one line, and what was done about it.
	Text string
	// LeftOut is set where something that was asked for is not in the Config.
	LeftOut bool
	// Stale is set where an older version of the object is in use than there is.
	Stale bool
	// Place and Excerpt are where it stands: see backends.Warning.
	Place, Excerpt string
}

// Attributes are what a log line says besides Text, as pairs of names and values:
// which object the problem is about, where that stands, and what such problems are
// called.
func (p Problem) Attributes() []any {
	args := []any{"object", p.Object.String()}
	if p.Place != "" {
		args = append(args, "place", p.Place)
	}
	if p.Code != "" {
		args = append(args, "code", string(p.Code))
	}
	return args
}

// Anywhere is the problem without its place: what it is, wherever it stands.
func (p Problem) Anywhere() Problem {
	p.Place, p.Excerpt = "", ""
	return p
}
