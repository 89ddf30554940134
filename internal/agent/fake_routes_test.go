package agent

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"confd/internal/routes"
	"confd/reload/control"
)

// Routes says that nothing is wrong, unless a script has put something wrong there.
func (w *fakeWorld) Routes(ctx context.Context, q RoutesQuestion) routes.Look {
	set := setOfSocket(q.Socket)
	l := routes.Look{At: time.Now(), Lists: &routes.Lists{Kernel: map[int]routes.Kernel{}}}
	if l.Err = w.faults.step(ctx, "routes", set); l.Err != nil {
		return l
	}
	if w.birds[q.Socket].status().health != control.Up {
		l.Err = control.ErrNotRunning
		return l
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.look != nil {
		w.look(&l)
	}
	return l
}

// Remove removes what a script has left in the kernel.
func (w *fakeWorld) Remove(ctx context.Context, q RoutesQuestion, faults []routes.Fault) ([]routes.Entry, error) {
	if err := w.faults.step(ctx, "remove", setOfSocket(q.Socket)); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []routes.Entry
	for _, f := range faults {
		list = append(list, f.Stale...)
	}
	w.look = nil
	return list, nil
}

// routes has looks at routes show, a line each: "dead NET SESSION", "stale NET",
// "recovers SESSION". Without any all is right.
func (s *script) routes(body string) {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	s.world.look = nil
	if body != "" {
		s.world.look = func(l *routes.Look) {
			for line := range strings.Lines(body) {
				showRoute(l, strings.Fields(line))
			}
		}
	}
}

func showRoute(l *routes.Look, words []string) {
	if words[0] == "recovers" {
		l.Status.Recovery = control.Recovery{InProgress: true, Left: 40 * time.Second}
		l.Overview.Sessions = append(l.Overview.Sessions, control.SessionRoutes{Name: words[1], Awaited: true})
		return
	}
	net := netip.MustParsePrefix(words[1])
	hop := []control.Hop{{Via: netip.MustParseAddr("10.0.0.2"), Interface: "eth0"}}
	switch words[0] {
	case "dead":
		l.Lists.Dead = append(l.Lists.Dead, control.Route{Net: net, Protocol: words[2], NextHop: netip.MustParseAddr("10.9.9.9")})
	case "stale":
		e := routes.Entry{Net: net, Table: 254, Metric: 1024, BIRD: true, Target: control.Unicast, Hops: hop}
		old := e
		old.Metric = 512
		l.Lists.Kernel[4] = routes.Kernel{
			Wanted:  []control.Route{{Net: net, Protocol: "Mesh_10_0_0_2", Target: control.Unicast, Hops: hop}},
			Entries: []routes.Entry{old, e}, Metrics: map[netip.Prefix]uint32{net: 1024},
		}
	}
}
