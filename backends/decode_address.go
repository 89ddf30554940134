package backends

import (
	"net/netip"
	"strconv"
)

func (f field) addr() netip.Addr {
	if f.empty() {
		return netip.Addr{}
	}
	s := f.text()
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		if s != "" {
			f.bad("an IP address")
		}
		return netip.Addr{}
	}
	return a.Unmap()
}

// unicast reads an address that a BGP session or a gateway can have.
func (f field) unicast() netip.Addr {
	a := f.addr()
	return f.checkUnicast(a)
}

func (f field) checkUnicast(a netip.Addr) netip.Addr {
	var what string
	switch {
	case !a.IsValid():
		return a
	case a.IsUnspecified():
		what = "the unspecified address"
	case a.Is4() && a.IsMulticast(): // in IPv6, BIRD and Calico take such addresses
		what = "a multicast address"
	case a.IsLinkLocalUnicast():
		what = "a link-local address, which needs an interface that cannot be given here"
	case a.Is4() && (a.As4()[0] == 0 || a.As4()[0] >= 240):
		what = "no unicast address"
	default:
		return a
	}
	f.failf("%s is %s", quoted(f.value), what)
	return netip.Addr{}
}

// addrOf reads a unicast address of one family.
func (f field) addrOf(version int) netip.Addr { return f.familyOf(f.unicast(), version) }

func (f field) familyOf(a netip.Addr, version int) netip.Addr {
	if a.IsValid() && a.Is4() != (version == 4) {
		f.bad("an IPv" + strconv.Itoa(version) + " address")
		return netip.Addr{}
	}
	return a
}

// prefix reads a CIDR; what lies right of its length counts as zero.
func (f field) prefix() netip.Prefix {
	if f.empty() {
		return netip.Prefix{}
	}
	s := f.text()
	p, ok := parsePrefix(s)
	if !ok && s != "" {
		f.bad("a CIDR")
	}
	return p.Masked()
}

// prefixes reads CIDRs; what is none is noted and left out.
func prefixes(list []field) []netip.Prefix {
	var nets []netip.Prefix
	for _, e := range list {
		if p := e.prefix(); p.IsValid() {
			nets = append(nets, p)
		}
	}
	return nets
}

// parsePrefix reads ADDRESS/LENGTH; IPv4 written as IPv6 becomes IPv4.
func parsePrefix(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if !p.Addr().Is4In6() {
		return p, true
	}
	if p.Bits() < 96 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96), true
}
