package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
	"confd/internal/testenv"
)

const twoPools = `
kind: IPPool
metadata: {name: workloads4}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never, blockSize: 26}
---
kind: IPPool
metadata: {name: workloads6}
spec: {cidr: 'fd00:f4::/48', ipipMode: Never, vxlanMode: Never, blockSize: 122}`

// birds are the versions that a fault is tried with.
var birds = []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"}

// eachBIRD runs a test with each BIRD.
func eachBIRD(t *testing.T, test func(t *testing.T, version string)) {
	t.Parallel()
	for _, version := range birds {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// pair are two hosts with pods, of both families, IPv6 first.
func pair(l *lab.Lab, version string) (hosts []*lab.Host, pods []*lab.Workload) {
	l.AddSubnet("rack", "192.168.2.0/24", "fd00:2::/64")
	l.Store.Apply(twoPools)
	for i := 1; i <= 2; i++ {
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("k8s-m%d", i), BIRD: version, Env: []string{"CONFD_GRACEFUL_RESTART_WAIT=10s"},
			Addresses: []string{fmt.Sprintf("192.168.2.%d/24", 139+i), fmt.Sprintf("fd00:2::1%d/64", i)},
			Blocks:    []string{fmt.Sprintf("fd00:f4:0:%d::/122", i), fmt.Sprintf("10.244.%d.0/26", i)},
		})
		hosts = append(hosts, h)
		pods = append(pods, h.AddWorkload(fmt.Sprintf("fd00:f4:0:%d::2", i), fmt.Sprintf("10.244.%d.2", i)))
	}
	return hosts, pods
}

// TestIPv6AddressRemoved: of two IPv6 addresses in one network, one goes. BIRD forgets
// the network, and no pod behind it may notice.
func TestIPv6AddressRemoved(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version)
		l.Start()
		whole(l, hosts, pods)
		before := l.Moment()
		pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
		hosts[0].IP("addr add fd00:2::100/64 dev eth0 nodad")
		said(l, hosts[0], "a second route in the kernel has BIRD keep a network")
		kernel := follow(l, hosts[0], "fd00:f4:0:2::/122")
		hosts[0].IP("addr del fd00:2::100/64 dev eth0")
		l.Await("BIRD to forget the network", func() error {
			routes, err := hosts[0].BirdRoutes()
			for _, r := range routes {
				if r.Net == netip.MustParsePrefix("fd00:2::/64") && strings.Contains(r.Protocol, "direct") {
					return fmt.Errorf("it is still there: %v", r)
				}
			}
			return err
		})
		pings.AwaitAnswers(100)
		whole(l, hosts, pods)
		noneLost(t, pings, kernel)
		before.NoFlap(nil)
	})
}

// TestIPv6AddressRemovedWithoutRights: a confd that may not add routes says so, and has
// BIRD find the network again once it has forgotten it.
func TestIPv6AddressRemovedWithoutRights(t *testing.T) {
	long(t)
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version)
		hosts[0].StartConfdBy("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
		hosts[1].StartConfd()
		hosts[0].StartBIRD()
		hosts[1].StartBIRD()
		whole(l, hosts, pods)
		before := l.Moment()
		hosts[0].IP("addr add fd00:2::100/64 dev eth0 nodad")
		said(l, hosts[0], "(CAP_NET_ADMIN allows it)")
		hosts[0].IP("addr del fd00:2::100/64 dev eth0")
		said(l, hosts[0], "BIRD has forgotten a network")
		whole(l, hosts, pods)
		before.NoFlap(nil)
		if text := hosts[0].IP("-6 route show proto 179"); text != "" {
			t.Errorf("there is a second route: %s", text)
		}
	})
}

// whole waits until the hosts are a mesh, and the pods reach each other.
func whole(l *lab.Lab, hosts []*lab.Host, pods []*lab.Workload) {
	l.AwaitMesh(hosts...)
	l.AwaitBlocks(hosts...)
	l.AwaitPings(pods...)
}

// said waits until a host's confd has logged a text.
func said(l *lab.Lab, h *lab.Host, text string) {
	l.Await(h.Name+"'s confd to say "+text, func() error {
		if !strings.Contains(h.Confd.Log(), text) {
			return errors.New("it has not")
		}
		return nil
	})
}

