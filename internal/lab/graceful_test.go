package lab_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"confd/internal/lab"
	"confd/internal/routers"
	"confd/internal/testenv"
)

// keepsTable says whether a router keeps the routes of a neighbor that restarts
// gracefully. ExaBGP has no table to keep them in.
func keepsTable(kind routers.Kind) bool { return kind != routers.ExaBGP }

// mayFlush says whether a router that has kept routes may drop them just before they come
// anew: OpenBGPD does where the first try to connect again fails, as it does where both
// ends connect at the same time.
func mayFlush(kind routers.Kind) bool { return kind == routers.OpenBGPD }

// rackOfAll is a node of each BIRD, and a router of each maker above them, all with
// graceful restart.
func rackOfAll(t *testing.T, l *lab.Lab, env ...string) ([]*lab.Host, []rack) {
	t.Helper()
	l.AddSubnet("rack", "10.0.1.0/24")
	l.Store.Apply(rackPool + "\n---\n" + documented(t, "neighbors.md", "Only its own routes"))
	var hosts []*lab.Host
	for i, version := range []string{"1.6.8", "2.0.12", "2.17.6", "3.1.8"} {
		hosts = append(hosts, l.AddHost(lab.HostConfig{Name: fmt.Sprintf("n%d", i+1), BIRD: version, Env: env,
			Addresses: []string{fmt.Sprintf("10.0.1.%d/24", 11+i)}, Blocks: []string{fmt.Sprintf("10.244.%d.0/26", i+1)}}))
	}
	var racks []rack
	for i, kind := range routers.Kinds() {
		address := fmt.Sprintf("10.0.1.%d", 21+i)
		l.Store.Apply(rackPeer(kind, address, ""))
		racks = append(racks, startRack(t, kind, l.AddMachine(string(kind), "", address+"/24"), 65021, 64512, hosts,
			func(n *routers.Neighbor) { n.GracefulRestart = 120 }))
	}
	l.Start()
	for _, r := range racks {
		routers.Await(t, r, blocksOf(hosts)...)
	}
	for _, h := range hosts {
		awaitRecovered(l, h)
	}
	return hosts, racks
}

func rackPeer(kind routers.Kind, address, more string) string {
	return fmt.Sprintf("\nkind: BGPPeer\nmetadata: {name: %s}\nspec: {peerIP: %s, asNumber: 65021, filters: [own-routes-only]%s}", kind, address, more)
}

// blocksOf are the lines that a router has for the hosts' blocks.
func blocksOf(hosts []*lab.Host) []string {
	var lines []string
	for _, h := range hosts {
		lines = append(lines, fmt.Sprintf("%s via %s path 64512", h.Blocks[0], h.IPv4()))
	}
	return lines
}

// awaitRecovered waits until a BIRD that was started with -R is like any other.
func awaitRecovered(l *lab.Lab, h *lab.Host) {
	l.Await("the end of "+h.Name+"'s recovery", func() error {
		for _, b := range h.Birds {
			text, err := testenv.Birdc(b.Socket, "show status")
			if err != nil {
				return err
			}
			if strings.Contains(text, "recovery") {
				return fmt.Errorf("it says %s", text)
			}
		}
		return nil
	})
}

// TestGracefulRestartAtRouters: what a router has of a node whose BIRD, or confd, goes and
// comes back.
func TestGracefulRestartAtRouters(t *testing.T) {
	long(t)
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *lab.Lab, []*lab.Host, []rack){
		"killed BIRD": killBIRDs, "graceful restart of BIRD": restartBIRDs, "stopped BIRD": stopBIRDs, "killed confd": killConfd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			hosts, racks := rackOfAll(t, l)
			end(t, l, hosts, racks)
		})
	}
}

func killBIRDs(t *testing.T, l *lab.Lab, hosts []*lab.Host, racks []rack) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) { awaitKept(t, l, h, hosts, racks, h.KillBIRD) })
	}
}

func restartBIRDs(t *testing.T, l *lab.Lab, hosts []*lab.Host, racks []rack) {
	for _, h := range hosts[1:] { // BIRD 1.6 knows no such command
		t.Run(h.Version, func(t *testing.T) {
			awaitKept(t, l, h, hosts, racks, func() { h.Birdc("graceful restart") })
		})
	}
}

func stopBIRDs(t *testing.T, l *lab.Lab, hosts []*lab.Host, racks []rack) {
	for _, h := range hosts {
		t.Run(h.Version, func(t *testing.T) {
			h.StopBIRD()
			for _, r := range racks {
				routers.Await(t, r, blocksOf(slices.DeleteFunc(slices.Clone(hosts), func(o *lab.Host) bool { return o == h }))...)
			}
			h.StartBIRD()
			for _, r := range racks {
				routers.Await(t, r, blocksOf(hosts)...)
			}
			awaitRecovered(l, h)
		})
	}
}

