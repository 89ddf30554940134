package backends

import (
	"cmp"
	"net/netip"
	"slices"
)

// With is the Node with what another resource says of the same node, and it does
// not: see the file backend, where Calico's Node and the Kubernetes Node of one
// name may both be there. Labels of both count; of one name the other's.
func (n *Node) With(other *Node) *Node {
	m := *n
	m.Labels = merged(n.Labels, other.Labels)
	if !m.IPv4.Addr.IsValid() {
		m.IPv4 = other.IPv4
	}
	if !m.IPv6.Addr.IsValid() {
		m.IPv6 = other.IPv6
	}
	m.ASNumber = cmp.Or(m.ASNumber, other.ASNumber)
	for _, f := range []struct{ to, from *netip.Addr }{
		{&m.ClusterID, &other.ClusterID}, {&m.WireguardIPv4, &other.WireguardIPv4}, {&m.WireguardIPv6, &other.WireguardIPv6},
	} {
		*f.to = cmp.Or(*f.to, *f.from)
	}
	m.WireguardKeyIPv4 = cmp.Or(m.WireguardKeyIPv4, other.WireguardKeyIPv4)
	m.WireguardKeyIPv6 = cmp.Or(m.WireguardKeyIPv6, other.WireguardKeyIPv6)
	if len(other.PodCIDRs) > 0 {
		m.PodCIDRs = other.PodCIDRs
	}
	m.Ignored = slices.Concat(n.Ignored, other.Ignored)
	return &m
}

// Ignored lists what in a resource made no sense and counts as unset.
func Ignored(r Resource) []string {
	switch r := r.(type) {
	case *Node:
		return r.Ignored
	case *BGPConfiguration:
		return r.Ignored
	case *BGPPeer:
		return r.Ignored
	case *IPPool:
		return r.Ignored
	case *Service:
		return r.Ignored
	}
	return nil
}