// TestPortTaken: another BIRD has the port when the host's starts, which gives its IPv4
// sessions up for good. That is said, and they are taken up when the port is free;
// others never notice.
func TestPortTaken(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version)
		h := hosts[0]
		conf := h.WriteFile("other.conf", "router id 192.0.2.1;\nprotocol device {}\nprotocol bgp squatter { local as 65000; neighbor 192.0.2.2 as 65001; multihop; passive on; "+
			map[bool]string{true: "", false: "ipv4 { import none; export none; }; "}[version == "1.6.8"]+"}\n")
		other := h.Machine.Start("other BIRD", nil, testenv.Bird(t, version), "-f", "-c", conf, "-s", filepath.Join(h.Dir(), "other.ctl"), "-P", filepath.Join(h.Dir(), "other.pid"))
		l.Await("the other BIRD to listen", func() error {
			if !strings.Contains(h.Exec("cat", "/proc/net/tcp"), "00000000:00B3 00000000:0000 0A") {
				return errors.New("it does not")
			}
			return nil
		})
		l.Start()
		said(l, h, "another process has the port")
		l.Await("the session over IPv6", func() error {
			if version == "3.1.8" && !h.Birds[0].Running() {
				// Told to configure while the port is taken, which takes the session up in vain,
				// it dies now and then. What supervises it starts it again.
				t.Log("BIRD has ended, and is started again")
				h.StartBIRD()
			}
			if !strings.Contains(h.Confd.Log(), "state=confirmed") {
				return errors.New("BIRD has not confirmed its configuration")
			}
			sessions, err := h.Sessions()
			if err == nil && !sessions[lab.SessionName("Mesh", "fd00:2::12")].Established() {
				err = errors.New("it is not up")
			}
			return err
		})
		out, code := h.RunConfd("status")
		if code == 0 || !strings.Contains(out, "the port is taken by ") {
			t.Errorf("confd status exits with %d, and says %s", code, out)
		}
		// A "configure" has BIRD try all sessions again that it has given up. The first one
		// comes two seconds after a BIRD 3 is up: when the port is free there must be none to
		// come, so that it is "enable" alone that takes them up.
		said(l, h, "state=confirmed")
		before := l.Moment()
		other.Stop()
		whole(l, hosts, pods)
		before.NoFlap(nil)
		said(l, h, "BIRD listens for all of its sessions again")
	})
}

// TestServiceAddressOnTheHost: service addresses that stand alone are announced, and
// the nodes' own processes go on to use them, with each BIRD.
func TestServiceAddressOnTheHost(t *testing.T) {
	t.Parallel()
	l := lab.NewKubernetes(t)
	l.AddSubnet("rack", "192.168.2.0/24")
	var endpoints []string
	for i, version := range birds {
		h := l.AddHost(lab.HostConfig{Name: fmt.Sprintf("k8s-m%d", i+1), BIRD: version, Addresses: []string{fmt.Sprintf("192.168.2.%d/24", 140+i)}, Blocks: []string{fmt.Sprintf("10.244.%d.0/26", i)}})
		endpoints = append(endpoints, fmt.Sprintf("{addresses: [10.244.%d.2], nodeName: %s, conditions: {ready: true}}", i, h.Name))
	}
	l.Store.Apply("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {serviceExternalIPs: [{cidr: 198.51.100.157/32}], serviceClusterIPs: [{cidr: 10.200.0.0/16}]}")
	l.Store.Apply(`
kind: Service
apiVersion: v1
metadata: {name: shop, namespace: default}
spec: {type: LoadBalancer, clusterIP: 10.0.0.77, ports: [{port: 80}], externalIPs: [198.51.100.157], externalTrafficPolicy: Local}
---
kind: EndpointSlice
apiVersion: discovery.k8s.io/v1
metadata: {name: shop-1, namespace: default, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
endpoints: [` + strings.Join(endpoints, ", ") + "]")
	l.Store.Apply(twoPools)
	l.Start()
	l.AwaitMesh(l.Hosts...)
	l.AwaitBlocks(l.Hosts...) // BIRD puts routes into the kernel
	for _, h := range l.Hosts {
		for _, net := range []string{"198.51.100.157/32", "10.0.0.77/32"} {
			l.Await(h.Name+" to announce "+net, func() error { return staticOf(h, net) })
			if routes, err := h.RoutesTo(net); err != nil || len(routes) > 0 {
				t.Errorf("%s, which announces %s, has %v (%v) in its kernel", h.Name, net, routes, err)
			}
		}
		said(l, h, "its cluster IP 10.0.0.77 is announced, though it lies in none of the ranges of serviceClusterIPs")
	}
}

