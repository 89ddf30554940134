package onlink

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netlinkKernel is the kernel of this network namespace.
type netlinkKernel struct{}

// find reads the IPv6 addresses and the routes to their networks.
func (netlinkKernel) find() (found, error) {
	f := found{addresses: map[link]int{}, routes: map[link]bool{}, standIns: map[link]bool{}}
	links, err := net.Interfaces()
	if err != nil {
		return f, fmt.Errorf("reading the interfaces: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V6)
	if err != nil {
		return f, fmt.Errorf("reading the IPv6 addresses: %w", err)
	}
	for _, a := range addresses {
		if n, ok := network(a.IPNet); ok && n.Bits() < n.Addr().BitLen() && !n.Addr().IsLinkLocalUnicast() {
			f.addresses[link{n, names[a.LinkIndex]}]++
		}
	}
	filter := &netlink.Route{Table: unix.RT_TABLE_MAIN}
	err = netlink.RouteListFilteredIter(netlink.FAMILY_V6, filter, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		n, ok := network(r.Dst)
		l := link{n, names[r.LinkIndex]}
		switch {
		case !ok || r.Gw != nil || r.Via != nil || len(r.MultiPath) > 0 || r.Type != unix.RTN_UNICAST:
		case r.Protocol == Protocol && r.Priority == Metric:
			f.standIns[l] = true
		default:
			f.routes[l] = f.routes[l] || f.addresses[l] > 0
		}
		return true
	})
	if err != nil {
		return f, fmt.Errorf("reading the IPv6 routes: %w", err)
	}
	return f, nil
}

// network is the network of an address, or that a route leads to.
func network(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(a, ones).Masked(), ok && a.Is6()
}

func (netlinkKernel) add(l link) error {
	r, err := standIn(l)
	if err != nil {
		return err
	}
	// Another interface in the network may have one of its own, which for the kernel is
	// the same route: "add" would say that it is there.
	return netlink.RouteAppend(r)
}

func (netlinkKernel) remove(l link) error {
	r, err := standIn(l)
	if err != nil {
		return err
	}
	return netlink.RouteDel(r)
}

func standIn(l link) (*netlink.Route, error) {
	device, err := net.InterfaceByName(l.iface)
	if err != nil {
		return nil, err
	}
	return &netlink.Route{
		LinkIndex: device.Index, Table: unix.RT_TABLE_MAIN, Protocol: Protocol, Priority: Metric,
		Dst: &net.IPNet{IP: l.net.Addr().AsSlice(), Mask: net.CIDRMask(l.net.Bits(), l.net.Addr().BitLen())},
	}, nil
}
