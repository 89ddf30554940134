package backends

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"
)

// The API versions of what Encode writes.
const (
	calicoVersion        = "projectcalico.org/v3"
	coreVersion          = "v1"
	endpointSliceVersion = "discovery.k8s.io/v1"
)

// serviceNameLabel names the Service of an EndpointSlice.
const serviceNameLabel = "kubernetes.io/service-name"

// envelope is an object of either API: Calico's have a spec, Kubernetes' some
// of the others as well.
type envelope struct {
	APIVersion string   `json:"apiVersion"`
	Kind       Kind     `json:"kind"`
	Metadata   metaSpec `json:"metadata"`
	Spec       any      `json:"spec,omitempty"`

	Status      any               `json:"status,omitempty"`
	AddressType string            `json:"addressType,omitempty"`
	Endpoints   []endpointSpec    `json:"endpoints,omitempty"`
	Data        map[string][]byte `json:"data,omitempty"`
	StringData  map[string]string `json:"stringData,omitempty"`
}

type metaSpec struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Encode writes a resource as the JSON that Decode reads back to an equal one:
// Calico's v3 form, or Kubernetes' own. Only what is set is written; what Ignored
// lists is not. A Secret's values are in it. An EndpointStatus is no object of
// either API, and an error.
func Encode(r Resource) ([]byte, error) {
	key := r.ResourceKey()
	e := envelope{APIVersion: calicoVersion, Kind: key.Kind, Metadata: metaSpec{Name: key.Name, Namespace: key.Namespace}}
	e.Metadata.Annotations = IntentOf(r).annotations()
	switch r := r.(type) {
	case *Node:
		e.node(r)
	case *BGPConfiguration:
		e.Spec = newConfigurationSpec(r)
	case *BGPPeer:
		e.Spec = newPeerSpec(r)
	case *BGPFilter:
		e.Spec = newFilterSpec(r)
	case *IPPool:
		e.Spec = poolSpec{r.CIDR, r.IPIP, r.VXLAN, r.DisableBGPExport, r.Disabled, r.NATOutgoing, r.BlockSize}
	case *BlockAffinity:
		e.Spec = affinitySpec{r.Node, r.CIDR, r.State, r.Deleted}
	case *FelixConfiguration:
		e.Spec = felixSpec{r.ProgramClusterRoutes}
	case *Service:
		e.service(r)
	case *EndpointSlice:
		e.endpointSlice(r)
	case *Secret:
		e.secret(r)
	default:
		return nil, fmt.Errorf("%s: is not an object that can be written", key)
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", key, err)
	}
	return text, nil
}

// each turns the entries of a list; nil stays nil.
func each[T, U any](list []T, turn func(T) U) []U {
	if list == nil {
		return nil
	}
	out := make([]U, len(list))
	for i, x := range list {
		out[i] = turn(x)
	}
	return out
}

// word is name where set, and nothing where not.
func word(set bool, name string) string {
	if set {
		return name
	}
	return ""
}

type nodeSpec struct {
	BGP       nodeBGP       `json:"bgp"`
	Wireguard nodeWireguard `json:"wireguard,omitzero"`
}

type nodeBGP struct {
	IPv4Address string     `json:"ipv4Address,omitempty"`
	IPv6Address string     `json:"ipv6Address,omitempty"`
	ASNumber    uint32     `json:"asNumber,omitempty"`
	ClusterID   netip.Addr `json:"routeReflectorClusterID,omitzero"`
}

type nodeWireguard struct {
	IPv4 netip.Addr `json:"interfaceIPv4Address,omitzero"`
	IPv6 netip.Addr `json:"interfaceIPv6Address,omitzero"`
}

type nodeStatus struct {
	WireguardKeyIPv4 string         `json:"wireguardPublicKey,omitempty"`
	WireguardKeyIPv6 string         `json:"wireguardPublicKeyV6,omitempty"`
	PodCIDRs         []netip.Prefix `json:"podCIDRs,omitempty"`
}

func (e *envelope) node(n *Node) {
	e.Metadata.Labels = n.Labels
	if n.WireguardKeyIPv4 != "" || n.WireguardKeyIPv6 != "" || len(n.PodCIDRs) > 0 {
		e.Status = nodeStatus{n.WireguardKeyIPv4, n.WireguardKeyIPv6, n.PodCIDRs}
	}
	e.Spec = nodeSpec{
		BGP:       nodeBGP{nodeAddressText(n.IPv4), nodeAddressText(n.IPv6), n.ASNumber, n.ClusterID},
		Wireguard: nodeWireguard{n.WireguardIPv4, n.WireguardIPv6},
	}
}

func nodeAddressText(a NodeAddress) string {
	switch {
	case !a.Addr.IsValid():
		return ""
	case a.Subnet.IsValid():
		return netip.PrefixFrom(a.Addr, a.Subnet.Bits()).String()
	}
	return a.Addr.String()
}