// staticOf says what is missing until a host's BIRD has a static route to net.
func staticOf(h *lab.Host, net string) error {
	routes, err := h.BirdRoutes()
	for _, r := range routes {
		if r.Net.String() == net && r.Best && strings.HasPrefix(r.Protocol, "calico_static") {
			return nil
		}
	}
	return errors.Join(err, fmt.Errorf("BIRD has %v", routes))
}

// TestWorkloadMoves: a pod moves to another host while it runs. The rack's router, which
// takes one route a net, has one all the time.
func TestWorkloadMoves(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version)
		for _, h := range hosts {
			h.Env = append(h.Env, "CONFD_LIVE_MIGRATION=true")
		}
		router := rackRouter(t, l, hosts)
		l.Store.Apply("kind: BGPPeer\nmetadata: {name: rack}\nspec: {peerIP: 192.168.2.250, asNumber: 64512}")
		l.Start()
		l.AwaitPings(pods...)
		const pod = "10.244.77.7/32" // of a block of neither host
		target := hosts[0].AddWorkload("10.244.77.7")
		target.DeleteRoute(target.Addresses[0], 1024)
		hosts[1].AwaitNoRoute(pod)
		source := hosts[1].AddWorkload("10.244.77.7")
		router.await(pod, hosts[1])
		before := l.Moment()
		target.AddRoute(target.Addresses[0], 512) // as Felix does for one that has arrived
		router.await(pod, hosts[0])
		source.Remove()
		l.Await("the source's route to the target", func() error {
			routes, err := hosts[1].RoutesTo(pod)
			if err == nil && (len(routes) != 1 || routes[0].Metric != 512) {
				err = fmt.Errorf("%v", routes)
			}
			return err
		})
		router.await(pod, hosts[0])
		target.AddRoute(target.Addresses[0], 1024)
		target.DeleteRoute(target.Addresses[0], 512)
		router.await(pod, hosts[0])
		before.NoFlap(nil)
	})
}

// tor is a router that takes the hosts' routes: a BIRD without confd, and without add
// paths.
type tor struct {
	*lab.Machine
	lab    *lab.Lab
	socket string
}

func rackRouter(t *testing.T, l *lab.Lab, hosts []*lab.Host) tor {
	r := tor{Machine: l.AddMachine("tor", "", "192.168.2.250/24"), lab: l}
	conf := "router id 192.168.2.250;\nprotocol device {}\n"
	for i, h := range hosts {
		conf += fmt.Sprintf("protocol bgp host%d { local 192.168.2.250 as 64512; neighbor %s as 64512; multihop; passive on; ipv4 { import all; export none; }; }\n", i, h.IPv4())
	}
	r.socket = filepath.Join(r.Dir(), "tor.ctl")
	r.Start("BIRD", nil, testenv.Bird(t, "2.0.12"), "-f", "-c", r.WriteFile("tor.conf", conf), "-s", r.socket, "-P", r.socket+".pid")
	return r
}

// await waits until the router has one route to net: by that host.
func (r tor) await(net string, by *lab.Host) {
	r.lab.Await("the rack's route to "+net+" by "+by.Name, func() error {
		text, err := testenv.Birdc(r.socket, "show route "+net+" all")
		if err == nil && (strings.Count(text, "BGP.next_hop") != 1 || !strings.Contains(text, "BGP.next_hop: "+by.IPv4().String())) {
			err = errors.New(text)
		}
		return err
	})
}

