package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"confd/reload/control"
)

// ProtocolBIRD marks BIRD's routes in the kernel; ProtocolFelix those that Felix
// puts there for other nodes' blocks, and ProtocolBoot those for its workloads.
const (
	ProtocolBIRD  = "12"
	ProtocolFelix = "80"
	ProtocolBoot  = "3"
)

// KernelRoute is a route as a host's kernel has it.
type KernelRoute struct {
	Net      netip.Prefix
	Type     string       // unicast, blackhole, unreachable, prohibit
	Gateways []netip.Addr // one, or those of a multipath route
	Device   string       // of a route with one way
	Protocol string       // as a number
	Metric   uint32
}

// KernelRoutes are the routes of the machine's main table, of both families.
func (m *Machine) KernelRoutes() ([]KernelRoute, error) {
	var routes []KernelRoute
	for _, family := range []string{"-4", "-6"} {
		out, err := m.lab.ip(m.NS(), "-json -N -details", family, "route show")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		list, err := parseKernelRoutes(out, family == "-6")
		if err != nil {
			return nil, fmt.Errorf("%s: routes of the kernel: %w", m.Name, err)
		}
		routes = append(routes, list...)
	}
	return routes, nil
}

// kernelRow is a route as `ip -json` prints it.
type kernelRow struct {
	Type, Dst, Gateway, Dev, Protocol string
	Via                               struct{ Host string }
	Metric                            uint32
	Nexthops                          []struct{ Gateway, Dev string }
}

func parseKernelRoutes(text []byte, six bool) ([]KernelRoute, error) {
	var rows []kernelRow
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	var routes []KernelRoute
	for _, row := range rows {
		r := KernelRoute{Type: kernelType(row.Type), Device: row.Dev, Protocol: row.Protocol, Metric: row.Metric}
		var err error
		if r.Net, err = kernelNet(row.Dst, six); err != nil {
			return nil, err
		}
		for _, gateway := range append([]string{row.Gateway, row.Via.Host}, nextHops(row)...) {
			if a, err := netip.ParseAddr(gateway); err == nil {
				r.Gateways = append(r.Gateways, a)
			}
		}
		routes = append(routes, r)
	}
	return routes, nil
}

func nextHops(row kernelRow) []string {
	var list []string
	for _, n := range row.Nexthops {
		list = append(list, n.Gateway)
	}
	return list
}

// kernelType is a route's type by name: with -N ip prints numbers.
func kernelType(t string) string {
	switch t {
	case "", "1":
		return "unicast"
	case "6":
		return "blackhole"
	case "7":
		return "unreachable"
	case "8":
		return "prohibit"
	}
	return t
}

func kernelNet(dst string, six bool) (netip.Prefix, error) {
	if dst == "default" && six {
		return netip.MustParsePrefix("::/0"), nil
	}
	if dst == "default" {
		return netip.MustParsePrefix("0.0.0.0/0"), nil
	}
	if strings.Contains(dst, "/") {
		return netip.ParsePrefix(dst)
	}
	a, err := netip.ParseAddr(dst)
	return netip.PrefixFrom(a, a.BitLen()), err
}

// RoutesTo are the kernel's routes to exactly this net.
func (m *Machine) RoutesTo(net string) ([]KernelRoute, error) {
	want := netip.MustParsePrefix(net)
	routes, err := m.KernelRoutes()
	var found []KernelRoute
	for _, r := range routes {
		if r.Net == want {
			found = append(found, r)
		}
	}
	return found, err
}

// AwaitNoRoute waits until the machine's kernel has no route to exactly this net.
func (m *Machine) AwaitNoRoute(net string) {
	m.lab.tb.Helper()
	m.lab.Await(m.Name+" to be without "+net, func() error {
		routes, err := m.RoutesTo(net)
		if err == nil && len(routes) > 0 {
			err = fmt.Errorf("there are %v", routes)
		}
		return err
	})
}

// BirdRoutes are the routes of the host's BIRDs, without those that filters
// rejected.
func (h *Host) BirdRoutes() ([]control.Route, error) {
	var routes []control.Route
	err := h.ask(func(ctx context.Context, c *control.Client) error {
		list, err := c.Routes(ctx)
		routes = append(routes, list...)
		return err
	})
	return routes, err
}

// AwaitBlocks waits until each of the hosts has the blocks of all others, in each
// family that both have: in BIRD,
// by BGP and with an interface to leave by, and in the kernel, from BIRD and by way
// of the block's own node or, where that is in another subnet, a router.
func (l *Lab) AwaitBlocks(hosts ...*Host) {
	l.tb.Helper()
	for _, h := range hosts {
		l.Await("the others' blocks on "+h.Name, func() error { return h.hasBlocksOf(hosts) })
	}
}

func (h *Host) hasBlocksOf(others []*Host) error {
	inBird, err := h.BirdRoutes()
	if err != nil {
		return err
	}
	inKernel, err := h.KernelRoutes()
	if err != nil {
		return err
	}
	for _, o := range others {
		for _, block := range o.Blocks {
			if o == h || !h.speaks(block) || !o.speaks(block) {
				continue
			}
			if err := usable(inBird, block); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
			if err := programmed(inKernel, block, h.wayTo(o, block)); err != nil {
				return fmt.Errorf("%s: %w", h.Name, err)
			}
		}
	}
	return nil
}

// speaks says whether the node has sessions of the block's family.
func (h *Host) speaks(block netip.Prefix) bool {
	if block.Addr().Is6() {
		return h.Node.IPv6.IsValid()
	}
	return h.Node.IPv4.IsValid()
}

// wayTo is the next hop from the host to a block of another one.
func (h *Host) wayTo(o *Host, block netip.Prefix) netip.Addr {
	six := block.Addr().Is6()
	mine, other := h.address(six), o.address(six)
	if mine.Masked() == other.Masked() {
		return other.Addr()
	}
	return mine.Masked().Addr().Next() // the router's
}

func usable(routes []control.Route, net netip.Prefix) error {
	for _, r := range routes {
		if r.Net != net || !r.Best {
			continue
		}
		if !r.BGP {
			return fmt.Errorf("BIRD has %s by %s, not by BGP", net, r.Protocol)
		}
		if r.Interface == "" {
			return fmt.Errorf("BIRD has %s by %s, and it leads nowhere", net, r.Protocol)
		}
		return nil
	}
	return fmt.Errorf("no %s in BIRD", net)
}

func programmed(routes []KernelRoute, net netip.Prefix, gateway netip.Addr) error {
	var found []KernelRoute
	for _, r := range routes {
		if r.Net == net {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return fmt.Errorf("the kernel has %d routes to %s: %v", len(found), net, found)
	}
	if r := found[0]; r.Type != "unicast" || r.Protocol != ProtocolBIRD || len(r.Gateways) != 1 || r.Gateways[0] != gateway {
		return fmt.Errorf("the kernel's route to %s is %+v, want one of BIRD's via %s", net, r, gateway)
	}
	return nil
}