type configurationSpec struct {
	ASNumber                uint32              `json:"asNumber,omitempty"`
	NodeToNodeMeshEnabled   *bool               `json:"nodeToNodeMeshEnabled,omitempty"`
	ListenPort              uint16              `json:"listenPort,omitempty"`
	LogSeverityScreen       string              `json:"logSeverityScreen,omitempty"`
	ServiceClusterIPs       []cidrSpec          `json:"serviceClusterIPs,omitempty"`
	ServiceExternalIPs      []cidrSpec          `json:"serviceExternalIPs,omitempty"`
	ServiceLoadBalancerIPs  []cidrSpec          `json:"serviceLoadBalancerIPs,omitempty"`
	Aggregation             string              `json:"serviceLoadBalancerAggregation,omitempty"`
	Communities             []communitySpec     `json:"communities,omitempty"`
	PrefixAdvertisements    []advertisementSpec `json:"prefixAdvertisements,omitzero"`
	NodeMeshPassword        *passwordSpec       `json:"nodeMeshPassword,omitempty"`
	NodeMeshMaxRestartTime  string              `json:"nodeMeshMaxRestartTime,omitempty"`
	BindMode                string              `json:"bindMode,omitempty"`
	IgnoredInterfaces       []string            `json:"ignoredInterfaces,omitempty"`
	ProgramClusterRoutes    ClusterRoutes       `json:"programClusterRoutes,omitempty"`
	IPv4NormalRoutePriority *uint32             `json:"ipv4NormalRoutePriority,omitempty"`
	IPv6NormalRoutePriority *uint32             `json:"ipv6NormalRoutePriority,omitempty"`
}

type cidrSpec struct {
	CIDR netip.Prefix `json:"cidr"`
}

type communitySpec struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type advertisementSpec struct {
	CIDR        netip.Prefix `json:"cidr"`
	Communities []string     `json:"communities,omitempty"`
}

type passwordSpec struct {
	Ref *refSpec `json:"secretKeyRef,omitempty"`
}

type refSpec struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

func newConfigurationSpec(c *BGPConfiguration) configurationSpec {
	ranges := func(list []netip.Prefix) []cidrSpec {
		return each(list, func(p netip.Prefix) cidrSpec { return cidrSpec{p} })
	}
	return configurationSpec{
		ASNumber:               c.ASNumber,
		NodeToNodeMeshEnabled:  c.NodeToNodeMesh,
		ListenPort:             c.ListenPort,
		LogSeverityScreen:      c.LogSeverity,
		ServiceClusterIPs:      ranges(c.ServiceClusterIPs),
		ServiceExternalIPs:     ranges(c.ServiceExternalIPs),
		ServiceLoadBalancerIPs: ranges(c.ServiceLoadBalancerIPs),
		Aggregation:            word(c.NoLoadBalancerAggregation, "Disabled"),
		Communities: each(c.Communities, func(n NamedCommunity) communitySpec {
			return communitySpec{n.Name, n.Value.String()}
		}),
		PrefixAdvertisements: each(c.PrefixAdvertisements, func(a PrefixAdvertisement) advertisementSpec {
			return advertisementSpec(a)
		}),
		NodeMeshPassword:        newPasswordSpec(c.NodeMeshPassword),
		NodeMeshMaxRestartTime:  durationText(c.NodeMeshMaxRestartTime),
		BindMode:                word(c.BindNodeIP, "NodeIP"),
		IgnoredInterfaces:       c.IgnoredInterfaces,
		ProgramClusterRoutes:    c.ProgramClusterRoutes,
		IPv4NormalRoutePriority: c.IPv4NormalPriority,
		IPv6NormalRoutePriority: c.IPv6NormalPriority,
	}
}

func newPasswordSpec(ref *SecretKeyRef) *passwordSpec {
	if ref == nil {
		return nil
	}
	if *ref == (SecretKeyRef{}) {
		return &passwordSpec{}
	}
	return &passwordSpec{&refSpec{ref.Name, ref.Key}}
}

func durationText(d *time.Duration) string {
	if d == nil {
		return ""
	}
	return d.String()
}

type peerSpec struct {
	Node                     string        `json:"node,omitempty"`
	NodeSelector             string        `json:"nodeSelector,omitempty"`
	PeerIP                   string        `json:"peerIP,omitempty"`
	ASNumber                 uint32        `json:"asNumber,omitempty"`
	PeerSelector             string        `json:"peerSelector,omitempty"`
	LocalWorkloadSelector    string        `json:"localWorkloadSelector,omitempty"`
	LocalASNumber            uint32        `json:"localASNumber,omitempty"`
	KeepOriginalNextHop      bool          `json:"keepOriginalNextHop,omitempty"`
	NextHopMode              NextHopMode   `json:"nextHopMode,omitempty"`
	Password                 *passwordSpec `json:"password,omitempty"`
	SourceAddress            string        `json:"sourceAddress,omitempty"`
	MaxRestartTime           string        `json:"maxRestartTime,omitempty"`
	KeepaliveTime            string        `json:"keepaliveTime,omitempty"`
	NumAllowedLocalASNumbers *uint32       `json:"numAllowedLocalASNumbers,omitempty"`
	TTLSecurity              uint8         `json:"ttlSecurity,omitempty"`
	ReachableBy              netip.Addr    `json:"reachableBy,omitzero"`
	Filters                  []string      `json:"filters,omitempty"`
	ReversePeering           string        `json:"reversePeering,omitempty"`
}

