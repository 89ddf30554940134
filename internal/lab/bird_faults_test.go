package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
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
	for _, version := range birds {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

// pair are two hosts with pods, of both families, IPv6 first.
func pair(l *lab.Lab, version string, flags ...string) (hosts []*lab.Host, pods []*lab.Workload) {
	l.AddSubnet("rack", "192.168.2.0/24", "fd00:2::/64")
	l.Store.Apply(twoPools)
	for i := 1; i <= 2; i++ {
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("k8s-m%d", i), BIRD: version,
			Addresses: []string{fmt.Sprintf("192.168.2.%d/24", 139+i), fmt.Sprintf("fd00:2::1%d/64", i)},
			BirdFlags: flags,
			Blocks:    []string{fmt.Sprintf("fd00:f4:0:%d::/122", i), fmt.Sprintf("10.244.%d.0/26", i)},
		})
		hosts = append(hosts, h)
		pods = append(pods, h.AddWorkload(fmt.Sprintf("fd00:f4:0:%d::2", i), fmt.Sprintf("10.244.%d.2", i)))
	}
	return hosts, pods
}

// monitor follows the kernel's routes of a family on a host. gaps are those changes
// after which a net was without a route that leads somewhere. (BIRD 3 changes a route by
// taking it away and adding it again, in one go.)
func monitor(h *lab.Host, family string) (gaps func(net string) []string) {
	p := h.Machine.Start("monitor", nil, "ip", family, "-ts", "monitor", "route")
	return func(net string) []string {
		var gaps []string
		was := ""
		for line := range strings.Lines(p.Log()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "] ")
			if !strings.Contains(line, net) {
				continue
			}
			if strings.HasPrefix(was, "Deleted "+net) && !strings.HasPrefix(line, net+" via ") || strings.HasPrefix(line, "unreachable ") {
				gaps = append(gaps, was+" | "+line)
			}
			was = line
		}
		if strings.HasPrefix(was, "Deleted "+net) {
			gaps = append(gaps, was)
		}
		return gaps
	}
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
		gaps := monitor(hosts[0], "-6")
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
		if lost := pings.Stop(); lost.Lost > 0 {
			t.Errorf("pings lost: %+v", lost)
		}
		if list := gaps("fd00:f4:0:2::/122"); len(list) > 0 {
			t.Errorf("there was no route to the other pods: %q", list)
		}
		before.NoFlap(nil)
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

// noRecovery are flags with which a BIRD does not wait for its sessions before it puts
// routes into the kernel: what -R has BIRD 3 do while sessions are given up is another
// matter.
const noRecovery = "-d"

// TestPortTaken: another BIRD has the port when the host's starts, which gives its IPv4
// sessions up for good. That is said, and they are taken up when the port is free;
// others never notice.
func TestPortTaken(t *testing.T) {
	eachBIRD(t, func(t *testing.T, version string) {
		l := lab.New(t)
		hosts, pods := pair(l, version, noRecovery)
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
		before := l.Moment()
		other.Stop()
		whole(l, hosts, pods)
		before.NoFlap(nil)
		said(l, h, "BIRD listens for all of its sessions again")
	})
}
