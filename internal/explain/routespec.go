package explain

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"confd/backends"
	"confd/bgp"
)

// maxPreference less a priority is the local preference that stands for it.
const maxPreference = 1<<31 - 1

// ParseRoute reads a route as people give it: a net, or an address, and what else
// is known of the route, each after a comma: "10.0.0.0/26,community=65000:1,
// path=65000 65001,priority=512,localpref=100,metric=1024,interface=cali1,
// nexthop=10.0.0.1,peer". peer says that a BGP peer told it. given says that more
// than the net was.
func ParseRoute(text string) (r bgp.Route, given bool, err error) {
	net, rest, given := strings.Cut(text, ",")
	if r.Net, err = parseNet(strings.TrimSpace(net)); err != nil {
		return r, false, err
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !given {
			break
		}
		if err := setAttribute(&r, name, value); err != nil {
			return r, false, fmt.Errorf("route %q: %s: %w", text, name, err)
		}
	}
	return r, given, nil
}

func parseNet(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither a net such as 10.0.0.0/26 nor an address", text)
	}
	if p.Addr().Is4In6() {
		return p, fmt.Errorf("%q is an IPv4 net written as IPv6", text)
	}
	return p.Masked(), nil
}

func setAttribute(r *bgp.Route, name, value string) error {
	switch name {
	case "community":
		c, err := backends.ParseCommunity(value)
		r.Communities = append(r.Communities, c)
		return err
	case "path":
		for word := range strings.FieldsSeq(value) {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return fmt.Errorf("%q is no AS number", word)
			}
			r.Path = append(r.Path, uint32(n))
		}
		return nil
	case "interface":
		r.Interface = value
		return nil
	case "nexthop":
		a, err := netip.ParseAddr(value)
		r.NextHop = a.Unmap()
		return err
	case "peer":
		r.Session = "peer"
		return nil
	}
	return setNumber(r, name, value)
}

func setNumber(r *bgp.Route, name, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	v := uint32(n)
	switch {
	case name != "priority" && name != "localpref" && name != "metric":
		return fmt.Errorf("unknown: expected community, path, interface, nexthop, peer, priority, localpref or metric")
	case err != nil, name == "priority" && v > maxPreference:
		return fmt.Errorf("%q is no number of that kind", value)
	case name == "priority":
		v = maxPreference - v
		r.LocalPref = &v
	case name == "localpref":
		r.LocalPref = &v
	default:
		r.Metric = &v
	}
	return nil
}
