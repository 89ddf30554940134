package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"confd/internal/lab"
	"confd/internal/report"
	"confd/internal/routes"
	"confd/internal/testenv"
)

// routesOf is what confd of a host says of the routes of its BIRDs, and whether
// confd status finds that all is as it should be.
func routesOf(h *lab.Host) ([]report.Routes, bool, error) {
	out, code := h.RunConfd("status", "--output", "json")
	var v struct{ Report *report.Report }
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&v); err != nil {
		return nil, false, fmt.Errorf("%w: %s", err, out)
	}
	if v.Report == nil || len(v.Report.Routes) == 0 {
		return nil, false, errors.New("the report says nothing of routes")
	}
	return v.Report.Routes, code == 0, nil
}

// wrong are the faults that confd of a host says, as "KIND NET SESSION".
func wrong(h *lab.Host) ([]string, error) {
	list, _, err := routesOf(h)
	var found []string
	for _, r := range list {
		if r.Unknown != "" || r.KernelUnknown != "" {
			return nil, errors.New(r.Unknown + r.KernelUnknown)
		}
		for _, f := range r.Faults {
			found = append(found, strings.Join(strings.Fields(f.Kind+" "+f.Net+" "+f.Session), " "))
		}
	}
	return found, err
}

// awaitWrong waits until confd of a host says these faults, and no others.
func awaitWrong(l *lab.Lab, h *lab.Host, want ...string) {
	l.Await(fmt.Sprintf("%s: what is wrong with routes", h.Name), func() error {
		got, err := wrong(h)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
		return err
	})
}

// Where all is right, that is what is said of all BIRDs, with counts.
func TestRoutesRight(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	l.AddSubnet("rack", "10.0.1.0/24", "fd00:1::/64")
	l.Store.Apply("kind: IPPool\nmetadata: {name: v4}\nspec: {cidr: 10.244.0.0/16}\n---\nkind: IPPool\nmetadata: {name: v6}\nspec: {cidr: 'fd00:f4::/48'}")
	for i, version := range testenv.BirdVersions() {
		h := l.AddHost(lab.HostConfig{
			Name: fmt.Sprintf("n%d", i), BIRD: version, Addresses: []string{fmt.Sprintf("10.0.1.1%d/24", i), fmt.Sprintf("fd00:1::1%d/64", i)},
			Blocks: []string{fmt.Sprintf("10.244.%d.0/26", i), fmt.Sprintf("fd00:f4:0:%d::/122", i)},
		})
		h.AddWorkload(fmt.Sprintf("10.244.%d.1", i), fmt.Sprintf("fd00:f4:0:%d::1", i))
	}
	l.Start()
	l.AwaitMesh(l.Hosts...)
	l.AwaitBlocks(l.Hosts...)
	for _, h := range l.Hosts {
		l.Await(h.Name+": counts of routes", func() error {
			list, good, err := routesOf(h)
			if err != nil {
				return err
			}
			tables := map[int]report.Table{}
			for _, r := range list {
				for _, table := range r.Tables {
					tables[table.Family] = table
				}
			}
			for _, family := range []int{4, 6} {
				if table := tables[family]; !good || table.BGP != 3 || table.Static != 1 || table.Direct != 1 || table.Kernel != 2 || table.Programmed < 4 {
					return fmt.Errorf("all well: %t, %+v", good, list)
				}
			}
			return nil
		})
		awaitWrong(l, h)
	}
}