func newPeerSpec(p *BGPPeer) peerSpec {
	return peerSpec{
		Node: p.Node, NodeSelector: p.NodeSelector, PeerIP: peerAddressText(p), ASNumber: p.ASNumber,
		PeerSelector: p.PeerSelector, LocalWorkloadSelector: p.LocalWorkloadSelector, LocalASNumber: p.LocalASNumber,
		KeepOriginalNextHop: p.KeepOriginalNextHop, NextHopMode: p.NextHopMode, Password: newPasswordSpec(p.Password),
		SourceAddress: word(p.NoSourceAddress, "None"), MaxRestartTime: durationText(p.MaxRestartTime),
		KeepaliveTime: durationText(p.KeepaliveTime), NumAllowedLocalASNumbers: p.NumAllowedLocalAS,
		TTLSecurity: p.TTLSecurity, ReachableBy: p.ReachableBy, Filters: p.Filters,
		ReversePeering: word(p.NoReversePeering, "Manual"),
	}
}

func peerAddressText(p *BGPPeer) string {
	switch {
	case !p.PeerIP.IsValid():
		return ""
	case p.Port != 0:
		return netip.AddrPortFrom(p.PeerIP, p.Port).String()
	}
	return p.PeerIP.String()
}

type poolSpec struct {
	CIDR             netip.Prefix  `json:"cidr"`
	IPIPMode         Encapsulation `json:"ipipMode,omitempty"`
	VXLANMode        Encapsulation `json:"vxlanMode,omitempty"`
	DisableBGPExport bool          `json:"disableBGPExport,omitempty"`
	Disabled         bool          `json:"disabled,omitempty"`
	NATOutgoing      bool          `json:"natOutgoing,omitempty"`
	BlockSize        uint8         `json:"blockSize,omitempty"`
}

type affinitySpec struct {
	Node    string       `json:"node"`
	CIDR    netip.Prefix `json:"cidr"`
	State   string       `json:"state,omitempty"`
	Deleted bool         `json:"deleted,omitempty"`
}

type felixSpec struct {
	ProgramClusterRoutes ClusterRoutes `json:"programClusterRoutes,omitempty"`
}

type serviceSpec struct {
	Type                  string       `json:"type"`
	ClusterIP             string       `json:"clusterIP,omitempty"`
	ClusterIPs            []netip.Addr `json:"clusterIPs,omitempty"`
	ExternalIPs           []netip.Addr `json:"externalIPs,omitempty"`
	ExternalTrafficPolicy string       `json:"externalTrafficPolicy,omitempty"`
	IPFamilies            []string     `json:"ipFamilies,omitempty"`
}

type serviceStatus struct {
	LoadBalancer struct {
		Ingress []ingressSpec `json:"ingress"`
	} `json:"loadBalancer"`
}

type ingressSpec struct {
	IP netip.Addr `json:"ip"`
}

func (e *envelope) service(s *Service) {
	e.APIVersion = coreVersion
	spec := serviceSpec{
		Type: s.Type, ClusterIP: word(len(s.ClusterIPs) == 0, "None"), ClusterIPs: s.ClusterIPs,
		ExternalIPs: s.ExternalIPs, ExternalTrafficPolicy: word(s.Local, "Local"),
	}
	if s.IPv4 {
		spec.IPFamilies = append(spec.IPFamilies, "IPv4")
	}
	if s.IPv6 {
		spec.IPFamilies = append(spec.IPFamilies, "IPv6")
	}
	e.Spec = spec
	if len(s.LoadBalancerIPs) > 0 {
		var status serviceStatus
		status.LoadBalancer.Ingress = each(s.LoadBalancerIPs, func(a netip.Addr) ingressSpec { return ingressSpec{a} })
		e.Status = status
	}
}

type endpointSpec struct {
	NodeName string `json:"nodeName,omitempty"`
	// Addresses are what the API asks for, and nobody here reads.
	Addresses []string `json:"addresses"`
}

func (e *envelope) endpointSlice(s *EndpointSlice) {
	e.APIVersion = endpointSliceVersion
	e.AddressType = "IPv4"
	if s.IPv6 {
		e.AddressType = "IPv6"
	}
	if s.Service != "" {
		e.Metadata.Labels = map[string]string{serviceNameLabel: s.Service}
	}
	e.Endpoints = each(s.Nodes, func(node string) endpointSpec { return endpointSpec{NodeName: node, Addresses: []string{}} })
	if s.Ready && len(s.Nodes) == 0 {
		e.Endpoints = []endpointSpec{{Addresses: []string{}}}
	}
}

// secret writes values as people can read them, where they are text.
func (e *envelope) secret(s *Secret) {
	e.APIVersion = coreVersion
	e.Data, e.StringData = map[string][]byte{}, map[string]string{}
	for key, value := range s.Data {
		if utf8.ValidString(value) {
			e.StringData[key] = value
		} else {
			e.Data[key] = []byte(value)
		}
	}
}
