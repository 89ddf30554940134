package lab

import (
	"fmt"
	"net/netip"
)

// Workload is a pod on a host: a namespace behind a cali* interface.
type Workload struct {
	Host      *Host
	Addresses []netip.Addr
	// Device is the host's end of the cable.
	Device string

	name string
}

// normalMetric is that of Felix's routes to workloads; a workload on the move has a
// smaller one.
const normalMetric = 1024

// AddWorkload adds a pod with these addresses to the host, with the routes to it
// that Felix makes.
func (h *Host) AddWorkload(addresses ...string) *Workload {
	h.lab.tb.Helper()
	return h.AddWorkloadAt(normalMetric, addresses...)
}

// AddWorkloadAt is AddWorkload with the metric of its routes: that of a workload that
// moves here is smaller than usual.
func (h *Host) AddWorkloadAt(metric uint32, addresses ...string) *Workload {
	h.lab.tb.Helper()
	h.lab.workloads++
	w := &Workload{Host: h, name: fmt.Sprintf("pod%d", h.lab.workloads), Device: fmt.Sprintf("cali%08x", h.lab.workloads)}
	for _, a := range addresses {
		w.Addresses = append(w.Addresses, netip.MustParseAddr(a))
	}
	net := h.lab.Net
	net.AddNamespace(w.name)
	h.lab.quiet(w.name)
	h.IP("link add", w.Device, "type veth peer name eth0 netns", net.NS(w.name))
	// Felix gives each of them this address, which the pod's default route needs.
	h.IP("link set", w.Device, "address ee:ee:ee:ee:ee:ee up")
	h.Exec("sh", "-c", "cd /proc/sys/net/ipv4; echo 1 >conf/"+w.Device+"/proxy_arp; echo 0 >neigh/"+w.Device+"/proxy_delay")
	w.ip("link set eth0 up")
	for _, a := range w.Addresses {
		w.ip("addr add", a.String(), "dev eth0")
	}
	w.addDefaultRoutes()
	for _, a := range w.Addresses {
		w.AddRoute(a, metric)
	}
	return w
}

// addDefaultRoutes gives the pod its way out: a neighbor that is the host.
func (w *Workload) addDefaultRoutes() {
	w.ip("neigh add fe80::ecee:eeff:feee:eeee lladdr ee:ee:ee:ee:ee:ee nud permanent dev eth0")
	w.ip("-6 route add default via fe80::ecee:eeff:feee:eeee dev eth0")
	w.ip("route add 169.254.1.1 dev eth0 scope link")
	w.ip("route add default via 169.254.1.1 dev eth0")
}

// AddRoute makes the host's route to an address of the workload, as Felix does.
func (w *Workload) AddRoute(a netip.Addr, metric uint32) {
	w.Host.lab.tb.Helper()
	w.Host.IP("route add", netip.PrefixFrom(a, a.BitLen()).String(), "dev", w.Device, "proto boot metric", fmt.Sprint(metric), scope(a))
}

// DeleteRoute undoes AddRoute.
func (w *Workload) DeleteRoute(a netip.Addr, metric uint32) {
	w.Host.lab.tb.Helper()
	w.Host.IP("route del", netip.PrefixFrom(a, a.BitLen()).String(), "dev", w.Device, "metric", fmt.Sprint(metric))
}

func scope(a netip.Addr) string {
	if a.Is6() {
		return ""
	}
	return "scope link"
}

// Remove takes the workload away, and with its interface its routes.
func (w *Workload) Remove() {
	w.Host.lab.tb.Helper()
	w.Host.IP("link del", w.Device)
}

func (w *Workload) ns() string { return w.Host.lab.Net.NS(w.name) }

func (w *Workload) ip(args ...string) {
	w.Host.lab.tb.Helper()
	if _, err := w.Host.lab.ip(w.ns(), args...); err != nil {
		w.Host.lab.tb.Fatal(err)
	}
}