// A session that cannot come up as this node's address is on no interface, or as a
// route of the kernel's own keeps packets from the peer, is said to be this side's
// fault.
func TestOwnSideAtFault(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.AddSubnet("rack", "192.168.2.0/24")
			peer := l.AddHost(lab.HostConfig{Name: "peer", Addresses: []string{"192.168.2.141/24"}, BirdFlags: []string{}})
			h := l.AddHost(lab.HostConfig{Name: "odd", BIRD: version, Addresses: []string{"192.168.2.143/24"}, BirdFlags: []string{}})
			lost := l.AddHost(lab.HostConfig{Name: "lost", BIRD: version, Addresses: []string{"192.168.2.145/24"}, BirdFlags: []string{}})
			lost.Node.IPv4 = netip.MustParsePrefix("192.168.2.144/24")
			lost.Publish()
			h.IP("route add blackhole 192.168.2.141")
			l.Start()
			awaitWrong(l, h, string(routes.PeerBlackholed)+" "+lab.SessionName("Mesh", "192.168.2.141"))
			h.IP("route del blackhole 192.168.2.141")
			awaitWrong(l, h)
			if _, good, err := routesOf(h); good || err != nil { // the third one is away
				t.Error("confd status finds nothing wrong", err)
			}
			awaitWrong(l, lost, string(routes.SourceNotLocal)+" "+lab.SessionName("Mesh", peer.IPv4().String()),
				string(routes.SourceNotLocal)+" "+lab.SessionName("Mesh", h.IPv4().String()))
		})
	}
}

// An older route of BIRD's that stands in the kernel beside the new one, with a
// smaller metric and a stale next hop, is taken away: BIRD 2.0.12 leaves it there.
func TestStaleKernelRoute(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts, pods := build(l, m1(), m2(), m3())
			h := l.AddHost(lab.HostConfig{Name: "watched", BIRD: version, Addresses: []string{"192.168.2.143/24"}, Blocks: []string{"10.244.99.0/26"}})
			pods = append(pods, h.AddWorkload("10.244.99.1"))
			// What an older configuration has left, and a route that is nobody's business.
			h.IP("route add 10.244.42.128/26 via 192.168.2.142 metric 512 proto bird")
			h.IP("route add 10.244.81.128/26 via 192.168.2.142 metric 512 proto bird table 7")
			l.Start()
			l.AwaitMesh(append(hosts, h)...)
			l.AwaitBlocks(append(hosts, h)...)
			l.Await("one route to the block", func() error {
				list, err := h.RoutesTo("10.244.42.128/26")
				if err == nil && len(list) != 1 {
					err = fmt.Errorf("%v", list)
				}
				return err
			})
			awaitWrong(l, h)
			l.AwaitPings(pods...)
			if text := h.IP("route show table 7"); !strings.Contains(text, "10.244.81.128/26") {
				t.Errorf("the route in a table of its own is gone: %q", text)
			}
		})
	}
}

// A default route that BGP brings keeps BIRD from reaching the next hops behind it:
// that is said, with its cause.
func TestNextHopThroughBGPDefault(t *testing.T) {
	long(t) // the survey of routes is waited for, twice
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			l.AddSubnet("near", "10.0.1.0/24")
			l.AddSubnet("far", "10.0.2.0/24")
			l.Store.Apply("kind: IPPool\nmetadata: {name: v4}\nspec: {cidr: 10.244.0.0/16}")
			h := l.AddHost(lab.HostConfig{Name: "near", BIRD: version, Addresses: []string{"10.0.1.10/24"}, Blocks: []string{"10.244.1.0/26"}})
			far := l.AddHost(lab.HostConfig{Name: "far", Addresses: []string{"10.0.2.10/24"}, Subnet: "far", Blocks: []string{"10.244.2.0/26"}})
			l.Start()
			l.AwaitMesh(h, far)
			l.AwaitBlocks(h, far)
			awaitWrong(l, h)

			tor := l.AddMachine("tor", "near", "10.0.1.20/24")
			conf := tor.WriteFile("bird.conf", `router id 10.0.1.20;
protocol device {}
protocol static { ipv4; route 0.0.0.0/0 via 10.0.1.1; }
protocol bgp node { local 10.0.1.20 as 65000; neighbor 10.0.1.10 as 64512; ipv4 { import all; export all; }; }
`)
			tor.Start("tor", nil, testenv.Bird(t, "2.17.6"), "-d", "-c", conf, "-s", tor.Dir()+"/t.ctl", "-P", tor.Dir()+"/t.pid")
			l.Store.Apply("kind: BGPPeer\nmetadata: {name: tor}\nspec: {node: near, peerIP: 10.0.1.20, asNumber: 65000}")
			awaitWrong(l, h, string(routes.NextHopByBGP)+" 10.244.2.0/26 "+lab.SessionName("Mesh", "10.0.2.10"))
			l.Store.Apply(`kind: BGPFilter
metadata: {name: no-default}
spec: {importV4: [{cidr: 0.0.0.0/0, matchOperator: Equal, action: Reject}]}
---
kind: BGPPeer
metadata: {name: tor}
spec: {node: near, peerIP: 10.0.1.20, asNumber: 65000, filters: [no-default]}`)
			awaitWrong(l, h)
		})
	}
}

