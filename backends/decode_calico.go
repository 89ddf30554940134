package backends

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxRestartTime bounds what makes sense. RFC 4724 has room for 4095 s: what is
// above that is for the model to cut.
const maxRestartTime = 65535 * time.Second

// The keepalive time is given to BIRD in whole seconds, 1 to 65535.
const (
	minKeepaliveTime = time.Second / 2
	maxKeepaliveTime = 65535 * time.Second
)

// maxPriority is the largest route priority: local preference is this minus
// the priority.
const maxPriority = 1<<31 - 1

func decodeNode(m metadata, spec field) *Node {
	bgp, wireguard := spec.get("bgp"), spec.get("wireguard")
	return &Node{
		Name:          m.name,
		Labels:        m.labels,
		IPv4:          bgp.get("ipv4Address").nodeAddress(4),
		IPv6:          bgp.get("ipv6Address").nodeAddress(6),
		ASNumber:      bgp.get("asNumber").asNumber(),
		ClusterID:     bgp.get("routeReflectorClusterID").clusterID(),
		WireguardIPv4: wireguard.get("interfaceIPv4Address").addrOf(4),
		WireguardIPv6: wireguard.get("interfaceIPv6Address").addrOf(6),
	}
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

func decodeBGPPeer(m metadata, spec field) *BGPPeer {
	p := &BGPPeer{
		Name:                  m.name,
		Node:                  spec.get("node").text(),
		NodeSelector:          spec.get("nodeSelector").text(),
		ASNumber:              spec.get("asNumber").asNumber(),
		PeerSelector:          spec.get("peerSelector").text(),
		LocalWorkloadSelector: spec.get("localWorkloadSelector").text(),
		LocalASNumber:         spec.get("localASNumber").asNumber(),
		KeepOriginalNextHop:   spec.get("keepOriginalNextHop").isTrue(),
		NextHopMode:           oneOf(spec.get("nextHopMode"), NextHopAuto, NextHopSelf, NextHopKeep),
		Password:              spec.get("password").secretKeyRef(),
		NoSourceAddress:       oneOf(spec.get("sourceAddress"), "UseNodeIP", "None") == "None",
		MaxRestartTime:        spec.get("maxRestartTime").duration(0, maxRestartTime),
		KeepaliveTime:         spec.get("keepaliveTime").duration(minKeepaliveTime, maxKeepaliveTime),
		NumAllowedLocalAS:     spec.get("numAllowedLocalASNumbers").uint32(0, 1<<31-1),
		ReachableBy:           spec.get("reachableBy").unicast(),
		NoReversePeering:      oneOf(spec.get("reversePeering"), "Auto", "Manual") == "Manual",
	}
	p.PeerIP, p.Port = spec.get("peerIP").addrPort()
	if hops := spec.get("ttlSecurity").number(0, 255); hops != nil {
		p.TTLSecurity = uint8(*hops)
	}
	for _, f := range spec.get("filters").list() {
		if name := f.text(); name != "" {
			p.Filters = append(p.Filters, name)
		}
	}
	checkPeer(p, spec)
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
	if p.ReachableBy.IsValid() && p.PeerIP.IsValid() && p.ReachableBy.Is4() != p.PeerIP.Is4() {
		spec.get("reachableBy").failf("%s is not of the same address family as peerIP", p.ReachableBy)
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
	p := &IPPool{
		Name:             m.name,
		CIDR:             spec.get("cidr").required().prefix(),
		IPIP:             encap("ipipMode"),
		VXLAN:            encap("vxlanMode"),
		DisableBGPExport: spec.get("disableBGPExport").isTrue(),
		Disabled:         spec.get("disabled").isTrue(),
		NATOutgoing:      spec.get("natOutgoing").isTrue(),
	}
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
		State:   oneOf(spec.get("state"), "confirmed", "pending", "pendingDeletion"),
		Deleted: spec.get("deleted").isTrue(),
	}, nil
}
