package backends

import (
	"cmp"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Kind is a resource's kind, as in its YAML.
type Kind string

// The kinds that matter to a node's BGP configuration.
const (
	KindNode               Kind = "Node"
	KindBGPConfiguration   Kind = "BGPConfiguration"
	KindBGPPeer            Kind = "BGPPeer"
	KindBGPFilter          Kind = "BGPFilter"
	KindIPPool             Kind = "IPPool"
	KindBlockAffinity      Kind = "BlockAffinity"
	KindFelixConfiguration Kind = "FelixConfiguration"
	KindService            Kind = "Service"
	KindEndpointSlice      Kind = "EndpointSlice"
	KindSecret             Kind = "Secret"
	KindEndpointStatus     Kind = "EndpointStatus"
	// KindFile is of no resource: its keys name documents that cannot be read, and
	// may hold any.
	KindFile Kind = "File"
)

// Resource is one typed resource. Values are never changed once sent.
type Resource interface{ ResourceKey() Key }

// Node is a host that runs BIRD (Calico: Node spec.bgp and spec.wireguard).
type Node struct {
	Name   string
	Labels map[string]string
	IPv4   NodeAddress
	IPv6   NodeAddress
	// ASNumber is 0 where the node has none of its own.
	ASNumber uint32
	// ClusterID is the route reflector cluster ID, an IPv4 address; not valid
	// where the node is no route reflector.
	ClusterID netip.Addr
	// WireguardIPv4 and WireguardIPv6 are the addresses of the node's WireGuard
	// interfaces; not valid where it runs none.
	WireguardIPv4 netip.Addr
	WireguardIPv6 netip.Addr
	// WireguardKeyIPv4 and WireguardKeyIPv6 are its public keys (base64); empty
	// where it has none.
	WireguardKeyIPv4 string
	WireguardKeyIPv6 string
	// PodCIDRs are the nets that Kubernetes gave to the node.
	PodCIDRs []netip.Prefix
	// Ignored lists what in the resource made no sense and counts as unset.
	Ignored []string
	Intent  Intent
}

// NodeAddress is a node's address of one family. Subnet is the network around
// it: the address alone where it was given without a prefix length. Both are
// not valid where the node has no address of the family.
type NodeAddress struct {
	Addr   netip.Addr
	Subnet netip.Prefix
}

// BGPConfiguration is "default", or "node.NAME" for one node. Nil and zero
// values mean that the resource does not say.
type BGPConfiguration struct {
	Name                      string
	ASNumber                  uint32
	NodeToNodeMesh            *bool
	ListenPort                uint16
	LogSeverity               string
	ServiceClusterIPs         []netip.Prefix
	ServiceExternalIPs        []netip.Prefix
	ServiceLoadBalancerIPs    []netip.Prefix
	NoLoadBalancerAggregation bool // serviceLoadBalancerAggregation: Disabled
	Communities               []NamedCommunity
	// PrefixAdvertisements is nil where the resource has none.
	PrefixAdvertisements   []PrefixAdvertisement
	NodeMeshPassword       *SecretKeyRef
	NodeMeshMaxRestartTime *time.Duration
	BindNodeIP             bool // bindMode: NodeIP
	IgnoredInterfaces      []string
	ProgramClusterRoutes   ClusterRoutes
	IPv4NormalPriority     *uint32
	IPv6NormalPriority     *uint32
	// Ignored lists what in the resource made no sense and counts as unset.
	Ignored []string
	Intent  Intent
}

// ClusterRoutes says which pools' routes BIRD programs into the kernel.
type ClusterRoutes string

// The values of programClusterRoutes; the empty one is the default.
const (
	RoutesEnabledNoEncapOnly ClusterRoutes = "EnabledNoEncapOnly"
	RoutesEnabled            ClusterRoutes = "Enabled"
	RoutesEnabledIPIPOnly    ClusterRoutes = "EnabledIPIPOnly"
	RoutesDisabled           ClusterRoutes = "Disabled"
)

// SecretKeyRef names a key of a Secret. An empty one asks for a password without
// saying where it is.
type SecretKeyRef struct{ Name, Key string }

// BGPPeer says with whom some nodes have sessions. Exactly one of PeerIP,
// PeerSelector and LocalWorkloadSelector is set.
type BGPPeer struct {
	Name string
	// Node or NodeSelector choose the nodes on this side; neither: every node.
	Node         string
	NodeSelector string

	PeerIP                netip.Addr
	Port                  uint16 // 0: none given
	ASNumber              uint32 // 0: none given
	PeerSelector          string
	LocalWorkloadSelector string

	LocalASNumber       uint32 // 0: the node's
	KeepOriginalNextHop bool
	NextHopMode         NextHopMode
	Password            *SecretKeyRef
	NoSourceAddress     bool // sourceAddress: None
	MaxRestartTime      *time.Duration
	KeepaliveTime       *time.Duration
	NumAllowedLocalAS   *uint32
	TTLSecurity         uint8 // hops; 0: off
	ReachableBy         netip.Addr
	Filters             []string
	NoReversePeering    bool // reversePeering: Manual
	// Ignored lists what in the resource made no sense and counts as unset.
	Ignored []string
	Intent  Intent
}

// NextHopMode is BGPPeer spec.nextHopMode; empty where not set.
type NextHopMode string

// The values of nextHopMode.
const (
	NextHopAuto NextHopMode = "Auto"
	NextHopSelf NextHopMode = "Self"
	NextHopKeep NextHopMode = "Keep"
)

// BGPFilter is an ordered set of rules per direction and address family.
type BGPFilter struct {
	Name     string
	ImportV4 []FilterRule
	ExportV4 []FilterRule
	ImportV6 []FilterRule
	ExportV6 []FilterRule
	Intent   Intent
}

// FilterRule accepts or rejects routes for which all its conditions hold. An
// unset condition always holds.
type FilterRule struct {
	CIDR         netip.Prefix // not valid: no condition on the net
	Match        MatchOperator
	PrefixLength *LengthRange
	RemotePeers  bool // source: RemotePeers
	Interface    string
	PeerType     PeerType
	Community    *Community
	ASPathPrefix []uint32
	Priority     *uint32
	Accept       bool
	Operations   []Operation
}

// MatchOperator relates a route's net to a rule's CIDR.
type MatchOperator string

// The values of matchOperator.
const (
	MatchEqual    MatchOperator = "Equal"
	MatchNotEqual MatchOperator = "NotEqual"
	MatchIn       MatchOperator = "In"
	MatchNotIn    MatchOperator = "NotIn"
)

// PeerType limits a rule to external or internal sessions; empty: both.
type PeerType string

// The values of peerType.
const (
	PeerExternal PeerType = "eBGP"
	PeerInternal PeerType = "iBGP"
)

// LengthRange is a range of prefix lengths, both ends included.
type LengthRange struct{ Min, Max uint8 }

// Operation changes an accepted route; exactly one field is set.
type Operation struct {
	AddCommunity  *Community
	PrependASPath []uint32
	SetPriority   *uint32
}

// IPPool is a range that workload addresses come from.
type IPPool struct {
	Name             string
	CIDR             netip.Prefix
	IPIP             Encapsulation
	VXLAN            Encapsulation
	DisableBGPExport bool
	Disabled         bool
	NATOutgoing      bool
	// BlockSize is the prefix length of the pool's blocks; 0 where none is given
	// (see BlockBits).
	BlockSize uint8
	// Ignored lists what in the resource made no sense and counts as unset.
	Ignored []string
	Intent  Intent
}

// Encapsulation is an IPPool's ipipMode or vxlanMode; empty means Never.
type Encapsulation string

// The values of ipipMode and vxlanMode.
const (
	EncapNever       Encapsulation = "Never"
	EncapAlways      Encapsulation = "Always"
	EncapCrossSubnet Encapsulation = "CrossSubnet"
)

// BlockAffinity records that IPAM gave a block to a node. Affinities that
// belong to no node are never delivered.
type BlockAffinity struct {
	Name    string
	Node    string
	CIDR    netip.Prefix
	State   string // "", "confirmed", "pending" or "pendingDeletion"
	Deleted bool
}

// FelixConfiguration is read only to compare programClusterRoutes.
type FelixConfiguration struct {
	Name                 string
	ProgramClusterRoutes ClusterRoutes
}

// Service is a Kubernetes Service.
type Service struct {
	Namespace       string
	Name            string
	Type            string       // ClusterIP, NodePort, LoadBalancer, ExternalName
	ClusterIPs      []netip.Addr // none for a headless Service
	ExternalIPs     []netip.Addr
	LoadBalancerIPs []netip.Addr // spec.loadBalancerIP, status.loadBalancer.ingress[].ip
	Local           bool         // externalTrafficPolicy: Local
	IPv4, IPv6      bool         // ipFamilies
	// Ignored lists addresses that are none.
	Ignored []string
}

// EndpointSlice is what matters of a Kubernetes EndpointSlice: whether it has
// ready endpoints, and on which nodes.
type EndpointSlice struct {
	Namespace string
	Name      string
	Service   string // label kubernetes.io/service-name
	IPv6      bool   // addressType IPv6 (else IPv4)
	Ready     bool   // has any ready endpoint
	// Nodes are those of the ready endpoints, sorted, without repetition.
	Nodes []string
}

// Secret holds passwords. It never prints its values.
type Secret struct {
	Namespace string
	Name      string
	Data      map[string]string
	Intent    Intent
}

// String names the Secret only.
func (s *Secret) String() string { return s.ResourceKey().String() }

// LogValue names the Secret only.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// EndpointStatus is a local workload that takes part in BGP: a file of the
// endpoint status folder. Its name is the file's.
type EndpointStatus struct {
	Name      string
	Interface string
	IPv4      netip.Addr // first address of each family; not valid: none
	IPv6      netip.Addr
	BGPPeer   string
}

// ResourceKey implementations.

// ResourceKey names the node.
func (r *Node) ResourceKey() Key { return Key{Kind: KindNode, Name: r.Name} }

// ResourceKey names the configuration.
func (r *BGPConfiguration) ResourceKey() Key { return Key{Kind: KindBGPConfiguration, Name: r.Name} }

// ResourceKey names the peer.
func (r *BGPPeer) ResourceKey() Key { return Key{Kind: KindBGPPeer, Name: r.Name} }

// ResourceKey names the filter.
func (r *BGPFilter) ResourceKey() Key { return Key{Kind: KindBGPFilter, Name: r.Name} }

// ResourceKey names the pool.
func (r *IPPool) ResourceKey() Key { return Key{Kind: KindIPPool, Name: r.Name} }

// ResourceKey names the affinity.
func (r *BlockAffinity) ResourceKey() Key { return Key{Kind: KindBlockAffinity, Name: r.Name} }

// ResourceKey names the configuration.
func (r *FelixConfiguration) ResourceKey() Key {
	return Key{Kind: KindFelixConfiguration, Name: r.Name}
}

// ResourceKey names the Service.
func (r *Service) ResourceKey() Key {
	return Key{Kind: KindService, Namespace: r.Namespace, Name: r.Name}
}

// ResourceKey names the slice.
func (r *EndpointSlice) ResourceKey() Key {
	return Key{Kind: KindEndpointSlice, Namespace: r.Namespace, Name: r.Name}
}

// ResourceKey names the Secret.
func (s *Secret) ResourceKey() Key {
	return Key{Kind: KindSecret, Namespace: s.Namespace, Name: s.Name}
}

// ResourceKey names the file.
func (r *EndpointStatus) ResourceKey() Key { return Key{Kind: KindEndpointStatus, Name: r.Name} }

// printable keeps a user's text on one line, whatever is in it.
func printable(s string) string {
	q := strconv.Quote(s)
	switch isPlain := q == `"`+s+`"`; {
	case isPlain && len(s) <= maxShown:
		return s
	case isPlain: // and so without escapes that could be cut in two
		return strings.ToValidUTF8(s[:maxShown], "") + "..."
	case len(q) > maxShown:
		return q[:maxShown] + `..."`
	}
	return q
}

// maxShown is how much of a text messages show at most, in bytes: more than a name may
// have.
const maxShown = 300

func compareStrings(pairs ...string) int {
	for i := 0; i+1 < len(pairs); i += 2 {
		if c := cmp.Compare(pairs[i], pairs[i+1]); c != 0 {
			return c
		}
	}
	return 0
}