// TestKernelFollowsChanges: what changes the kernel's routes, or what they cost, takes
// effect with each BIRD, and no ping is lost while routes stay. (BIRD 3 does not apply
// attributes that a changed filter sets to all routes; those that ours sets it does.)
func TestKernelFollowsChanges(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version)
		l.Start()
		whole(l, hosts, pods)
		before := l.Moment()
		has := func(what, net string, wanted func([]lab.KernelRoute) bool) {
			for i, h := range hosts {
				l.Await(fmt.Sprintf("%s on %s", what, h.Name), func() error {
					routes, err := h.RoutesTo(fmt.Sprintf(net, 2-i))
					if err == nil && !wanted(routes) {
						err = fmt.Errorf("%v", routes)
					}
					return err
				})
			}
		}
		there, back := follow(l, hosts[0], "fd00:f4:0:2::/122"), follow(l, hosts[1], "fd00:f4:0:1::/122")
		pings := pods[0].StartPings(pods[1], 20*time.Millisecond)
		configure := func(spec string) {
			l.Store.Apply("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {" + spec + "}")
		}
		for _, metric := range []uint32{900, 1100, 1024} {
			configure(fmt.Sprintf("ipv4NormalRoutePriority: %d, ipv6NormalRoutePriority: %d", metric, metric))
			for _, net := range []string{"10.244.%d.0/26", "fd00:f4:0:%d::/122"} {
				has(fmt.Sprintf("metric %d", metric), net, func(r []lab.KernelRoute) bool { return len(r) == 1 && r[0].Metric == metric })
			}
		}
		pings.AwaitAnswers(10)
		noneLost(t, pings, there, back)
		// What the kernel gets comes from the peer's route: this node's own setting, which
		// BIRD 3 would not apply to routes that are there, does not matter.
		hosts[1].Confd.Freeze()
		for _, programs := range []string{"Disabled", "Enabled"} {
			configure("ipv4NormalRoutePriority: 900, programClusterRoutes: " + programs)
			l.Await("the other's route with programClusterRoutes "+programs, func() error {
				routes, err := hosts[0].RoutesTo("10.244.2.0/26")
				if err == nil && (len(routes) == 1) != (programs == "Enabled") {
					err = fmt.Errorf("%v", routes)
				}
				if err == nil && len(routes) == 1 && routes[0].Metric != 1024 {
					t.Errorf("the peer's route has metric %d", routes[0].Metric)
				}
				return err
			})
		}
		hosts[1].Confd.Thaw()
		configure("programClusterRoutes: Disabled")
		has("no route", "10.244.%d.0/26", func(r []lab.KernelRoute) bool { return len(r) == 0 })
		configure("programClusterRoutes: Enabled")
		whole(l, hosts, pods)
		l.Store.Apply(strings.ReplaceAll(twoPools, "vxlanMode: Never", "vxlanMode: Always"))
		has("no route of a pool of Felix's", "10.244.%d.0/26", func(r []lab.KernelRoute) bool { return len(r) == 0 })
		l.Store.Apply(twoPools)
		whole(l, hosts, pods)
		before.NoFlap(nil)
	})
}

// BIRD gives a connection to the session of the address that it comes from, whatever the
// port: of two that wait for one node, one stays down, and which BGPPeer that is about is
// said.
func TestSharedNeighbor(t *testing.T) {
	long(t)
	t.Parallel()
	for _, version := range versions("2.17.6", "1.6.8", "2.0.12", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.AddSubnet("rack", "10.0.1.0/24")
			l.Store.Apply(rackPool)
			waits := l.AddHost(lab.HostConfig{Name: "n1", Addresses: []string{"10.0.1.11/24"}, BIRD: version})
			connects := l.AddHost(lab.HostConfig{Name: "n2", Addresses: []string{"10.0.1.12/24"}})
			l.Start()
			l.AwaitMesh(waits, connects)

			l.Store.Apply("\nkind: BGPPeer\nmetadata: {name: again}\nspec: {peerIP: '10.0.1.12:1790', asNumber: 64512}")
			names := []string{"Global_10_0_1_12_port_1790", "Mesh_10_0_1_12"}
			l.Await("both sessions", func() error { return oneWaits(waits, names, "") })
			connects.StopBIRD() // both sessions are down when it connects
			l.Await("none to be up", func() error { return oneWaits(waits, names, "none") })
			connects.StartBIRD()
			l.Await("one to be up", func() error { return oneWaits(waits, names, "one") })
			text, _ := waits.RunConfd("status")
			if said := strings.Join(strings.Fields(text), " "); !strings.Contains(said, "BGPPeer again") || !strings.Contains(said, "only one can be up") {
				t.Errorf("confd status does not say so:\n%s", text)
			}
		})
	}
}

// oneWaits says what keeps a host from having these sessions, all of them waiting for
// their neighbor ("none"), all but one, which is up ("one"), or in any state ("").
func oneWaits(h *lab.Host, names []string, up string) error {
	sessions, err := h.Sessions()
	if err != nil {
		return err
	}
	var states []string
	for _, name := range names {
		s, ok := sessions[name]
		if !ok {
			return fmt.Errorf("%s is missing", name)
		}
		states = append(states, s.BGPState)
	}
	slices.Sort(states)
	if want := map[string]string{"none": "Passive Passive", "one": "Established Passive"}[up]; up != "" && strings.Join(states, " ") != want {
		return fmt.Errorf("they are %s, want %s", states, want)
	}
	return nil
}
