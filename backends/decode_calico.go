package backends

import (
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxPriority is the largest route priority: local preference is this minus
// the priority.
const maxPriority = 1<<31 - 1

// decodeNode reads a Node. It can do without any of its fields: those that make
// no sense count as unset.
func decodeNode(m metadata, f field) *Node {
	spec, status := f.get("spec"), f.get("status")
	bgp, wireguard := spec.get("bgp"), spec.get("wireguard")
	for _, part := range []field{spec, bgp, wireguard, status} {
		part.object()
	}
	n := &Node{
		Name:      m.name,
		Labels:    m.labels,
		IPv4:      bgp.get("ipv4Address").nodeAddress(4),
		IPv6:      bgp.get("ipv6Address").nodeAddress(6),
		ASNumber:  bgp.get("asNumber").asNumber(),
		ClusterID: bgp.get("routeReflectorClusterID").clusterID(),
	}
	if !wireguard.missing() {
		n.WireguardIPv4 = wireguard.get("interfaceIPv4Address").addrOf(4)
		n.WireguardIPv6 = wireguard.get("interfaceIPv6Address").addrOf(6)
	}
	if !status.missing() {
		n.WireguardKeyIPv4 = status.get("wireguardPublicKey").text()
		n.WireguardKeyIPv6 = status.get("wireguardPublicKeyV6").text()
		n.PodCIDRs = prefixes(status.get("podCIDRs").list())
	}
	return n
}

// nodeAddress reads ADDRESS or ADDRESS/LENGTH. Without a length the subnet is
// the address alone, as in Calico: every other node is in another one.
func (f field) nodeAddress(version int) NodeAddress {
	if f.empty() {
		return NodeAddress{}
	}
	var a NodeAddress
	if s := f.text(); strings.Contains(s, "/") {
		p, ok := parsePrefix(s)
		if !ok {
			f.bad("an IP address with a prefix length")
			return a
		}
		a = NodeAddress{Addr: p.Addr(), Subnet: p.Masked()}
	} else {
		a.Addr = f.addr()
	}
	a.Addr = f.familyOf(f.checkUnicast(a.Addr), version)
	if !a.Addr.IsValid() {
		return NodeAddress{}
	}
	if !a.Subnet.IsValid() {
		a.Subnet = netip.PrefixFrom(a.Addr, a.Addr.BitLen())
	}
	return a
}

// clusterID is four bytes in the form of an IPv4 address; it needs not be one
// that a host can have, but 0.0.0.0 is none (RFC 4456).
func (f field) clusterID() netip.Addr {
	a := f.familyOf(f.addr(), 4)
	if a.IsValid() && a.IsUnspecified() {
		f.bad("a cluster ID")
		return netip.Addr{}
	}
	return a
}

// decodeBGPPeer reads a BGPPeer. What its sessions can do without counts as unset
// where it makes no sense: an odd timer must not end a session. What says who the
// peer is, and what guards the session, must be right.
func decodeBGPPeer(m metadata, spec field) *BGPPeer {
	soft := spec.soft()
	p := &BGPPeer{
		Name:                  m.name,
		Node:                  spec.get("node").text(),
		NodeSelector:          spec.get("nodeSelector").text(),
		ASNumber:              spec.get("asNumber").asNumber(),
		PeerSelector:          spec.get("peerSelector").text(),
		LocalWorkloadSelector: spec.get("localWorkloadSelector").text(),
		LocalASNumber:         spec.get("localASNumber").asNumber(),
		KeepOriginalNextHop:   soft.get("keepOriginalNextHop").isTrue(),
		NextHopMode:           oneOf(soft.get("nextHopMode"), NextHopAuto, NextHopSelf, NextHopKeep),
		Password:              spec.get("password").secretKeyRef(),
		NoSourceAddress:       oneOf(soft.get("sourceAddress"), "UseNodeIP", "None") == "None",
		MaxRestartTime:        soft.get("maxRestartTime").duration(),
		KeepaliveTime:         soft.get("keepaliveTime").positive(),
		NumAllowedLocalAS:     soft.get("numAllowedLocalASNumbers").uint32(0, math.MaxUint32),
		ReachableBy:           soft.get("reachableBy").unicast(),
		NoReversePeering:      oneOf(soft.get("reversePeering"), "Auto", "Manual") == "Manual",
	}
	p.PeerIP, p.Port = spec.get("peerIP").addrPort()
	if hops := spec.get("ttlSecurity").number(0, 255); hops != nil {
		p.TTLSecurity = uint8(*hops)
	}
	for _, f := range spec.get("filters").list() {
		p.Filters = append(p.Filters, f.word())
	}
	if p.ReachableBy.IsValid() && p.PeerIP.IsValid() && p.ReachableBy.Is4() != p.PeerIP.Is4() {
		soft.get("reachableBy").failf("%s is not of the same address family as peerIP", p.ReachableBy)
		p.ReachableBy = netip.Addr{}
	}
	checkPeer(p, spec)
	p.Ignored = soft.found.list()
	return p
}

// checkPeer notes what does not go together.
func checkPeer(p *BGPPeer, spec field) {
	spec.object()
	var sides []string
	for _, name := range []string{"peerIP", "peerSelector", "localWorkloadSelector"} {
		if !spec.get(name).empty() {
			sides = append(sides, name)
		}
	}
	switch {
	case len(sides) == 0:
		spec.failf("has none of peerIP, peerSelector and localWorkloadSelector")
	case len(sides) > 1:
		spec.failf("has %s; a peer has one remote side", strings.Join(sides, " and "))
	}
	if p.Node != "" && p.NodeSelector != "" {
		spec.failf("has node and nodeSelector; only one can say which nodes it is for")
	}
}

// addrPort reads "A", "A:port", "V6" or "[V6]:port".
func (f field) addrPort() (netip.Addr, uint16) {
	s := f.text()
	if s == "" {
		return netip.Addr{}, 0
	}
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(bare)
	if err == nil && a.Zone() == "" {
		return f.checkUnicast(a.Unmap()), 0
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		f.bad("an IP address, or one with a port")
		return netip.Addr{}, 0
	}
	a, err = netip.ParseAddr(host)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || a.Zone() != "":
		f.bad("an IP address, or one with a port")
	case portErr != nil || n == 0:
		f.failf("%s has a port outside 1..65535", quoted(s))
	default:
		return f.checkUnicast(a.Unmap()), uint16(n)
	}
	return netip.Addr{}, 0
}

