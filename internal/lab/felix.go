package lab

import (
	"fmt"
	"net/netip"
)

// What Felix does on a host, besides workloads: tunnels, and routes to other nodes'
// blocks where BIRD leaves them to it.

// AddTunl0 gives the host a stand-in for the IPIP device tunl0: routes lead to it,
// and packets end there.
func (h *Host) AddTunl0() {
	h.lab.tb.Helper()
	h.IP("tuntap add tunl0 mode tun")
	h.IP("link set tunl0 up")
}

// AddVXLAN gives the hosts vxlan.calico, with these addresses of their own, one for
// each host. All hosts reach each other over it.
func (l *Lab) AddVXLAN(vteps map[*Host]string) {
	l.tb.Helper()
	macs := map[*Host]string{}
	for h, vtep := range vteps {
		macs[h] = fmt.Sprintf("66:00:00:00:00:%02x", len(macs)+1)
		h.IP("link add vxlan.calico address", macs[h], "type vxlan id 4096 dstport 4789 nolearning local", h.IPv4().String())
		h.IP("addr add", vtep+"/32", "dev vxlan.calico")
		h.IP("link set vxlan.calico up")
	}
	for h := range vteps {
		for o, vtep := range vteps {
			if o != h {
				h.IP("neigh replace", vtep, "lladdr", macs[o], "nud permanent dev vxlan.calico")
				h.Exec("bridge", "fdb", "append", macs[o], "dev", "vxlan.calico", "dst", o.IPv4().String(), "self", "permanent")
			}
		}
	}
}

// FelixRoute makes a route to another node's block, as Felix marks its own; it
// replaces one that Felix has made before.
func (h *Host) FelixRoute(block, via, device string) {
	h.lab.tb.Helper()
	h.IP("route replace", block, "via", via, "dev", device, "onlink proto", ProtocolFelix, "metric", fmt.Sprint(normalMetric))
}

// AwaitProgrammer waits until the machine's kernel has exactly one route to the net,
// and that is by this protocol (one of the Protocol constants).
func (m *Machine) AwaitProgrammer(net netip.Prefix, protocol string) {
	m.lab.tb.Helper()
	m.lab.Await(fmt.Sprintf("one route to %s on %s", net, m.Name), func() error {
		routes, err := m.RoutesTo(net.String())
		if err == nil && (len(routes) != 1 || routes[0].Protocol != protocol) {
			err = fmt.Errorf("want one of protocol %s, have %+v", protocol, routes)
		}
		return err
	})
}

// AwaitLearned waits until the host's BIRD uses a route to the net that it has by BGP.
func (h *Host) AwaitLearned(net netip.Prefix) {
	h.lab.tb.Helper()
	h.lab.Await(fmt.Sprintf("%s by BGP on %s", net, h.Name), func() error {
		routes, err := h.BirdRoutes()
		if err != nil {
			return err
		}
		return usable(routes, net)
	})
}
