// Package kernel reads the kernel's routes and addresses, and takes single routes
// away. All of it is about the network namespace that the program runs in.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"confd/internal/routes"
	"confd/reload/control"
)

// protocolBIRD is the number that BIRD gives to its routes (RTPROT_BIRD of Linux).
const protocolBIRD = 12

// familyOf is Linux's number of an address family.
func familyOf(version int) int {
	if version == 4 {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// Routes are the routes of a family, 4 or 6, in all tables, without those to this
// machine's own addresses and those for one type of service. Where the kernel says that
// they changed while they were read the error wraps netlink.ErrDumpInterrupted, and there
// are none: try again. Linux 6.18 does not say it: where routes of IPv6 change meanwhile,
// some that were there all the time may be missing, others are there twice
// (findings/linux-ipv6-listing-misses-routes.sh).
func Routes(version int) ([]routes.Entry, error) {
	names, err := interfaces()
	if err != nil {
		return nil, err
	}
	var list []routes.Entry
	filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC} // all
	err = netlink.RouteListFilteredIter(familyOf(version), filter, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
		if e, ok := entry(r, version, names); ok {
			list = append(list, e)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's routes of IPv%d: %w", version, err)
	}
	return list, nil
}

// interfaces are the names of this machine's interfaces by number.
func interfaces() (map[int]string, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("reading the interfaces: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Index] = l.Name
	}
	return names, nil
}

// entry reads one route; false: it is one to an address of this machine's, or of
// several machines, or for packets of one type of service alone, which BIRD does not
// know.
func entry(r netlink.Route, version int, names map[int]string) (routes.Entry, bool) {
	if r.Tos != 0 {
		return routes.Entry{}, false
	}
	e := routes.Entry{Table: r.Table, Metric: uint32(r.Priority), BIRD: r.Protocol == protocolBIRD}
	switch r.Type {
	case unix.RTN_UNICAST:
		e.Target = control.Unicast
	case unix.RTN_BLACKHOLE:
		e.Target = control.Blackhole
	case unix.RTN_UNREACHABLE:
		e.Target = control.Unreachable
	case unix.RTN_PROHIBIT:
		e.Target = control.Prohibited
	default:
		return e, false
	}
	var ok bool
	if e.Net, ok = prefix(r.Dst, version); !ok {
		return e, false
	}
	if e.Target != control.Unicast {
		return e, true
	}
	if len(r.MultiPath) == 0 {
		e.Hops = []control.Hop{{Via: gateway(r.Gw, r.Via), Interface: names[r.LinkIndex]}}
	}
	for _, hop := range r.MultiPath {
		e.Hops = append(e.Hops, control.Hop{Via: gateway(hop.Gw, hop.Via), Interface: names[hop.LinkIndex]})
	}
	return e, true
}

func prefix(dst *net.IPNet, version int) (netip.Prefix, bool) {
	if dst == nil { // the default route
		if version == 4 {
			return netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
		}
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0), true
	}
	a, ok := netip.AddrFromSlice(dst.IP)
	if version == 4 {
		a = a.Unmap()
	}
	ones, _ := dst.Mask.Size()
	return netip.PrefixFrom(a, ones), ok
}

// gateway is not valid where there is none. via is one of the other family.
func gateway(gw net.IP, via netlink.Destination) netip.Addr {
	if v, ok := via.(*netlink.Via); ok {
		gw = v.Addr
	}
	a, _ := netip.AddrFromSlice(gw)
	return a.Unmap()
}

// Remove takes away a route that a BIRD has programmed, and no other one: its table,
// net, metric, and where it leads must be those of e. (To the kernel a metric of 0
// means any, and it takes the first that is like the rest.)
func Remove(e routes.Entry) error {
	r := netlink.Route{
		Dst:   &net.IPNet{IP: e.Net.Addr().AsSlice(), Mask: net.CIDRMask(e.Net.Bits(), e.Net.Addr().BitLen())},
		Table: e.Table, Priority: int(e.Metric), Protocol: protocolBIRD, Type: typeOf(e.Target), Scope: netlink.SCOPE_NOWHERE,
	}
	if len(e.Hops) == 1 {
		link, err := net.InterfaceByName(e.Hops[0].Interface)
		if err != nil {
			return fmt.Errorf("taking %s out of the kernel: its interface: %w", e, err) // it goes with that
		}
		r.LinkIndex = link.Index
		if via := e.Hops[0].Via; via.Is4() == e.Net.Addr().Is4() {
			r.Gw = via.AsSlice()
		}
	}
	err := netlink.RouteDel(&r)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("taking %s out of the kernel takes CAP_NET_ADMIN, which this program does not have: %w", e, err)
	}
	if err != nil {
		return fmt.Errorf("taking %s out of the kernel: %w", e, err)
	}
	return nil
}

func typeOf(t control.Target) int {
	switch t {
	case control.Blackhole:
		return unix.RTN_BLACKHOLE
	case control.Unreachable:
		return unix.RTN_UNREACHABLE
	case control.Prohibited:
		return unix.RTN_PROHIBIT
	}
	return unix.RTN_UNICAST
}

// Ways are what the kernel does with packets to addresses. Without a socket to ask on
// nothing is known, and the map is empty.
func Ways(to []netip.Addr) map[netip.Addr]routes.Way {
	found := map[netip.Addr]routes.Way{}
	if len(to) == 0 {
		return found
	}
	asked, err := netlink.NewHandle(unix.NETLINK_ROUTE) // one socket for all of them
	if err != nil {
		return found
	}
	defer asked.Close()
	for _, a := range to {
		found[a] = way(asked.RouteGetWithOptions(a.WithZone("").AsSlice(), &netlink.RouteGetOptions{FIBMatch: true}))
	}
	return found
}

// way is what the kernel's answer says of packets to an address.
func way(found []netlink.Route, err error) routes.Way {
	switch {
	case errors.Is(err, unix.EINVAL):
		return routes.WayBlackhole
	case errors.Is(err, unix.EHOSTUNREACH):
		return routes.WayUnreachable
	case errors.Is(err, unix.EACCES):
		return routes.WayProhibited
	case err != nil:
		return routes.WayOpen // there is none, or it is not known
	}
	for _, r := range found {
		switch r.Type {
		case unix.RTN_BLACKHOLE:
			return routes.WayBlackhole
		case unix.RTN_UNREACHABLE:
			return routes.WayUnreachable
		case unix.RTN_PROHIBIT:
			return routes.WayProhibited
		}
	}
	return routes.WayOpen
}

// Changes counts what the kernel tells of changes of routes, addresses and links.
type Changes struct {
	count atomic.Uint64
	on    atomic.Bool
}

// Count grows with each change. false: changes are not heard of.
func (c *Changes) Count() (uint64, bool) { return c.count.Load(), c.on.Load() }

// pauseBetween is how long Run waits before it listens again.
const pauseBetween = 5 * time.Second

// Run listens until ctx ends.
func (c *Changes) Run(ctx context.Context) {
	for ctx.Err() == nil {
		c.listen(ctx)
		c.on.Store(false)
		select {
		case <-ctx.Done():
		case <-time.After(pauseBetween):
		}
	}
}

// listen hears changes until ctx ends, or the kernel says no more. That some were
// lost, as there were too many at once, is a change, too.
func (c *Changes) listen(ctx context.Context) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, socket.Close)()
	defer socket.Close()
	c.count.Add(1)
	c.on.Store(true)
	for ctx.Err() == nil {
		_, _, err := socket.Receive()
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		c.count.Add(1)
	}
}