func decodeIPPool(m metadata, spec field) *IPPool {
	encap := func(name string) Encapsulation {
		return oneOf(spec.get(name), EncapNever, EncapAlways, EncapCrossSubnet)
	}
	spec.object()
	soft := spec.soft()
	p := &IPPool{
		Name:             m.name,
		CIDR:             spec.get("cidr").required().prefix(),
		IPIP:             encap("ipipMode"),
		VXLAN:            encap("vxlanMode"),
		DisableBGPExport: spec.get("disableBGPExport").isTrueOrBad(),
		Disabled:         soft.get("disabled").isTrue(),
		NATOutgoing:      soft.get("natOutgoing").isTrue(),
	}
	p.Ignored = soft.found.list()
	p.BlockSize = spec.get("blockSize").blockSize(p.CIDR)
	ipip := p.IPIP != "" && p.IPIP != EncapNever
	vxlan := p.VXLAN != "" && p.VXLAN != EncapNever
	if ipip && vxlan {
		spec.failf("has both ipipMode %s and vxlanMode %s", p.IPIP, p.VXLAN)
	}
	if ipip && p.CIDR.Addr().Is6() {
		spec.get("ipipMode").failf("%s does not exist for IPv6 (%s)", p.IPIP, p.CIDR)
	}
	return p
}

// blockSize reads the prefix length of blocks in a pool. One that makes no
// sense counts as none: it matters to nothing but figures, which must not take
// the pool's routes away.
func (f field) blockSize(pool netip.Prefix) uint8 {
	n, ok := wholeNumber(f.value)
	if !ok || !pool.IsValid() || n < int64(pool.Bits()) || n > int64(pool.Addr().BitLen()) {
		return 0
	}
	return uint8(n)
}

// required notes a field that is not there.
func (f field) required() field {
	if f.empty() {
		f.failf("is missing")
	}
	return f
}

func decodeBlockAffinity(m metadata, spec field) (*BlockAffinity, error) {
	if t := spec.get("type").text(); t != "" && t != "host" {
		return nil, ErrNotOurs
	}
	return &BlockAffinity{
		Name:    m.name,
		Node:    spec.get("node").required().text(),
		CIDR:    spec.get("cidr").required().prefix(),
		State:   spec.get("state").affinityState(),
		Deleted: spec.get("deleted").isTrue(),
	}, nil
}