func killConfd(t *testing.T, l *lab.Lab, hosts []*lab.Host, racks []rack) {
	before := l.Moment()
	for _, h := range hosts {
		h.Confd.Kill()
		h.StartConfd()
	}
	hosts[1].AddBlock("10.244.100.0/26") // when this is heard, they are all there again
	for _, r := range racks {
		routers.Await(t, r, append(blocksOf(hosts), "10.244.100.0/26 via 10.0.1.12 path 64512")...)
	}
	before.NoFlap(nil)
}

// awaitKept ends a BIRD and starts it again: routers that have a table keep its routes
// all the while (OpenBGPD nearly so), as stale ones while it is away; the other has none
// meanwhile.
func awaitKept(t *testing.T, l *lab.Lab, h *lab.Host, hosts []*lab.Host, racks []rack, end func()) {
	t.Helper()
	mine := fmt.Sprintf("%s via %s path 64512", h.Blocks[0], h.IPv4())
	stale := slices.Clone(blocksOf(hosts))
	stale[slices.Index(stale, mine)] += " stale"
	gone := slices.DeleteFunc(slices.Clone(stale), func(line string) bool { return strings.HasSuffix(line, "stale") })

	watched := watch(t, racks, mine)
	end()
	for _, r := range racks {
		if keepsTable(r.kind) {
			routers.Await(t, r, stale...)
		} else {
			routers.Await(t, r, gone...)
		}
	}
	h.StartBIRD()
	for _, r := range racks {
		routers.Await(t, r, blocksOf(hosts)...)
	}
	awaitRecovered(l, h)
	for i, missing := range watched() {
		if kind := racks[i].kind; missing == keepsTable(kind) && !mayFlush(kind) {
			t.Errorf("%s was without %s: %v", racks[i].kind, mine, missing)
		}
	}
}

// watch looks at the routers' tables until the function that it returns is called,
// which says whether each of them was without a route at any time.
func watch(t *testing.T, racks []rack, line string) func() []bool {
	t.Helper()
	missing := make([]bool, len(racks))
	stop := make(chan struct{})
	var done sync.WaitGroup
	for i, r := range racks {
		done.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				routes, err := r.Routes()
				there := slices.ContainsFunc(routes, func(r routers.Route) bool { return strings.HasPrefix(r.String(), line) })
				missing[i] = missing[i] || err == nil && !there
				select {
				case <-stop:
					return
				case <-tick.C:
				}
			}
		})
	}
	end := sync.OnceValue(func() []bool {
		close(stop)
		done.Wait()
		return missing
	})
	t.Cleanup(func() { end() })
	return end
}

// TestRestartOfSessionByConfiguration: a change that BIRD makes by restarting a session
// costs the routes at that neighbor at once, graceful restart or not. Here they stay
// away, since the neighbor does not take the new session, whose AS number is wrong.
func TestRestartOfSessionByConfiguration(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	_, racks := rackOfAll(t, l, "CONFD_HOLD=false") // so many at a time would be held back
	for _, r := range racks {
		t.Run(string(r.kind), func(t *testing.T) {
			before := l.Moment()
			l.Store.Apply(rackPeer(r.kind, r.machine.IPv4().String(), ", localASNumber: 64999"))
			routers.Await(t, r)
			session := lab.SessionName("Global", r.machine.IPv4().String())
			before.NoFlap(func(_ *lab.Host, s string) bool { return s == session })
		})
	}
}

// TestRouterRestarts: a router that is killed. Nodes keep its routes where it said that
// it would be back.
func TestRouterRestarts(t *testing.T) {
	long(t)
	t.Parallel()
	l := lab.New(t)
	hosts, racks := rackOfAll(t, l)
	for i, r := range racks {
		prefix := fmt.Sprintf("198.51.100.%d/32", i)
		r.announce(t, prefix)
		for _, h := range hosts {
			awaitRoute(l, h.Machine, prefix, r.machine.IPv4().String())
		}
		session := lab.SessionName("Global", r.machine.IPv4().String())
		r.Kill()
		l.Await("the session to be down", func() error { return down(hosts, session) })
		want := r.machine.IPv4().String()
		if r.kind == routers.OpenBGPD { // it says goodbye even where it is killed
			want = ""
		}
		for _, h := range hosts {
			awaitRoute(l, h.Machine, prefix, want)
		}
	}
}