// Where BIRD does not know that it is in the nodes' network, a default route leads it to
// them by the router, which knows no pod: that is said.
func TestNextHopByRouter(t *testing.T) {
	long(t)
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			configs := []lab.HostConfig{m1(), m2()}
			configs[0].BIRD = version
			hosts, pods := build(l, configs...)
			l.Start()
			awaitWhole(l, hosts, pods)
			before := l.Moment()
			l.Store.Apply("kind: BGPConfiguration\nmetadata: {name: default}\nspec: {ignoredInterfaces: [eth0]}")
			awaitWrong(l, hosts[0], string(routes.NextHopByRouter)+" 10.244.81.128/26 "+lab.SessionName("Mesh", "192.168.2.141"))
			if out, code := hosts[0].RunConfd("status"); code == 0 || !strings.Contains(out, "leads via 192.168.2.1 on eth0, though its next hop 192.168.2.141 is in 192.168.2.0/24") {
				t.Errorf("confd status ends with %d, and says %s", code, out)
			}
			l.Store.Delete("kind: BGPConfiguration\nmetadata: {name: default}")
			awaitWrong(l, hosts[0])
			awaitWhole(l, hosts, pods)
			before.NoFlap(nil)
		})
	}
}

// BIRD was started with -R, and a peer is dead: that it waits is said, and it waits no
// longer than it is told to.
func TestRecoveryWithDeadPeer(t *testing.T) {
	t.Parallel()
	for _, version := range versions("2.0.12", "1.6.8", "2.17.6", "3.1.8") {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts, _ := build(l, m1(), m2(), m3())
			h := l.AddHost(lab.HostConfig{Name: "waiting", BIRD: version, Addresses: []string{"192.168.2.143/24"}, Env: []string{"CONFD_GRACEFUL_RESTART_WAIT=20s"}})
			for _, other := range []*lab.Host{hosts[0], hosts[1], h} { // the third one is dead
				other.StartConfd()
			}
			hosts[0].StartBIRD()
			hosts[1].StartBIRD()
			h.StartBIRD()
			dead := lab.SessionName("Mesh", hosts[2].IPv4().String())
			l.Await("recovery", func() error {
				list, _, err := routesOf(h)
				if err != nil {
					return err
				}
				r := list[0].Recovery
				if r == nil || !slices.Contains(r.Sessions, dead) {
					return fmt.Errorf("%+v", list)
				}
				if left := r.Until.Sub(list[0].At); left > 20*time.Second {
					t.Errorf("it waits for %v, and is told 20s", left)
				}
				return nil
			})
			if text := ready(h); !strings.Contains(text, "graceful restart") {
				t.Errorf("/readyz: %s", text)
			}
			l.Await("the end of it", func() error {
				list, _, err := routesOf(h)
				if err == nil && (list[0].Recovery != nil || ready(h) != "ready\n") {
					err = fmt.Errorf("%+v, %s", list, ready(h))
				}
				return err
			})
			for _, other := range hosts[:2] {
				awaitRoute(l, h.Machine, other.Blocks[0].String(), other.IPv4().String())
			}
		})
	}
}

// ready is what /readyz of a host says.
func ready(h *lab.Host) string {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.Dir(), "http.sock"))
	}}}
	r, err := c.Get("http://host/readyz")
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body) // what there is
	return string(text)
}
